//! All validators killed at once, again and again, under load.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rand_core::{OsRng, RngCore};
use serde::Serialize;

use crate::agreement::{Agreement, agreement};
use crate::arena::{Arena, PATIENCE};
use crate::load::{Ledger, Load};

/// Senders at each validator.
const SENDERS: usize = 2;
/// Acknowledged transfers looked up on every node after each restart, the newest first.
const CHECKED_PER_RESTART: usize = 40;

/// How to kill.
#[derive(Clone, Copy, Debug)]
pub struct CrashPlan {
    /// Validators.
    pub validators: usize,
    /// Kills of all of them at once.
    pub kills: usize,
    /// The longest that they run between the first transfer after a restart and the next kill.
    pub longest_run: Duration,
}

/// What came of it.
#[derive(Clone, Debug, Serialize)]
pub struct CrashReport {
    /// Kills of all validators.
    pub kills: usize,
    /// Transfers that were acknowledged; all of them are there.
    pub acknowledged: usize,
    /// Milliseconds from a restart until all nodes answered: the median.
    pub answer_median_ms: u64,
    /// The longest of them.
    pub answer_longest_ms: u64,
    /// Milliseconds from a restart until a transfer through each node was final: the median.
    pub resume_median_ms: u64,
    /// The longest of them.
    pub resume_longest_ms: u64,
    /// What the nodes' disks have in common.
    pub agreement: Agreement,
}

/// Kills all validators of a network in `folder` at random moments. `killed` hears of each kill.
///
/// # Errors
/// A node that does not start, a network that does not go on, or what is lost.
pub async fn crash_all(
    program: PathBuf,
    folder: &Path,
    plan: CrashPlan,
    mut killed: impl FnMut(),
) -> Result<CrashReport> {
    let settings = Arena::settings(plan.validators, plan.validators * SENDERS);
    let mut arena = Arena::prepare(program, folder, &settings)?;
    let everyone: Vec<usize> = (0..plan.validators).collect();
    let ledger = Ledger::default();
    let (mut answers, mut resumes) = (Vec::new(), Vec::new());
    for kill in 0..=plan.kills {
        let since = Instant::now();
        let answer = arena.start().await?;
        check(&arena, &ledger).await?;
        let senders = (0..plan.validators * SENDERS).map(|number| {
            let place = number % plan.validators;
            (arena.account(number, place), place)
        });
        let known = ledger.len();
        let load = Load::start(senders.collect(), &ledger);
        // Now and then the next kill comes before the network has found together again.
        let is_early = kill % 4 == 3 && kill < plan.kills;
        if !is_early {
            for place in &everyone {
                acknowledged_by(*place, known, &ledger).await?;
            }
        }
        if kill > 0 {
            answers.push(answer);
            if !is_early {
                resumes.push(since.elapsed());
            }
        }
        if kill == plan.kills {
            load.end();
            break;
        }
        let longest = u64::try_from(plan.longest_run.as_millis())?.max(1);
        let run = Duration::from_millis(OsRng.next_u64() % longest);
        tokio::time::sleep(run).await;
        arena.kill(&everyone).await;
        load.end();
        killed();
    }
    let acknowledged = ledger.all();
    let highest = acknowledged.iter().map(|one| one.height).max();
    arena.reach(&everyone, highest.unwrap_or_default()).await?;
    arena.stop().await;
    ensure!(
        acknowledged.len() > plan.kills,
        "only {} transfers were acknowledged",
        acknowledged.len()
    );
    let agreement = agreement(arena.cluster(), &acknowledged)?;
    Ok(CrashReport {
        kills: plan.kills,
        acknowledged: acknowledged.len(),
        answer_median_ms: median_ms(&mut answers),
        answer_longest_ms: longest_ms(&answers),
        resume_median_ms: median_ms(&mut resumes),
        resume_longest_ms: longest_ms(&resumes),
        agreement,
    })
}

/// What nodes acknowledged is there: at once on the node that did, soon on all.
async fn check(arena: &Arena, ledger: &Ledger) -> Result<()> {
    for place in 0..arena.len() {
        let (had, has) = (ledger.height_of(place), arena.status(place).await?.height);
        ensure!(
            has >= had,
            "node {place} acknowledged height {had} and came back with {has}"
        );
    }
    for one in ledger.newest(CHECKED_PER_RESTART) {
        let found = arena.client(one.place).transaction(&one.digest).await;
        let found = found.with_context(|| {
            format!(
                "node {} has lost {}, which it acknowledged",
                one.place, one.digest
            )
        })?;
        let receipt = found.receipt.with_context(|| {
            format!("node {} has lost the receipt of {}", one.place, one.digest)
        })?;
        ensure!(receipt.height == one.height, "{} has moved", one.digest);
    }
    Ok(())
}

/// Waits until a transfer through the node at `place` is acknowledged after the first `known`.
async fn acknowledged_by(place: usize, known: usize, ledger: &Ledger) -> Result<()> {
    let since = Instant::now();
    loop {
        let new = ledger.len().saturating_sub(known);
        if ledger.newest(new).iter().any(|one| one.place == place) {
            return Ok(());
        }
        if since.elapsed() > PATIENCE {
            let errors = ledger.errors();
            bail!("after a restart no transfer through node {place} is final: {errors:?}");
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn longest_ms(times: &[Duration]) -> u64 {
    let longest = times.iter().max().copied().unwrap_or_default();
    u64::try_from(longest.as_millis()).unwrap_or(u64::MAX)
}

fn median_ms(times: &mut [Duration]) -> u64 {
    times.sort();
    let median = times.get(times.len() / 2).copied().unwrap_or_default();
    u64::try_from(median.as_millis()).unwrap_or(u64::MAX)
}
