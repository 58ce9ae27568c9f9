//! Validators that are killed under load.

use std::time::Duration;

use soma_test_cluster::{Arena, CrashPlan, Ledger, agreement, crash_all, half_away, one_away};

use crate::program;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_four_are_killed_at_once_again_and_again_and_nothing_final_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let plan = CrashPlan {
        validators: 4,
        kills: 4,
        longest_run: Duration::from_millis(800),
    };
    let report = crash_all(program(), folder.path(), plan, || {})
        .await
        .unwrap();
    assert!(report.acknowledged >= 4, "{report:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_four_may_die_and_half_of_them_stop_the_network_until_they_are_back() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Arena::settings(4, 4);
    let mut arena = Arena::prepare(program(), folder.path(), &settings).unwrap();
    arena.start().await.unwrap();
    let ledger = Ledger::default();
    let one = one_away(&mut arena, 3, 20, &ledger).await.unwrap();
    assert!(one.acknowledged >= 20, "{one:?}");
    let half = half_away(&mut arena, [1, 2], &ledger).await.unwrap();
    // 5 s on a machine of its own; this one has other tests to run.
    assert!(half.resumed_ms < 60_000, "{half:?}");
    let everyone: Vec<usize> = (0..4).collect();
    let highest = ledger.all().iter().map(|one| one.height).max().unwrap();
    arena.reach(&everyone, highest).await.unwrap();
    arena.stop().await;
    let found = agreement(arena.cluster(), &ledger.all()).unwrap();
    assert!(found.common >= highest, "{found:?}");
}
