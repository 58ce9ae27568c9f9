//! The epoch's budget: emission in, exactly all of it out or rolled over.

use soma_chain::{Key, Store, share_reward};
use soma_tests::scenes::soma;
use soma_tests::world::{Setup, World};
use soma_types::{MAX_SUPPLY, Parameters, Shannons, TransactionKind};

#[test]
fn d06_validators_and_targets_share_emission_and_rollover_in_exact_fifths() {
    let mut world = World::with_targets();
    let pots = |world: &World| {
        let system = world.chain.system();
        (system.validator_pot.0, system.target_pot.0)
    };
    // Genesis: 1,370 SOMA; six targets of 1,096 / 32 = 34.25 SOMA were drawn since.
    let reward = world.chain.system().targets.reward_per_target.0;
    assert_eq!(reward, 34_250_000_000);
    assert_eq!(
        pots(&world),
        (274_000_000_000, 1_096_000_000_000 - 6 * reward)
    );

    // Nothing was filled: 1,370 + 1,096 SOMA are shared next.
    world.end_epoch_with(Vec::new());
    assert_eq!(pots(&world), (493_200_000_000, 1_972_800_000_000));
    assert_eq!(
        world.chain.system().targets.reward_per_target.0,
        61_650_000_000
    );

    // A fill stays out of the rollover.
    world.tick();
    let target = world.open_targets()[0].clone();
    world.fill(&world.users[4].clone(), &target, 1, 100);
    world.end_epoch_with(Vec::new());
    let budget = 1_972_800_000_000 - 61_650_000_000 + 1_370_000_000_000;
    let (validators, targets) = pots(&world);
    assert_eq!(validators, budget / 5);
    assert_eq!(validators + targets, budget);
}

#[test]
fn d51_validators_earn_a_fifth_of_the_budget_by_voting_power() {
    let mut world = World::new();
    let address = world.validators[2];
    assert_eq!(world.validator_pool(&address).soma, soma(1_000));
    world.end_epoch();
    // A quarter of 274 SOMA. 2 % of it is the validator's commission, and it is staked.
    assert_eq!(world.validator_pool(&address).soma.0, 1_068_500_000_000);
    let commission = world
        .stakes(&address)
        .into_iter()
        .map(|stake| stake.principal)
        .find(|principal| *principal != soma(1_000));
    assert_eq!(commission, Some(Shannons(1_370_000_000)));
}

#[test]
fn d15_targets_of_the_first_epoch_come_from_the_same_budget_as_later_ones() {
    let setup = Setup::default()
        .with("target_initial_targets_per_epoch", 10_000)
        .models(3);
    let mut world = World::with(setup);
    for epoch in 0..2 {
        let before = world.chain.system();
        world.tick();
        let targets = world.chain.system().targets;
        assert_eq!(
            targets.drawn, 32,
            "epoch {epoch}: twice the goal of 16 hits"
        );
        assert_eq!(targets.reward_per_target.0, before.target_pot.0 / 32);
        world.end_epoch_with(Vec::new());
    }
}

#[test]
fn d12_a_node_stops_when_the_money_does_not_add_up() {
    let mut world = World::new();
    let mut wrong = world.supply();
    wrong.burned.0 += 1;
    let mut batch = soma_chain::Batch::default();
    let bytes = soma_types::codec::encode(&wrong);
    batch.put(Key::Supply.to_bytes(), bytes);
    world.store.apply(batch).expect("in memory");
    let stopped = world.apply(world.proposal(Vec::new())).unwrap_err();
    assert!(stopped.is_fatal(), "{stopped}");
    assert!(stopped.to_string().contains("supply"), "{stopped}");
    assert_eq!(world.chain.head().header.height, 0);
}

#[test]
fn d12_every_epoch_certifies_the_whole_supply() {
    let mut world = World::with_targets();
    for _ in 0..3 {
        let epoch = world.chain.system().epoch;
        world.end_epoch();
        let certificate = world.read().supply_certificate(epoch).expect("readable");
        let certificate = certificate.expect("kept");
        assert_eq!(certificate.supply.total(), Some(MAX_SUPPLY));
    }
    assert_eq!(
        world.read().recount_supply().expect("adds up"),
        world.supply()
    );
}

#[test]
fn d50_only_a_claimer_who_is_neither_submitter_nor_owner_gets_a_share() {
    let parameters = Parameters::v1();
    let shares = share_reward(Shannons(12_685_185), true, &parameters);
    assert_eq!(
        (shares.claimer.0, shares.model.0, shares.submitter.0),
        (63_425, 6_310_880, 6_310_880)
    );
    let shares = share_reward(Shannons(12_685_185), false, &parameters);
    // The shannon that cannot be halved is the submitter's.
    assert_eq!(
        (shares.claimer.0, shares.model.0, shares.submitter.0),
        (0, 6_342_592, 6_342_593)
    );

    for (claimer, bounty) in [(0, 0), (4, 0), (5, 171_250_000)] {
        let mut world = World::with_targets();
        let (target, submitter) = (world.open_targets()[0].clone(), world.users[4]);
        let owner = world.model(&target.models[0]).owner;
        let claimer = if claimer == 0 {
            owner
        } else {
            world.users[claimer]
        };
        world.fill(&submitter, &target, 1, 100);
        world.end_epochs(2);
        world.ok(
            &claimer,
            TransactionKind::ClaimRewards { target: target.id },
        );
        let soma_types::TargetStatus::Claimed { payout, .. } = world.target(&target.id).status
        else {
            panic!("claimed");
        };
        assert_eq!(payout.claimer_share.0, bounty);
        let parts = payout.claimer_share.0 + payout.model.0 + payout.submitter.0;
        assert_eq!(parts, 34_250_000_000);
    }
}

#[test]
fn an_early_forced_epoch_releases_the_share_of_the_time_that_passed() {
    for (elapsed_ms, released) in [
        (250_000, 342_500_000_000),
        (1, 1_370_000),
        (5_000_000, 1_370_000_000_000),
    ] {
        let mut world = World::with(Setup {
            full_emission: false,
            ..Setup::default()
        });
        let pool = world.chain.system().emission_pool.0;
        let mut proposal = world.proposal(Vec::new());
        proposal.time_ms = world.genesis.time_ms + elapsed_ms;
        proposal.end_epoch = true;
        world.apply(proposal).expect("a valid block");
        assert_eq!(world.chain.system().emission_pool.0, pool - released);
        let summary = world.read().epoch_summary(soma_types::Epoch(0));
        let summary = summary.expect("readable").expect("kept");
        assert_eq!(summary.released.0, released);
    }
}

#[test]
fn an_epoch_releases_by_its_own_length_when_a_new_version_changes_it() {
    let [mut old, mut newer] = [Parameters::v1(), Parameters::v1()];
    old.epoch_duration_ms = 1_000_000;
    newer.epoch_duration_ms = 2_000_000;
    let mut setup = Setup {
        full_emission: false,
        versions: vec![old, newer],
        ..Setup::default()
    };
    setup.parameters.remove("epoch_duration_ms");
    let mut world = World::with(setup);
    for validator in world.validators.clone() {
        let version = 2;
        world.ok(
            &validator,
            TransactionKind::AnnounceProtocolVersion { version },
        );
    }
    let pool = world.chain.system().emission_pool.0;
    let mut proposal = world.proposal(Vec::new());
    proposal.time_ms = world.genesis.time_ms + 1_000_000;
    world.apply(proposal).expect("a valid block");
    let system = world.chain.system();
    assert_eq!(system.protocol_version, 2);
    assert_eq!(system.emission_pool.0, pool - 1_370_000_000_000);
}
