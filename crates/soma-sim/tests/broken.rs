//! Worlds in which no network can be safe: the checker must see it.

use soma_sim::{Report, Scenario, Violation, run_many};

const SEEDS: u64 = 12;

fn violations(scenario: Scenario) -> Vec<Violation> {
    let mut found = Vec::new();
    run_many(0..SEEDS, scenario, 2, |report: Report| {
        found.extend(report.violation);
    })
    .unwrap();
    found
}

#[test]
fn disks_that_lose_synced_writes_are_seen() {
    let found = violations(Scenario::LyingDisks);
    let lost = |one: &Violation| matches!(one, Violation::LostBlock { .. });
    assert!(found.iter().any(lost), "{found:?}");
    assert!(found.len() as u64 > SEEDS / 2, "{found:?}");
}

#[test]
fn a_byzantine_majority_forks_and_is_seen() {
    let found = violations(Scenario::ByzantineMajority);
    let forks = found
        .iter()
        .filter(|one| matches!(one, Violation::Fork { .. }));
    assert!(forks.count() as u64 > SEEDS / 2, "{found:?}");
}
