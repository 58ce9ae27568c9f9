//! Epochs end at the same block on all nodes.

use std::time::Duration;

use soma_test_cluster::{Arena, Ledger, Load, agreement};
use soma_types::Epoch;

use crate::program;

/// Length of an epoch.
const EPOCH_MS: u64 = 2_000;
/// Epochs that are waited for.
const EPOCHS: u64 = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn epochs_by_time_follow_each_other_and_end_at_the_same_block_on_all_nodes() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = Arena::settings(4, 3);
    settings.epoch_duration_ms = Some(EPOCH_MS);
    let mut arena = Arena::prepare(program(), folder.path(), &settings).unwrap();
    arena.start().await.unwrap();
    let ledger = Ledger::default();
    let clients = (0..3).map(|place| (arena.account(place, place), place));
    let load = Load::start(clients.collect(), &ledger);
    ledger.grows(5).await.unwrap();
    // One node misses an epoch's end, and learns of it afterwards.
    arena.kill(&[3]).await;
    let missed = Epoch(arena.status(0).await.unwrap().epoch.0 + 1);
    arena.reach_epoch(&[0, 1, 2], missed).await.unwrap();
    arena.start().await.unwrap();
    let goal = Epoch(missed.0 + EPOCHS);
    arena.reach_epoch(&[0, 1, 2, 3], goal).await.unwrap();
    ledger.grows(5).await.unwrap();
    load.end();
    assert_eq!(ledger.errors(), Vec::<String>::new());

    // What each node says of each epoch that is over.
    for epoch in 0..goal.0 {
        let first = arena.client(0).epoch(Epoch(epoch)).await.unwrap();
        let before = match epoch {
            0 => 0,
            _ => arena
                .client(0)
                .epoch(Epoch(epoch - 1))
                .await
                .unwrap()
                .last_height
                .unwrap(),
        };
        assert_eq!(first.first_height, before + 1, "epoch {epoch}");
        let lasted = first.end_ms.unwrap() - first.start_ms;
        assert!(lasted >= EPOCH_MS, "epoch {epoch} lasted {lasted} ms");
        for place in 1..4 {
            let other = arena.client(place).epoch(Epoch(epoch)).await.unwrap();
            assert_eq!(other, first, "epoch {epoch} on node {place}");
        }
    }
    let acknowledged = ledger.all();
    let highest = acknowledged.iter().map(|one| one.height).max().unwrap();
    arena.reach(&[0, 1, 2, 3], highest).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    arena.stop().await;
    let found = agreement(arena.cluster(), &acknowledged).unwrap();
    assert!(found.epoch >= goal, "{found:?}");
    // A validator that audits nothing says so.
    for node in arena.cluster().nodes() {
        let log = std::fs::read_to_string(node.log()).unwrap();
        assert!(log.contains("NO AUDIT"), "{log}");
    }
}
