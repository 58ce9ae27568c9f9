//! Many worlds.

use soma_sim::{Scenario, run};

#[test]
fn quick_look() {
    let count: u64 = std::env::var("SEEDS").map_or(20, |n| n.parse().unwrap());
    let first: u64 = std::env::var("SEED").map_or(0, |n| n.parse().unwrap());
    let begin = std::time::Instant::now();
    let mut total = soma_sim::Tally::default();
    for seed in first..first + count {
        let begin = std::time::Instant::now();
        let keep = std::env::var("TRACE").is_ok();
        let scenario = match std::env::var("SCENARIO").as_deref() {
            Ok("lying") => Scenario::LyingDisks,
            Ok("majority") => Scenario::ByzantineMajority,
            _ => Scenario::Survivable,
        };
        let report = run(seed, scenario, keep).unwrap();
        println!("{}", report.digest);
        total += report.tally;
        println!(
            "{seed} {:?} {} ms virtual {:?}",
            begin.elapsed(),
            report.virtual_ms,
            report.tally
        );
        if let Some(violation) = &report.violation {
            println!("   BROKEN {violation}");
        }
        for line in report.trace {
            println!("{line}");
        }
    }
    println!("{:?} {total:?}", begin.elapsed());
}
