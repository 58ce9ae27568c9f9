//! Many worlds.

use soma_sim::{Report, Scenario, Tally, run, run_many};

/// Seeds of every test run; `cargo xtask sim` runs more.
const SEEDS: u64 = 500;

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[test]
fn five_hundred_worlds_keep_all_rules() {
    let mut total = Tally::default();
    let mut broken: Vec<Report> = Vec::new();
    run_many(0..SEEDS, Scenario::Survivable, threads(), |report| {
        total += report.tally;
        if report.violation.is_some() {
            broken.push(report);
        }
    })
    .unwrap();
    assert_eq!(broken, [], "replay one with `cargo xtask sim --seed SEED`");
    // Each kind of fault was there, and each kind of work.
    assert!(total.blocks > SEEDS * 5, "{total:?}");
    assert!(total.epochs > SEEDS, "{total:?}");
    assert!(total.crashes > SEEDS, "{total:?}");
    assert!(total.partitions > SEEDS, "{total:?}");
    assert!(total.synced > SEEDS, "{total:?}");
    assert!(total.byzantine_acts > SEEDS, "{total:?}");
    assert!(total.evidence_named > SEEDS / 2, "{total:?}");
    assert!(total.forced > SEEDS, "{total:?}");
    assert!(total.bans > SEEDS / 4, "{total:?}");
}

#[test]
fn a_seed_gives_the_same_run_again() {
    for seed in [1, 2, 6, 7, 11] {
        let first = run(seed, Scenario::Survivable, true).unwrap();
        assert!(!first.digest.is_empty() && first.trace.len() > 100);
        assert_eq!(run(seed, Scenario::Survivable, true).unwrap(), first);
    }
    let digest = |seed| run(seed, Scenario::Survivable, false).unwrap().digest;
    assert_ne!(digest(1), digest(2));
}
