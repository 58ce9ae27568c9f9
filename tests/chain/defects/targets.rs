//! Targets: how they are drawn, how many, and how they end.

use std::collections::BTreeSet;

use soma_chain::{TargetFilter, TargetQuery};
use soma_crypto::{Domain, Hasher};
use soma_tests::scenes::DIM;
use soma_tests::world::{Setup, World};
use soma_types::{Digest, Epoch, Event, TargetId, TransactionKind};

/// Ids that the `count` draws of the block after `parent` get.
fn ids_after(parent: &Digest, count: u64) -> BTreeSet<TargetId> {
    let id = |index: u64| {
        let hasher = Hasher::new(Domain::TargetId).chain(parent);
        TargetId(hasher.chain(index.to_le_bytes()).finish())
    };
    (0..count).map(id).collect()
}

fn drawn(events: &[Event]) -> BTreeSet<TargetId> {
    let ids = events.iter().filter_map(|event| match event {
        Event::TargetDrawn { target } => Some(*target),
        _ => None,
    });
    ids.collect()
}

#[test]
fn d33_targets_are_drawn_by_a_block_hash_that_no_sender_knew() {
    let mut world = World::with(Setup::default().models(3));
    let genesis = world.chain.head().digest;
    let first = world.tick();
    assert_eq!(drawn(&first.events), ids_after(&genesis, 6));

    // A fill draws nothing itself; the next block draws by the hash of the block of the fill.
    let (user, target) = (world.users[4], world.open_targets()[0].clone());
    let sealed = world.submission(&user, &target, 1, 100);
    world.ok(&user, sealed.seal());
    let opening = world.sign(&user, sealed.open(), 0);
    let filling = world.block(vec![opening]);
    assert!(drawn(&filling.events).is_empty());
    assert_eq!(world.open_targets().len(), 5);
    let next = world.tick();
    let replacement = ids_after(&filling.digest, 1);
    assert_eq!(drawn(&next.events), replacement);

    let id = replacement.first().expect("one");
    let direction = world.read().target_embedding(id).expect("readable");
    let expected = soma_targets::draw_direction(&filling.digest, 0, DIM);
    assert_eq!(direction, Some(expected));
}

#[test]
fn d30_the_budget_pays_for_twice_the_hit_goal_and_more_hits_than_the_goal_are_seen() {
    let setup = Setup::default().with("target_hits_per_epoch", 4).models(3);
    let mut world = World::with(setup);
    world.tick();
    let user = world.users[4];
    for seed in 0..8 {
        let target = world.open_targets().first().cloned();
        let target = target.expect("twice the goal can be filled");
        world.fill(&user, &target, seed, 100);
    }
    world.tick();
    let targets = world.chain.system().targets;
    assert_eq!((targets.drawn, targets.hits), (8, 8));
    assert!(world.open_targets().is_empty(), "the budget is used up");

    let before = targets.difficulty.distance_threshold;
    world.end_epoch();
    let after = world.chain.system().targets.difficulty.distance_threshold;
    assert!(
        after < before,
        "twice the goal is too easy: {after} from {before}"
    );
}

#[test]
fn d31_an_epoch_without_hits_counts_and_makes_targets_easier() {
    let setup = Setup::default().with("target_initial_distance_threshold", 1 << 30);
    let mut world = World::with(setup.models(3));
    assert_eq!(world.chain.system().targets.difficulty.hits_average, None);
    let mut threshold = world.chain.system().targets.difficulty.distance_threshold;
    for _ in 0..4 {
        world.end_epoch();
        let difficulty = world.chain.system().targets.difficulty;
        assert_eq!(difficulty.hits_average, Some(0));
        assert!(difficulty.distance_threshold > threshold);
        threshold = difficulty.distance_threshold;
    }
}

#[test]
fn d31_epochs_without_targets_leave_the_difficulty_as_it_is() {
    let mut world = World::with(Setup::default());
    let before = world.chain.system().targets.difficulty;
    for _ in 0..4 {
        world.tick();
        world.end_epoch();
        assert_eq!(world.chain.system().targets.drawn, 0);
    }
    assert_eq!(world.chain.system().targets.difficulty, before);
}

#[test]
fn d32_a_step_of_difficulty_is_at_most_half_a_sigma() {
    let setup = Setup::default().with("target_initial_distance_threshold", 1 << 30);
    let mut world = World::with(setup.models(3));
    // σ = 1 / √8 = 0.3536.
    let most = (0.5 / 8f64.sqrt() * f64::from(1 << 30)) as u32 + 1;
    let threshold = |world: &World| world.chain.system().targets.difficulty.distance_threshold.0;
    for _ in 0..10 {
        let before = threshold(&world);
        world.end_epoch();
        let after = threshold(&world);
        assert!(after.abs_diff(before) <= most, "{before} to {after}");
        assert!(after <= 2 << 30);
    }
}

#[test]
fn d35_a_submission_writes_little_however_many_models_there_are() {
    let written = |models: u64| {
        let mut world = World::with(Setup::default().models(models));
        world.tick();
        let (user, target) = (world.users[7], world.open_targets()[0].clone());
        let sealed = world.submission(&user, &target, 1, 100);
        world.ok(&user, sealed.seal());
        let before = world.dump();
        world.ok(&user, sealed.open());
        let after = world.dump();
        let changed: Vec<_> = after
            .iter()
            .filter(|(key, value)| before.get(*key) != Some(value))
            .collect();
        let bytes: usize = changed
            .iter()
            .map(|(key, value)| key.len() + value.len())
            .sum();
        (changed.len(), bytes)
    };
    let few = written(3);
    assert_eq!(written(7), few);
    assert!(few.0 <= 9 && few.1 < 3_000, "{few:?}");
}

#[test]
fn d36_a_claimed_target_stays_readable_and_says_so() {
    let mut world = World::with_targets();
    let (user, target) = (world.users[4], world.open_targets()[0].clone());
    world.fill(&user, &target, 1, 100);
    world.end_epochs(2);
    let claim = TransactionKind::ClaimRewards { target: target.id };
    world.ok(&user, claim.clone());
    assert_eq!(world.target(&target.id).status.name(), "claimed");
    assert_eq!(world.fails(&user, claim.clone()), "TargetAlreadyClaimed");
    let filter = TargetFilter {
        status: Some(TargetQuery::Claimed),
        ..TargetFilter::default()
    };
    let page = world.read().targets(&filter, None, 100).expect("readable");
    let ids: Vec<_> = page.targets.iter().map(|found| found.id).collect();
    assert_eq!(ids, [target.id]);

    // Kept for three epochs here, and dropped with the first block after that.
    world.end_epochs(3);
    assert_eq!(world.target(&target.id).status.name(), "claimed");
    world.end_epoch();
    assert_eq!(world.fails(&user, claim), "TargetNotFound");
}

#[test]
fn d37_open_targets_expire_with_their_epoch_and_their_rewards_return_to_the_budget() {
    let mut world = World::with_targets();
    let open = world.open_targets();
    let supply = world.supply();
    assert_eq!(supply.target_rewards.0, 6 * 34_250_000_000);
    world.end_epoch_with(Vec::new());
    assert_eq!(world.supply().target_rewards.0, 0);
    let user = world.users[4];
    for target in &open {
        assert_eq!(world.target(&target.id).status.name(), "expired");
        let claim = TransactionKind::ClaimRewards { target: target.id };
        assert_eq!(world.fails(&user, claim), "TargetNotFilled");
    }
    let filter = TargetFilter {
        epoch: Some(Epoch(0)),
        status: Some(TargetQuery::Expired),
        submitter: None,
    };
    let page = world.read().targets(&filter, None, 100).expect("readable");
    assert_eq!(page.targets.len(), 6);
    // The rewards are in the pots of epoch 1: see `budget::d06`.
    assert_eq!(world.open_targets().len(), 6, "and new ones were drawn");
}

#[test]
fn targets_wait_until_a_model_is_active() {
    let mut world = World::new();
    world.tick();
    assert_eq!(world.chain.system().targets.pending_draws, 6);
    let owner = world.users[0];
    let model = world.create_model(&owner, soma_tests::scenes::soma(1), 0);
    let secrets =
        soma_tests::model_secrets::ModelSecrets::new(model, 1, soma_tests::world::axis(DIM, 0));
    world.commit_and_reveal(&owner, &secrets);
    assert!(world.open_targets().is_empty());
    world.tick();
    let open = world.open_targets();
    assert_eq!(open.len(), 6);
    assert!(open.iter().all(|target| *target.models == [model]));
}
