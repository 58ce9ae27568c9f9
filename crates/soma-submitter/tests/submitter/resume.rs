//! Ending anywhere, and going on.

use std::time::Duration;

use soma_submitter::{Control, Limits, Submitter, SubmitterEvent};
use soma_types::Epoch;

use crate::world::{ANYWHERE, SUBMITTER, World, run, run_until};

/// Something that is on disk when it is told.
fn is_kept(event: &SubmitterEvent) -> bool {
    matches!(
        event,
        SubmitterEvent::Step { .. } | SubmitterEvent::Signed { .. }
    )
}

#[tokio::test]
async fn a_submitter_that_ends_after_every_step_submits_and_claims_once() {
    let world = World::start(3, ANYWHERE).await;
    let source = world.files("texts", &[("a", b"a text that takes many lives")]);
    let mut config = world.config(&source, "state");
    config.limits.hits = Some(1);
    let mut lives = 0;
    while world.targets("filled").await.is_empty() {
        assert!(run_until(&world, SUBMITTER, config.clone(), is_kept).await);
        lives += 1;
    }
    // Prepared, uploaded, signed, committed, signed. The last life sends and is ended after it.
    assert_eq!(lives, 6);
    assert_eq!(world.executed(SUBMITTER).await, 2);

    world.advance().await;
    world.advance().await;
    config.limits = Limits {
        until_epoch: Some(Epoch(0)),
        ..Limits::default()
    };
    let mut lives = 0;
    while run_until(&world, SUBMITTER, config.clone(), is_kept).await {
        lives += 1;
    }
    // Claimable, signed, claimed.
    assert_eq!(lives, 3);
    assert_eq!(world.executed(SUBMITTER).await, 3);
    assert_eq!(world.targets("claimed").await.len(), 1);
}

#[tokio::test]
async fn a_submitter_that_is_dropped_at_any_time_fills_each_target_with_two_transactions() {
    let world = World::start(2, ANYWHERE).await;
    let source = world.files(
        "texts",
        &[("a", b"first"), ("b", b"second"), ("c", b"third")],
    );
    let mut lives = 0_u64;
    // At least ten fills, of as many lives as that takes.
    while world.targets("filled").await.len() < 10 {
        lives += 1;
        let config = world.config(&source, "state");
        let control = Control::default();
        let submitter = Submitter::open(world.account(SUBMITTER), config, control, |_| {});
        let mut submitter = submitter.await.unwrap();
        let life = Duration::from_millis(5 + 3 * lives);
        if let Ok(ended) = tokio::time::timeout(life, submitter.run()).await {
            panic!("nothing ends it but its death: {ended:?}");
        }
    }
    assert!(lives > 5, "{lives}");
    // The last life ends what the others began.
    let mut config = world.config(&source, "state");
    config.limits.hits = Some(1);
    let (stats, _) = run(&world, SUBMITTER, config).await;
    assert!(stats.filled >= 1);
    let filled = world.targets("filled").await.len() as u64;
    assert_eq!(world.executed(SUBMITTER).await, 2 * filled);
}

#[tokio::test]
async fn told_to_stop_it_opens_what_is_sealed_and_begins_nothing() {
    let world = World::start(2, ANYWHERE).await;
    let source = world.files("texts", &[("a", b"the last one")]);
    let mut config = world.config(&source, "state");
    config.in_flight = 1;
    let control = Control::default();
    let stop = control.clone();
    let observer = move |event: &SubmitterEvent| {
        if matches!(event, SubmitterEvent::Signed { .. }) {
            stop.stop();
        }
    };
    let submitter = Submitter::open(world.account(SUBMITTER), config, control, observer);
    let mut submitter = submitter.await.unwrap();
    let report = submitter.run().await.unwrap();
    assert_eq!(report.stats.filled, 1);
    assert_eq!(submitter.entries().count(), 1);
    assert_eq!(world.executed(SUBMITTER).await, 2);
}
