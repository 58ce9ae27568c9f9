//! Targets, data and models that others have a hand in.

use soma_submitter::journal::LostReason;
use soma_submitter::{Limits, SubmitterEvent};
use soma_types::Shannons;

use crate::world::{ANYWHERE, SUBMITTER, World, is_step, run, run_until};

fn reasons(events: &[SubmitterEvent]) -> Vec<LostReason> {
    let lost = events.iter().filter_map(|event| match event {
        SubmitterEvent::Step { lost, .. } => lost.clone(),
        _ => None,
    });
    lost.collect()
}

#[tokio::test]
async fn a_target_that_somebody_else_takes_is_lost_and_no_bond_is_spent() {
    let world = World::start(2, ANYWHERE).await;
    let slow = world.files("slow", &[("a", b"the slow text")]);
    let fast = world.files("fast", &[("a", b"the fast text")]);
    let mut config = world.config(&slow, "state");
    config.limits.hits = Some(1);
    let is_sealed = |event: &SubmitterEvent| is_step(event, "committed");
    assert!(run_until(&world, SUBMITTER, config.clone(), is_sealed).await);
    let before = world.account(SUBMITTER).balance().await.unwrap();

    let open = world.targets("open").await;
    for target in open.iter().map(|target| target.id) {
        let mut config = world.config(&fast, "fast state");
        config.limits = Limits {
            hits: Some(1),
            target: Some(target),
            ..Limits::default()
        };
        run(&world, 2, config).await;
    }
    config.limits = Limits {
        until_epoch: Some(soma_types::Epoch(0)),
        ..Limits::default()
    };
    let (stats, told) = run(&world, SUBMITTER, config).await;
    assert_eq!(reasons(&told.all()), [LostReason::Taken]);
    assert_eq!((stats.lost_races, stats.bonds_out), (1, Shannons::ZERO));
    assert_eq!(world.account(SUBMITTER).balance().await.unwrap(), before);
    assert_eq!(world.executed(SUBMITTER).await, 1);
}

#[tokio::test]
async fn data_that_somebody_else_opens_first_is_lost_and_never_tried_again() {
    let world = World::start(2, ANYWHERE).await;
    let source = world.files("texts", &[("a", b"everybody has this")]);
    let open = world.targets("open").await;
    let for_target = |place: usize, state: &str| {
        let mut config = world.config(&source, state);
        config.limits.hits = Some(1);
        config.limits.target = Some(open[place].id);
        config
    };
    let before = world.account(SUBMITTER).balance().await.unwrap();
    let is_sealed = |event: &SubmitterEvent| is_step(event, "committed");
    assert!(run_until(&world, SUBMITTER, for_target(0, "state"), is_sealed).await);
    run(&world, 2, for_target(1, "other state")).await;

    let mut config = world.config(&source, "state");
    config.limits = Limits {
        until_epoch: Some(soma_types::Epoch(0)),
        ..Limits::default()
    };
    let (stats, told) = run(&world, SUBMITTER, config.clone()).await;
    assert_eq!(reasons(&told.all()), [LostReason::DuplicateData]);
    assert_eq!((stats.filled, stats.lost), (0, 1));
    assert_eq!(world.executed(SUBMITTER).await, 2);
    // Fees are gone, the bond is not: 18 bytes would be 1,170 shannons more.
    let after = world.account(SUBMITTER).balance().await.unwrap();
    assert_eq!(before.0 - after.0, (1_000 + 600) + 1_000);

    config.limits = Limits {
        once: true,
        ..Limits::default()
    };
    let (stats, _) = run(&world, SUBMITTER, config).await;
    assert_eq!((stats.scanned, stats.skipped), (0, 1));
    assert_eq!(world.executed(SUBMITTER).await, 2);
}

#[tokio::test]
async fn a_commitment_that_lapsed_is_made_again() {
    for opening_is_signed in [false, true] {
        let world = World::with(2, ANYWHERE, |config| {
            let name = "submission_commitment_blocks".to_owned();
            config.node.parameters.insert(name, 10);
        })
        .await;
        let source = world.files("texts", &[("a", b"a text for later")]);
        let mut config = world.config(&source, "state");
        config.limits.hits = Some(1);
        let is_there = move |event: &SubmitterEvent| match opening_is_signed {
            false => is_step(event, "committed"),
            true => {
                matches!(event, SubmitterEvent::Signed { state, .. } if state == "committed")
            }
        };
        assert!(run_until(&world, SUBMITTER, config.clone(), is_there).await);
        let other = world.account(2);
        for _ in 0..12 {
            other.transfer(other.address(), Shannons(1)).await.unwrap();
        }
        let (stats, told) = run(&world, SUBMITTER, config).await;
        assert!(told.any(|event| matches!(event, SubmitterEvent::Lapsed { .. })));
        assert_eq!(
            told.states(),
            ["prepared", "uploaded", "committed", "opened"]
        );
        assert_eq!(stats.filled, 1);
        // An opening that was signed may have been sent, so it is sent again, and fails.
        let executed = 3 + u64::from(opening_is_signed);
        assert_eq!(world.executed(SUBMITTER).await, executed);
    }
}

#[tokio::test]
async fn what_was_scored_with_other_weights_is_not_submitted() {
    let world = World::start(1, ANYWHERE).await;
    let mut update = world.publish(77, Some(world.models[0])).await;
    world.advance().await;
    let source = world.files("texts", &[("a", b"scored too early")]);
    let mut config = world.config(&source, "state");
    config.limits.hits = Some(1);
    let is_sealed = |event: &SubmitterEvent| is_step(event, "committed");
    assert!(run_until(&world, SUBMITTER, config.clone(), is_sealed).await);
    // The model has new weights in the middle of the epoch.
    update.run(&|_| {}).await.unwrap();
    let (stats, told) = run(&world, SUBMITTER, config).await;
    assert_eq!(reasons(&told.all()), [LostReason::ModelsChanged]);
    // It is scored again, and then it is true.
    assert_eq!((stats.filled, stats.scanned), (1, 1));
    let filled = world.targets("filled").await;
    let fill = filled[0].fill.clone().unwrap();
    let weights = world.client.model(&world.models[0], false).await.unwrap();
    let request = soma_sdk::api::ScoreRequest {
        data: soma_sdk::api::DataSource::Url(fill.data),
        models: vec![(&weights.weights.unwrap()).into()],
        target_embedding: None,
        seed: 0,
    };
    let score = world.client.score(&request).await.unwrap();
    assert_eq!(score.models[0].loss_fixed, Some(fill.loss_fixed));
}
