//! Runs: one, or many at once.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;

use crate::error::SimError;
use crate::plan::{Plan, Scenario};
use crate::report::{Report, Tally};
use crate::violation::Violation;
use crate::world::World;

/// Runs one seed. With `keeps_trace` the report has all lines of the trace.
///
/// # Errors
/// When the world cannot be made; see [`Report::violation`] for what is wrong with the network.
pub fn run(seed: u64, scenario: Scenario, keeps_trace: bool) -> Result<Report, SimError> {
    let world = World::new(Plan::new(seed, scenario), keeps_trace)?;
    let result = catch_unwind(AssertUnwindSafe(|| world.run()));
    Ok(result.unwrap_or_else(|panic| Report {
        seed,
        digest: String::new(),
        tally: Tally::default(),
        virtual_ms: 0,
        violation: Some(Violation::Panicked {
            reason: text_of(panic.as_ref()),
        }),
        trace: Vec::new(),
    }))
}

/// Runs `seeds` on `threads` threads, each run on one, and gives reports in order of their ends.
///
/// # Errors
/// When a world cannot be made, or a thread not be started.
pub fn run_many(
    seeds: Range<u64>,
    scenario: Scenario,
    threads: usize,
    mut on_report: impl FnMut(Report),
) -> Result<(), SimError> {
    let next = AtomicU64::new(seeds.start);
    let (sender, reports) = mpsc::channel();
    let work = |sender: mpsc::Sender<Result<Report, SimError>>| {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            // Nobody listens any more once a world could not be made.
            if seed >= seeds.end || sender.send(run(seed, scenario, false)).is_err() {
                return;
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            // Parallel parts of a run stay on its thread: they are small, and runs fill the machine.
            let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
            let pool = pool.map_err(SimError::setup)?;
            let (sender, work) = (sender.clone(), &work);
            scope.spawn(move || pool.install(|| work(sender)));
        }
        drop(sender);
        for report in reports {
            on_report(report?);
        }
        Ok(())
    })
}

fn text_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "no reason is known".to_owned())
}
