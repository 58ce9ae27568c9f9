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
        let report = run(seed, Scenario::Survivable, keep).unwrap();
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
