//! Submissions: sealed first, checked in a fixed order, paid for.

use soma_tests::model_secrets::{ModelSecrets, Sealed};
use soma_tests::scenes::DIM;
use soma_tests::world::{Setup, World, axis};
use soma_types::{Checksum, Loss, ModelId, RawEmbedding, Salt, Shannons, TargetId};

#[test]
fn d33_a_seal_opens_in_a_later_block_only() {
    let mut world = World::with_targets();
    let (user, target) = (world.users[4], world.open_targets()[0].clone());
    let sealed = world.submission(&user, &target, 1, 100);
    assert_eq!(world.fails(&user, sealed.open()), "SubmissionNotCommitted");
    let both = vec![
        world.sign(&user, sealed.seal(), 0),
        world.sign(&user, sealed.open(), 1),
    ];
    let block = world.block(both);
    assert!(block.receipts[0].status.is_success());
    assert!(!block.receipts[1].status.is_success());
    assert_eq!(world.fails(&user, sealed.seal()), "DuplicateCommitment");
    world.ok(&user, sealed.open());
}

#[test]
fn d33_a_seal_lapses_after_100_blocks() {
    for (blocks_between, opens) in [(99, true), (100, false)] {
        let mut world = World::with_targets();
        let (user, target) = (world.users[4], world.open_targets()[0].clone());
        let sealed = world.submission(&user, &target, 1, 100);
        world.ok(&user, sealed.seal());
        let entries = world.dump().len();
        for _ in 0..blocks_between {
            world.tick();
        }
        let receipt = world.run(&user, sealed.open());
        assert_eq!(
            receipt.status.is_success(),
            opens,
            "{blocks_between} blocks"
        );
        if !opens {
            assert_eq!(world.dump().len(), entries - 2, "the seal is gone");
        }
    }
}

#[test]
fn weights_that_a_model_reveals_after_the_seal_are_not_held_against_it() {
    let mut world = World::with_targets();
    let owner = world.users[0];
    let model = world.model_of(&owner);
    let update = ModelSecrets::new(model, 77, axis(DIM, 3));
    world.ok(&owner, update.commit());
    world.end_epoch();
    world.tick();

    // Three models: each target has all of them.
    let target = world.open_targets()[0].clone();
    let user = world.users[4];
    let early = world.submission(&user, &target, 1, 100);
    world.ok(&user, early.seal());
    world.ok(&owner, update.reveal());
    assert_eq!(world.fails(&user, early.open()), "ModelWeightsChanged");
    assert_eq!(world.supply().submission_bonds, Shannons::ZERO);
    // Sealed after the reveal, it is by the new weights.
    let late = world.submission(&user, &target, 2, 100);
    world.ok(&user, late.seal());
    world.ok(&user, late.open());
}

#[test]
fn d33_a_copied_opening_of_another_sender_fails() {
    let mut world = World::with_targets();
    let (user, copyist, target) = (
        world.users[4],
        world.users[5],
        world.open_targets()[0].clone(),
    );
    let sealed = world.submission(&user, &target, 1, 100);
    // The copyist sees the opening in the pool, seals the same for itself and opens first.
    let own = Sealed {
        submitter: copyist,
        ..sealed.clone()
    };
    world.ok(&user, sealed.seal());
    let block = vec![
        world.sign(&copyist, own.seal(), 0),
        world.sign(&copyist, own.open(), 1),
        world.sign(&user, sealed.open(), 0),
    ];
    let block = world.block(block);
    let ends: Vec<bool> = block
        .receipts
        .iter()
        .map(|r| r.status.is_success())
        .collect();
    assert_eq!(ends, [true, false, true]);
    assert_eq!(
        world.target(&target.id).fill().expect("filled").submitter,
        user
    );
    assert_eq!(world.fails(&copyist, own.open()), "TargetNotOpen");
}

#[test]
fn one_submitter_may_use_data_for_several_targets_of_one_epoch_and_nobody_else_ever_again() {
    let mut world = World::with_targets();
    let (user, other) = (world.users[4], world.users[5]);
    let open = world.open_targets();
    world.fill(&user, &open[0], 1, 100);
    world.fill(&user, &open[1], 1, 100);
    let copy = world.submission(&other, &open[2], 1, 100);
    world.ok(&other, copy.seal());
    assert_eq!(world.fails(&other, copy.open()), "DuplicateData");
    world.end_epoch();
    let later = world.open_targets()[0].clone();
    for sender in [user, other] {
        let copy = world.submission(&sender, &later, 1, 100);
        world.ok(&sender, copy.seal());
        assert_eq!(world.fails(&sender, copy.open()), "DuplicateData");
    }
    world.fill(&user, &later, 2, 100);
}

/// Makes all that can be wrong with a submission wrong, from fault number `from` on.
fn faulty(mut sealed: Sealed, good: &Sealed, from: usize) -> Sealed {
    let submission = &mut sealed.submission;
    submission.salt = Salt([from as u8; 32]);
    submission.model = match from {
        0..=3 => ModelId([7; 32]),
        _ => good.submission.model,
    };
    let opposite: Vec<i32> = (good.submission.embedding.check().expect("a direction"))
        .as_fixed()
        .iter()
        .map(|component| -component)
        .collect();
    let components = match from {
        0..=4 => vec![0; DIM - 1],
        5 => vec![0; DIM],
        6 | 7 => opposite,
        _ => Vec::new(),
    };
    submission.embedding = match components.is_empty() {
        true => good.submission.embedding.clone(),
        false => RawEmbedding::new(components).expect("few"),
    };
    submission.loss = if from <= 6 { Loss(u64::MAX) } else { Loss(1) };
    submission.data.size = match from {
        0..=8 => 1_048_577,
        9 => 0,
        _ => 1_048_576,
    };
    let seed = if from <= 10 { 200 } else { 201 };
    submission.data.checksum = Checksum([seed; 32]);
    sealed
}

#[test]
fn the_checks_of_a_submission_come_in_their_order() {
    let setup = Setup::default().with("target_initial_distance_threshold", 1 << 30);
    let mut world = World::with(setup.models(3));
    world.tick();
    let (user, other) = (world.users[4], world.users[5]);
    world.end_epoch();
    let filter = soma_chain::TargetFilter::default();
    let all = world
        .read()
        .targets(&filter, None, 100)
        .expect("readable")
        .targets;
    let expired = all
        .iter()
        .find(|target| target.epoch.0 == 0)
        .expect("swept")
        .id;
    let open = world.open_targets();
    world.fill(&other, &open[0], 200, 100);
    world.drain(&user, Shannons(60_000));
    let target = open[1].clone();
    let good = world.submission(&user, &target, 1, 100);

    let names = [
        "TargetNotFound",
        "TargetNotOpen",
        "TargetExpired",
        "ModelNotInTarget",
        "EmbeddingDimensionMismatch",
        "InvalidEmbedding",
        "InvalidLoss",
        "DistanceExceedsThreshold",
        "DataExceedsMaxSize",
        "EmptyData",
        "DuplicateData",
        "InsufficientBond",
    ];
    for (from, name) in names.into_iter().enumerate() {
        let mut sealed = faulty(good.clone(), &good, from);
        match from {
            0 => sealed.submission.target = TargetId([7; 32]),
            1 => sealed.submission.target = open[0].id,
            2 => sealed.submission.target = expired,
            _ => {
                assert_eq!(world.fails(&user, sealed.open()), "SubmissionNotCommitted");
                world.ok(&user, sealed.seal());
            }
        }
        assert_eq!(world.fails(&user, sealed.open()), name);
    }
    let mut right = good;
    right.submission.data.size = 100;
    world.ok(&user, right.seal());
    world.ok(&user, right.open());
}
