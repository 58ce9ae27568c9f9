//! Validators: joining, leaving, metadata, power, upgrades.

use soma_tests::scenes::soma;
use soma_tests::world::{Setup, World, consensus_key, metadata};
use soma_types::validator::MetadataText;
use soma_types::{Address, MetadataUpdate, PoolId, Shannons, TransactionKind, ValidatorStatus};

#[test]
fn d38_a_joining_validator_has_the_commission_that_it_asked_for() {
    let mut world = World::new();
    let user = world.users[0];
    let TransactionKind::AddValidator(mut candidate) = world.candidate(&user, 70) else {
        panic!("an application");
    };
    candidate.commission_bps = 10_001;
    let greedy = TransactionKind::AddValidator(candidate.clone());
    assert_eq!(world.fails(&user, greedy), "CommissionRateTooHigh");
    candidate.commission_bps = 750;
    world.ok(&user, TransactionKind::AddValidator(candidate));
    let (validator, amount) = (user, soma(100));
    world.ok(&user, TransactionKind::Stake { validator, amount });
    world.end_epoch();
    let joined = world.validator(&user);
    assert_eq!(
        (joined.status, joined.commission.get()),
        (ValidatorStatus::Active, 750)
    );
}

#[test]
fn d38_a_validator_joins_with_a_power_of_12_in_10_000_and_not_below() {
    // x / (4,274 + x) with the validators' reward of 274 SOMA: 5.13 SOMA are 11.98, 5.14 are 12.01.
    for (stake, joins) in [(5_130_000_000, false), (5_140_000_000, true)] {
        let mut world = World::new();
        let user = world.users[0];
        world.apply_to_validate(&user, 70, Shannons(stake));
        world.end_epoch();
        let active = world.validator(&user).status == ValidatorStatus::Active;
        assert_eq!(active, joins, "{stake}");
    }
}

#[test]
fn d39_all_metadata_can_change_and_does_with_the_next_epoch() {
    let mut world = World::new();
    let address = world.validators[0];
    let text = |text: &str| Some(MetadataText::new(text).expect("short"));
    let key = consensus_key(500);
    let digest = soma_chain::proof_of_possession_digest(&world.chain.chain_id(), &address);
    let update = MetadataUpdate {
        name: text("another name"),
        consensus_key: Some(key.public_key()),
        proof_of_possession: Some(key.sign_digest(&digest.0)),
        p2p_address: text("/ip4/10.0.0.1/tcp/1"),
        rpc_address: text("https://rpc.example.org"),
        proxy_address: text("https://proxy.example.org"),
    };
    let change = |update: &MetadataUpdate| {
        TransactionKind::UpdateValidatorMetadata(Box::new(update.clone()))
    };
    world.ok(&address, change(&update));
    assert_eq!(world.validator(&address).metadata, metadata(0));
    world.end_epoch();
    let now = world.validator(&address);
    assert_eq!(Some(now.metadata.name), update.name);
    assert_eq!(Some(now.metadata.consensus_key), update.consensus_key);
    assert_eq!(Some(now.metadata.p2p_address), update.p2p_address);
    assert_eq!(Some(now.metadata.rpc_address), update.rpc_address);
    assert_eq!(Some(now.metadata.proxy_address), update.proxy_address);
    let committee = world
        .read()
        .committee(soma_types::Epoch(1))
        .expect("readable");
    let committee = committee.expect("formed");
    let member = committee.member(&address).expect("a member");
    assert_eq!(member.consensus_key, key.public_key());

    // The old key and address are free now, the new ones are taken.
    let other = world.validators[1];
    let taken = MetadataUpdate {
        p2p_address: update.p2p_address.clone(),
        ..Default::default()
    };
    assert_eq!(
        world.fails(&other, change(&taken)),
        "DuplicateValidatorMetadata"
    );
    let free = MetadataUpdate {
        p2p_address: Some(metadata(0).p2p_address),
        ..Default::default()
    };
    world.ok(&other, change(&free));
    let unproven = MetadataUpdate {
        consensus_key: Some(consensus_key(501).public_key()),
        ..Default::default()
    };
    assert_eq!(
        world.fails(&other, change(&unproven)),
        "MissingProofOfPossession"
    );
    let forged = MetadataUpdate {
        proof_of_possession: update.proof_of_possession,
        ..unproven
    };
    assert_eq!(
        world.fails(&other, change(&forged)),
        "InvalidProofOfPossession"
    );
}

#[test]
fn d40_an_application_lapses_after_the_grace_period() {
    let setup = Setup::default().with("validator_low_stake_grace_epochs", 2);
    let mut world = World::with(setup);
    let user = world.users[0];
    world.apply_to_validate(&user, 70, soma(1));
    world.end_epochs(3);
    assert!(matches!(
        world.validator(&user).status,
        ValidatorStatus::Pending { .. }
    ));
    let pool = world.validator(&user).pool;
    world.end_epoch();
    assert!(is_unknown(&world, &user));
    // The address, the key and the stake are free again.
    let stake = world.stakes(&user)[0].id;
    world.ok(&user, TransactionKind::Unstake { stake });
    world.apply_to_validate(&user, 70, soma(1));
    assert_ne!(world.validator(&user).pool, pool);
    world.end_epoch();
    assert!(has_pool(&world, &pool), "stake is still on its way out");
    world.end_epoch();
    assert!(!has_pool(&world, &pool));
    let left = world.stakes(&user);
    assert!(left.iter().all(|stake| stake.pool != pool), "{left:?}");
}

fn is_unknown(world: &World, address: &Address) -> bool {
    world.read().validator(address).expect("readable").is_none()
}

fn has_pool(world: &World, pool: &PoolId) -> bool {
    world.read().pool(pool).expect("readable").is_some()
}

/// Asks for all that `owner` has staked.
fn take_all_back(world: &mut World, owner: &Address) {
    for stake in world.stakes(owner) {
        world.ok(owner, TransactionKind::Unstake { stake: stake.id });
    }
}

#[test]
fn a_candidate_that_comes_and_goes_leaves_nothing_behind() {
    let mut world = World::new();
    // Of another chain, whose epochs end as often.
    let mut untouched = World::new();
    let user = world.users[0];
    let keys = |world: &World| world.dump().into_keys().collect::<Vec<_>>();
    for _ in 0..3 {
        world.apply_to_validate(&user, 70, soma(1));
        assert_ne!(keys(&world), keys(&untouched));
        world.ok(&user, TransactionKind::RemoveValidator);
        take_all_back(&mut world, &user);
        world.end_epochs(2);
        untouched.end_epochs(2);
        assert_eq!(keys(&world), keys(&untouched));
    }
}

#[test]
fn an_application_stakes_what_a_candidate_needs() {
    let mut world = World::new();
    let (user, poor) = (world.users[0], world.newcomer(80_000));
    let before = world.balance(&user);
    let application = world.candidate(&user, 70);
    let fee = world.ok(&user, application).fee;
    let rate = world.chain.system().value_fee.half();
    assert_eq!(fee.value, soma(1).fee_at(rate));
    assert_eq!(world.balance(&user).0, before.0 - soma(1).0 - fee.total().0);
    let pool = world.validator_pool(&user);
    assert_eq!(pool.soma, soma(1));
    let position = world.stake_in(&user, &pool);
    assert_eq!(
        (position.principal, world.worth(&position)),
        (soma(1), soma(1))
    );

    // With the stake, but not the fee.
    let (recipient, amount) = (poor, soma(1));
    world.ok(&user, TransactionKind::Transfer { recipient, amount });
    let application = world.candidate(&poor, 71);
    assert_eq!(world.fails(&poor, application), "InsufficientCoinBalance");
    assert!(is_unknown(&world, &poor) && world.stakes(&poor).is_empty());
}

#[test]
fn an_application_ends_when_its_stake_is_withdrawn() {
    let mut world = World::new();
    let (user, delegator) = (world.users[0], world.users[1]);
    world.apply_to_validate(&user, 70, soma(1));
    let pool = world.validator(&user).pool;
    let (validator, amount) = (user, soma(2));
    world.ok(&delegator, TransactionKind::Stake { validator, amount });
    // What counts is the stake of all.
    take_all_back(&mut world, &user);
    assert!(!is_unknown(&world, &user), "2 SOMA are left");
    world.ok(&delegator, TransactionKind::Stake { validator, amount });
    let stake = world.stakes(&delegator)[0].id;
    world.ok(&delegator, TransactionKind::Unstake { stake });
    assert!(!is_unknown(&world, &user), "2 SOMA are left");
    let stake = world.stakes(&delegator)[1].id;
    world.ok(&delegator, TransactionKind::Unstake { stake });
    assert!(is_unknown(&world, &user));
    let late = TransactionKind::Stake { validator, amount };
    assert_eq!(world.fails(&delegator, late), "ValidatorNotFound");
    assert!(has_pool(&world, &pool));

    // Key and addresses are free, and the next application brings stake of its own.
    let other = world.users[2];
    world.apply_to_validate(&other, 70, soma(1));
    world.apply_to_validate(&user, 71, soma(1));
    assert_ne!(world.validator(&user).pool, pool);
    world.end_epochs(2);
    assert!(!has_pool(&world, &pool));
    assert_eq!(world.stakes(&user).len(), 1);
    assert!(world.stakes(&delegator).is_empty(), "paid out");
}

#[test]
fn stake_of_a_candidate_that_joined_in_the_meantime_ends_no_validator_at_once() {
    let mut world = World::new();
    let user = world.users[0];
    world.apply_to_validate(&user, 70, soma(100));
    world.end_epoch();
    take_all_back(&mut world, &user);
    assert_eq!(world.validator(&user).status, ValidatorStatus::Active);
}

#[test]
fn the_empty_pool_of_a_former_validator_goes_when_it_applies_again() {
    let mut world = World::new();
    let former = world.validators[1];
    world.ok(&former, TransactionKind::RemoveValidator);
    world.end_epoch();
    for stake in world.stakes(&former) {
        world.ok(&former, TransactionKind::Unstake { stake: stake.id });
    }
    world.end_epochs(2);
    assert!(world.stakes(&former).is_empty(), "paid out");
    let pool = world.validator(&former).pool;
    assert!(has_pool(&world, &pool));
    world.apply_to_validate(&former, 70, soma(100));
    assert!(!has_pool(&world, &pool));
    world.end_epoch();
    assert_eq!(world.validator(&former).status, ValidatorStatus::Active);
}

#[test]
fn d40_an_application_can_be_withdrawn_at_once() {
    let mut world = World::new();
    let (user, other) = (world.users[0], world.users[1]);
    world.apply_to_validate(&user, 70, soma(100));
    let twice = world.candidate(&user, 71);
    assert_eq!(world.fails(&user, twice), "DuplicateValidator");
    let rival = world.candidate(&other, 70);
    assert_eq!(
        world.fails(&other, rival.clone()),
        "DuplicateValidatorMetadata"
    );
    world.ok(&user, TransactionKind::RemoveValidator);
    assert!(is_unknown(&world, &user));
    world.ok(&other, rival);
    let stakes = world.stakes(&user);
    let worth = stakes.iter().map(|stake| world.worth(stake).0);
    assert_eq!(worth.sum::<u64>(), soma(100).0);
    take_all_back(&mut world, &user);
    world.end_epochs(2);
    assert!(world.stakes(&user).is_empty(), "paid out");
    assert!(!has_pool(&world, &stakes[0].pool));
}
