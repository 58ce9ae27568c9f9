//! The crash task for many validators: all killed at once at random moments under load, again and
//! again; then one of them, then so many that no quorum is left.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde::Serialize;
use soma_progress::Progress;
use soma_test_cluster::{
    Arena, CrashPlan, CrashReport, HalfAway, Ledger, OneAway, agreement, crash_all, half_away,
    one_away,
};
use tokio::runtime::Runtime;

/// The longest that validators run between two kills.
const LONGEST_RUN: Duration = Duration::from_millis(1_200);
/// Transfers that clients of the others make while one validator is away.
const TRANSFERS_AWAY: usize = 200;
/// The longest that a network may take to go on once its validators are started again.
const RESUME_LIMIT_MS: u64 = 5_000;

/// What all of it showed.
#[derive(Serialize)]
struct Outcome {
    validators: usize,
    all_killed: CrashReport,
    /// For four validators only: what counts as one and as half.
    one_killed: Option<OneAway>,
    half_killed: Option<HalfAway>,
    passed: bool,
}

/// Kills and checks.
pub(crate) fn run(validators: usize, kills: usize, json: bool) -> Result<()> {
    let program = crate::command::program("soma-node")?;
    let runtime = Runtime::new()?;
    let folder = tempfile::tempdir()?;
    let progress = Progress::new("kills", Some(kills as u64));
    let plan = CrashPlan {
        validators,
        kills,
        longest_run: LONGEST_RUN,
    };
    let crashes = folder.path().join("crashes");
    let crash = crash_all(program.clone(), &crashes, plan, || progress.add(1));
    let all_killed = runtime.block_on(crash)?;
    progress.finish();

    let (mut one_killed, mut half_killed) = (None, None);
    if validators == 4 {
        let settings = Arena::settings(validators, validators);
        let mut arena = Arena::prepare(program, &folder.path().join("faults"), &settings)?;
        runtime.block_on(async {
            arena.start().await?;
            let ledger = Ledger::default();
            one_killed = Some(one_away(&mut arena, 3, TRANSFERS_AWAY, &ledger).await?);
            half_killed = Some(half_away(&mut arena, [1, 2], &ledger).await?);
            let acknowledged = ledger.all();
            let highest = acknowledged.iter().map(|one| one.height).max();
            let everyone: Vec<usize> = (0..validators).collect();
            arena.reach(&everyone, highest.unwrap_or_default()).await?;
            arena.stop().await;
            agreement(arena.cluster(), &acknowledged)
        })?;
    }
    let slowest = half_killed.map_or(0, |half: HalfAway| half.resumed_ms);
    let slowest = slowest.max(all_killed.resume_median_ms);
    let outcome = Outcome {
        validators,
        all_killed,
        one_killed,
        half_killed,
        passed: slowest <= RESUME_LIMIT_MS,
    };
    match json {
        true => println!("{}", serde_json::to_string(&outcome)?),
        false => print(&outcome),
    }
    ensure!(
        outcome.passed,
        "the network took {slowest} ms to go on, more than {RESUME_LIMIT_MS}"
    );
    Ok(())
}

fn print(outcome: &Outcome) {
    let CrashReport {
        kills,
        acknowledged,
        answer_median_ms,
        answer_longest_ms,
        resume_median_ms,
        resume_longest_ms,
        agreement,
    } = &outcome.all_killed;
    let validators = outcome.validators;
    println!("all {validators} killed at once, {kills} times: nothing final is lost");
    println!(
        "  {acknowledged} acknowledged transfers on every node, {} blocks the same on all",
        agreement.common
    );
    println!("  all answer {answer_median_ms} ms after a start (longest {answer_longest_ms} ms)");
    println!(
        "  a transfer through each is final after {resume_median_ms} ms (longest \
         {resume_longest_ms} ms)"
    );
    if let Some(one) = &outcome.one_killed {
        println!(
            "one killed: {} transfers of the others' clients went on, none failed; the longest \
             took {} ms",
            one.acknowledged, one.longest_wait_ms
        );
        println!("  back with all blocks {} ms after its start", one.back_ms);
    }
    if let Some(half) = &outcome.half_killed {
        println!(
            "two killed: stood at height {}, went on {} ms after their start; all agree",
            half.halted_at, half.resumed_ms
        );
    }
}
