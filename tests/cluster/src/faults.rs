//! Validators of four that go away and come back.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde::Serialize;
use soma_types::Height;

use crate::arena::{Arena, PATIENCE};
use crate::load::{Ledger, Load};

/// How long a network without a quorum is watched.
const HALTED: Duration = Duration::from_secs(3);

/// One validator was away.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct OneAway {
    /// Transfers that the others acknowledged meanwhile.
    pub acknowledged: usize,
    /// The longest that a client of the others waited for a receipt, in milliseconds.
    pub longest_wait_ms: u64,
    /// Milliseconds from the restart until the one had all blocks.
    pub back_ms: u64,
}

/// Half of the validators were away.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct HalfAway {
    /// Height at which the network stood.
    pub halted_at: Height,
    /// Milliseconds from the start of the processes until a transfer was final on all nodes.
    pub resumed_ms: u64,
}

/// Kills the validator at `away` for the time of `transfers` transfers through the others.
///
/// # Errors
/// A client of the others that gets an error, or nodes that differ.
pub async fn one_away(
    arena: &mut Arena,
    away: usize,
    transfers: usize,
    ledger: &Ledger,
) -> Result<OneAway> {
    let others: Vec<usize> = (0..arena.len()).filter(|place| *place != away).collect();
    let senders = others
        .iter()
        .map(|place| (arena.account(*place, *place), *place));
    let load = Load::start(senders.collect(), ledger);
    ledger.grows(transfers).await?;
    ledger.take_longest();
    arena.kill(&[away]).await;
    let before = ledger.len();
    ledger.grows(transfers).await?;
    let longest = ledger.take_longest();
    let acknowledged = ledger.len() - before;
    let since = Instant::now();
    arena.start().await?;
    let mut height = 0;
    for place in &others {
        height = height.max(arena.status(*place).await?.height);
    }
    arena.reach(&[away], height).await?;
    let back = since.elapsed();
    ledger.grows(transfers).await?;
    load.end();
    let errors = ledger.errors();
    ensure!(errors.is_empty(), "clients of the others got {errors:?}");
    Ok(OneAway {
        acknowledged,
        longest_wait_ms: ms(longest),
        back_ms: ms(back),
    })
}

/// Kills two validators of four under load, sees that nothing becomes final, and starts them again.
///
/// # Errors
/// A block without a quorum, a network that does not go on, or nodes that differ.
pub async fn half_away(arena: &mut Arena, away: [usize; 2], ledger: &Ledger) -> Result<HalfAway> {
    let here: Vec<usize> = (0..arena.len()).filter(|at| !away.contains(at)).collect();
    let everyone: Vec<usize> = (0..arena.len()).collect();
    let senders = here
        .iter()
        .map(|place| (arena.account(*place, *place), *place));
    let load = Load::start(senders.collect(), ledger);
    ledger.grows(20).await?;
    arena.kill(&away).await;
    let halted_at = settled(arena, &here).await?;
    tokio::time::sleep(HALTED).await;
    for place in &here {
        let height = arena.status(*place).await?.height;
        ensure!(
            height == halted_at,
            "node {place} went on to height {height} without a quorum"
        );
    }
    let since = Instant::now();
    arena.start().await?;
    arena.reach(&everyone, halted_at + 1).await?;
    let resumed = since.elapsed();
    for height in [halted_at, halted_at + 1] {
        let first = arena.digest(0, height).await?;
        for place in &everyone {
            let digest = arena.digest(*place, height).await?;
            ensure!(digest == first, "node {place} differs at height {height}");
        }
    }
    ledger.grows(20).await?;
    load.end();
    let errors = ledger.errors();
    ensure!(errors.is_empty(), "clients got {errors:?}");
    Ok(HalfAway {
        halted_at,
        resumed_ms: ms(resumed),
    })
}

/// The height at which the nodes at `places` stand: what was certified before may still travel.
async fn settled(arena: &Arena, places: &[usize]) -> Result<Height> {
    let since = Instant::now();
    let mut last = None;
    loop {
        let mut heights = Vec::new();
        for place in places {
            heights.push(arena.status(*place).await?.height);
        }
        let first = heights.first().copied().unwrap_or_default();
        if heights.iter().all(|height| *height == first) && last == Some(first) {
            return Ok(first);
        }
        ensure!(
            since.elapsed() < PATIENCE,
            "without a quorum the nodes do not come to rest, but are at {heights:?}"
        );
        last = heights.iter().max().copied();
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
