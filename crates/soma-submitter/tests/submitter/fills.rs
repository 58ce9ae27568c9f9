//! Filling targets and claiming.

use std::collections::BTreeSet;

use soma_submitter::{Limits, SubmitterEvent};
use soma_types::{Distance, Epoch, Shannons};

use crate::world::{ANYWHERE, SUBMITTER, World, run};

#[tokio::test]
async fn a_target_is_filled_and_its_reward_claimed_two_epochs_later() {
    let world = World::start(3, ANYWHERE).await;
    let source = world.files("texts", &[("a", b"some text that a model can read")]);
    let mut config = world.config(&source, "state");
    config.limits.hits = Some(1);
    let account = world.account(SUBMITTER);
    let before = account.balance().await.unwrap();
    let (stats, told) = run(&world, SUBMITTER, config.clone()).await;
    // The target drawn in place of the filled one may be hit before the run ends.
    assert!(
        stats.filled == 1 && (5..=6).contains(&stats.hits),
        "{stats:?}"
    );
    let bond = Shannons(31 * 65);
    assert_eq!(stats.bonds_out, bond);
    assert_eq!(
        told.states(),
        ["prepared", "uploaded", "committed", "opened"]
    );
    let filled = world.targets("filled").await;
    let fill = filled[0].fill.clone().unwrap();
    assert_eq!((filled.len(), fill.submitter), (1, account.address()));

    // What it claims is what anybody would score.
    let view = world.client.target(&filled[0].id, true).await.unwrap();
    assert_eq!(view.models.len(), 3);
    let mut losses = Vec::new();
    for model in &view.models {
        let weights = world.client.model(model, false).await.unwrap().weights;
        let request = soma_sdk::api::ScoreRequest {
            data: soma_sdk::api::DataSource::Url(fill.data.clone()),
            models: vec![(&weights.unwrap()).into()],
            target_embedding: view.embedding.clone(),
            seed: 0,
        };
        let score = world.client.score(&request).await.unwrap().models.remove(0);
        losses.push((
            score.loss_fixed.unwrap(),
            *model,
            score.distance_fixed.unwrap(),
        ));
    }
    losses.sort();
    let (loss, model, distance) = losses[0];
    assert_eq!((fill.loss_fixed, fill.winning_model), (loss, model));
    assert!(fill.distance_fixed.abs_diff(distance) < 64);
    assert!(Distance(fill.distance_fixed) <= Distance(view.distance_threshold_fixed));

    world.advance().await;
    world.advance().await;
    config.limits = Limits {
        until_epoch: Some(Epoch(0)),
        ..Limits::default()
    };
    let (stats, told) = run(&world, SUBMITTER, config).await;
    assert_eq!(told.states(), ["claimable", "claimed"]);
    assert_eq!((stats.claimed, stats.bonds_out), (1, Shannons::ZERO));
    let claimed = world.targets("claimed").await;
    let payout = claimed[0].payout.unwrap();
    assert_eq!(stats.rewards, payout.submitter);
    let after = account.balance().await.unwrap();
    let fees = before.0 + payout.submitter.0 - after.0;
    assert!(fees > 0 && fees < payout.submitter.0, "{fees}");
}

#[tokio::test]
async fn one_candidate_fills_several_targets_and_those_drawn_after_them() {
    let world = World::start(3, ANYWHERE).await;
    let source = world.files("texts", &[("a", b"one text"), ("copy", b"one text")]);
    let mut config = world.config(&source, "state");
    // Five are open; what follows is drawn after fills, and needs no scoring.
    config.limits.hits = Some(12);
    let (stats, told) = run(&world, SUBMITTER, config).await;
    assert_eq!(stats.filled, 12);
    assert_eq!((stats.scanned, stats.skipped), (1, 1));
    let filled = world.targets("filled").await;
    let data: BTreeSet<_> = filled
        .iter()
        .map(|target| target.fill.as_ref().unwrap().data.checksum)
        .collect();
    assert_eq!((filled.len(), data.len()), (12, 1));
    // Sealing and opening, nothing else.
    assert_eq!(world.executed(SUBMITTER).await, 24);
    let uploads = told.states().iter().filter(|s| *s == "uploaded").count();
    assert_eq!(uploads, 12);
}

#[tokio::test]
async fn data_that_was_submitted_is_skipped_in_later_epochs_also_after_a_restart() {
    let world = World::start(2, ANYWHERE).await;
    let source = world.files("texts", &[("a", b"used once")]);
    let mut config = world.config(&source, "state");
    config.limits.hits = Some(1);
    run(&world, SUBMITTER, config.clone()).await;
    world.advance().await;
    config.limits = Limits {
        once: true,
        ..Limits::default()
    };
    let (stats, told) = run(&world, SUBMITTER, config.clone()).await;
    assert_eq!((stats.scanned, stats.skipped, stats.filled), (0, 1, 0));
    assert!(told.states().is_empty());

    // Also when it is claimed and gone from the journal.
    world.advance().await;
    run(&world, SUBMITTER, config.clone()).await;
    world.files("texts", &[("b", b"fresh")]);
    let (stats, _) = run(&world, SUBMITTER, config).await;
    assert_eq!((stats.scanned, stats.skipped), (1, 1));
    assert_eq!(stats.filled, 5);
}

#[tokio::test]
async fn a_running_submitter_follows_the_epochs_and_claims() {
    let world = World::start(2, ANYWHERE).await;
    let source = world.files("texts", &[("a", b"first"), ("b", b"second")]);
    let start = world.client.status().await.unwrap().epoch;
    let mut config = world.config(&source, "state");
    config.in_flight = 1;
    config.limits.until_epoch = Some(start.plus(3));
    let client = world.client.clone();
    let epochs = tokio::spawn(async move {
        for _ in 0..3 {
            while client.system().await.unwrap().hits < 3 {
                let status = client.status().await.unwrap();
                // All candidates are spent after the first epoch.
                if status.epoch > start {
                    break;
                }
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
            client.advance_epoch().await.unwrap();
        }
    });
    let (stats, told) = run(&world, SUBMITTER, config).await;
    epochs.await.unwrap();
    assert!(stats.filled >= 3);
    assert_eq!(stats.claimed, stats.filled);
    assert_eq!(stats.bonds_out, Shannons::ZERO);
    let epochs = told.all().into_iter().filter_map(|event| match event {
        SubmitterEvent::Epoch { epoch, .. } => Some(epoch),
        _ => None,
    });
    let epochs: Vec<Epoch> = epochs.collect();
    assert_eq!(epochs.first(), Some(&start));
    assert_eq!(epochs.last(), Some(&start.plus(3)));
    assert!(world.targets("filled").await.is_empty());
}

#[tokio::test]
async fn what_was_filled_without_the_journal_is_claimed_too() {
    let world = World::start(2, ANYWHERE).await;
    let source = world.files("texts", &[("a", b"from another machine")]);
    let mut config = world.config(&source, "state");
    config.limits.hits = Some(1);
    run(&world, SUBMITTER, config.clone()).await;
    world.advance().await;
    world.advance().await;
    let mut other = world.config(&source, "other state");
    other.limits.until_epoch = Some(Epoch(0));
    let (stats, told) = run(&world, SUBMITTER, other).await;
    assert!(told.any(|event| matches!(event, SubmitterEvent::ClaimedOther { .. })));
    let claimed = world.targets("claimed").await;
    assert_eq!(stats.rewards, claimed[0].payout.unwrap().submitter);

    // The first journal sees that it is paid.
    config.limits = Limits {
        until_epoch: Some(Epoch(0)),
        ..Limits::default()
    };
    let nonce = world.executed(SUBMITTER).await;
    let (again, told) = run(&world, SUBMITTER, config).await;
    assert_eq!(told.states(), ["claimed"]);
    assert_eq!(again.rewards, stats.rewards);
    assert_eq!(world.executed(SUBMITTER).await, nonce);
}
