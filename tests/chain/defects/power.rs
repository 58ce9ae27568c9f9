//! What validators do with their power, and how they lose it.

use soma_tests::scenes::{equivocation, soma};
use soma_tests::world::{Setup, World};
use soma_types::{Parameters, TransactionKind};

#[test]
fn d42_an_upgrade_needs_a_quorum_and_a_half_and_keeps_the_overrides_of_genesis() {
    let mut newer = Parameters::v1();
    newer.base_fee = 1_500;
    let setup = Setup {
        versions: vec![Parameters::v1(), newer],
        ..Setup::default()
    };
    let mut world = World::with(setup);
    let announce = TransactionKind::AnnounceProtocolVersion { version: 2 };
    let stranger = world.users[0];
    assert_eq!(world.fails(&stranger, announce.clone()), "NotAValidator");
    let validators = world.validators.clone();
    for validator in &validators[..3] {
        world.ok(validator, announce.clone());
    }
    world.end_epoch();
    // 7,500 of the 8,334 that are needed.
    assert_eq!(world.chain.system().protocol_version, 1);
    world.ok(&validators[3], announce.clone());
    assert_eq!(
        world.fails(&validators[3], announce),
        "ProtocolVersionNotNewer"
    );
    world.end_epoch();
    assert_eq!(world.chain.system().protocol_version, 2);
    let parameters = world.chain.parameters();
    assert_eq!(
        (parameters.base_fee, parameters.target_embedding_dim),
        (1_500, 8)
    );
}

#[test]
fn d44_nobody_among_ten_or_more_has_more_than_a_tenth_of_the_power() {
    let mut world = World::with(Setup {
        validators: 12,
        ..Setup::default()
    });
    let (strong, user) = (world.validators[5], world.users[0]);
    let (validator, amount) = (strong, soma(9_000));
    world.ok(&user, TransactionKind::Stake { validator, amount });
    world.end_epoch();
    let committee = world
        .read()
        .committee(soma_types::Epoch(1))
        .expect("readable");
    let committee = committee.expect("formed");
    assert_eq!(committee.power(&strong), 1_000);
    let powers: Vec<u64> = committee.members.iter().map(|m| m.voting_power).collect();
    assert_eq!(powers.iter().sum::<u64>(), 10_000);
    // 9,000 among eleven with equal stake.
    let others = powers.iter().filter(|power| **power != 1_000);
    assert!(
        others.clone().all(|power| (818..=819).contains(power)),
        "{powers:?}"
    );
}

#[test]
fn a_validator_that_signs_twice_loses_its_reward_and_a_twentieth_of_its_stake() {
    let mut world = World::new();
    let guilty = world.validators[1];
    let pool = world.chain.system().emission_pool.0;
    let evidence = equivocation(guilty);
    world.end_epoch_with(vec![evidence, evidence]);
    assert_eq!(world.validator_pool(&guilty).soma, soma(950));
    assert!(
        !world.validator(&guilty).misbehaved,
        "a new epoch, a new chance"
    );
    // 274 SOMA among three; 1 shannon cannot be shared.
    for other in [0, 2, 3].map(|number| world.validators[number]) {
        assert_eq!(world.validator_pool(&other).soma.0, 1_091_333_333_333);
    }
    assert_eq!(
        world.chain.system().emission_pool.0,
        pool + soma(50).0 + 1 - soma(1_370).0
    );
}

#[test]
fn evidence_counts_once_and_only_while_it_is_fresh() {
    let mut world = World::new();
    let guilty = world.validators[1];
    let evidence = equivocation(guilty);
    world.end_epoch_with(vec![evidence]);
    let soma_then = world.validator_pool(&guilty).soma;
    let mut stale = evidence;
    let mut future = evidence;
    future.height = u64::MAX;
    for _ in 0..3 {
        // The same again, one that has not happened, and one of an epoch long past.
        stale.height = world.chain.head().header.height;
        let next = world.proposal(Vec::new());
        for _ in 0..2 {
            world.end_epoch();
        }
        assert!(next.height > stale.height);
        let emission_before = world.chain.system().emission_pool;
        world.end_epoch_with(vec![evidence, future, stale]);
        let released = emission_before.0 - world.chain.system().emission_pool.0;
        assert!(released <= soma(1_370).0, "nothing was slashed");
        assert!(world.validator_pool(&guilty).soma >= soma_then);
    }
}

#[test]
fn a_validator_that_left_answers_for_what_it_signed_before_it_applies_again() {
    let mut world = World::new();
    let guilty = world.validators[1];
    world.ok(&guilty, TransactionKind::RemoveValidator);
    world.end_epoch();
    let again = world.candidate(&guilty, 90);
    assert_eq!(world.fails(&guilty, again.clone()), "ValidatorStillAnswers");
    let before = world.validator_pool(&guilty).soma;
    let evidence = equivocation(guilty);
    world.end_epoch_with(vec![evidence]);
    let after = world.validator_pool(&guilty).soma;
    assert_eq!(after.0, before.0 - before.0 / 20);
    world.ok(&guilty, again);
}

#[test]
fn a_validator_with_too_little_stake_leaves_after_the_grace_period() {
    let setup = Setup::default()
        .with("validator_low_stake_grace_epochs", 2)
        .with("validator_reward_allocation_bps", 0);
    let mut world = World::with(setup);
    let (user, delegator) = (world.users[0], world.users[1]);
    world.apply_to_validate(&user, 70, soma(3));
    let amount = soma(10);
    let validator = user;
    world.ok(&delegator, TransactionKind::Stake { validator, amount });
    world.end_epoch();
    let status = |world: &World| world.validator(&user).status.name();
    assert_eq!(status(&world), "active");
    // 3 SOMA of 4,003 are 7 in 10,000: at risk for two epochs, out after the third.
    let stake = world.stakes(&delegator)[0].id;
    world.ok(&delegator, TransactionKind::Unstake { stake });
    for expected in ["active", "active", "inactive"] {
        world.end_epoch();
        assert_eq!(status(&world), expected);
    }
}

#[test]
fn a_validator_with_next_to_no_stake_leaves_at_once() {
    let setup = Setup::default().with("validator_reward_allocation_bps", 0);
    let mut world = World::with(setup);
    let user = world.users[0];
    world.apply_to_validate(&user, 70, soma(100));
    world.end_epoch();
    for stake in world.stakes(&user) {
        world.ok(&user, TransactionKind::Unstake { stake: stake.id });
    }
    assert!(world.validator(&user).status.is_member());
    world.end_epoch();
    assert_eq!(world.validator(&user).status.name(), "inactive");
}
