//! The engine of a network with one validator: every block that it makes is final.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::worker::Worker;
use super::{Consensus, Plan, Situation, plan};
use crate::application::{Application, ProduceError, wall_clock_ms};

/// When a lone sequencer makes blocks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProducerConfig {
    /// The least time between two blocks in milliseconds. Default 20.
    pub min_block_interval_ms: u64,
    /// Time without a block after which an empty one is made, so that the chain's clock and its
    /// expiry heights move, in milliseconds. Default 10,000.
    pub idle_block_interval_ms: u64,
}

impl Default for ProducerConfig {
    fn default() -> Self {
        Self {
            min_block_interval_ms: 20,
            idle_block_interval_ms: 10_000,
        }
    }
}

/// Makes all blocks alone.
#[derive(Clone, Debug, Default)]
pub struct LoneSequencer {
    config: ProducerConfig,
}

impl LoneSequencer {
    /// A sequencer that follows `config`.
    pub fn new(config: ProducerConfig) -> Self {
        Self { config }
    }
}

/// What the sequencer remembers between blocks.
struct Memory {
    last_block: Instant,
    /// Draws were pending after a block that was made for them alone: only change helps.
    draws_stuck: bool,
    /// The mempool had nothing that fits: only an arrival or a block helps.
    starved: bool,
}

impl Consensus for LoneSequencer {
    async fn run(
        self,
        application: Arc<Application>,
        stop: CancellationToken,
    ) -> Result<(), ProduceError> {
        let worker = Worker::start()?;
        let mut memory = Memory {
            last_block: Instant::now(),
            draws_stuck: false,
            starved: false,
        };
        while !stop.is_cancelled() {
            let situation = look(&application, &memory);
            match plan(&situation, &self.config) {
                Plan::Produce => step(&application, &worker, &situation, &mut memory).await?,
                Plan::Wait(time) => {
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = tokio::time::sleep(time) => {}
                        () = application.wake() => memory.starved = false,
                    }
                }
            }
        }
        Ok(())
    }
}

fn look(application: &Application, memory: &Memory) -> Situation {
    let now = application.now();
    let pending = now.system.targets.pending_draws > 0;
    Situation {
        clock_ms: wall_clock_ms(),
        epoch_end_ms: now.epoch_end_ms(),
        since_block: memory.last_block.elapsed(),
        has_transactions: !memory.starved && application.size().ready > 0,
        is_epoch_to_end: application.is_epoch_to_end(),
        can_draw: pending && now.active_models > 0 && !memory.draws_stuck,
    }
}

/// Makes one block on the worker's thread.
async fn step(
    application: &Arc<Application>,
    worker: &Worker,
    situation: &Situation,
    memory: &mut Memory,
) -> Result<(), ProduceError> {
    // An idle heartbeat, an epoch's end or a draw wants a block even without transactions.
    let only_transactions = situation.has_transactions
        && !situation.is_epoch_to_end
        && !situation.can_draw
        && situation.clock_ms < situation.epoch_end_ms;
    let before = application.now();
    let begin = Instant::now();
    let chain = Arc::clone(application);
    let made = worker.run(move || {
        let proposal = chain.build(wall_clock_ms())?;
        if only_transactions && proposal.transactions.is_empty() {
            return Ok(None);
        }
        chain.produce(proposal).map(Some)
    });
    let made: Result<_, ProduceError> = made.await.map_err(|_| ProduceError::Panicked)?;
    let Some(block) = made? else {
        memory.starved = true;
        return Ok(());
    };
    memory.last_block = begin;
    memory.starved = false;
    let after = application.now();
    let pending = |now: &crate::application::Now| now.system.targets.pending_draws;
    memory.draws_stuck = block.receipts.is_empty()
        && before.system.epoch == after.system.epoch
        && pending(&after) == pending(&before);
    let header = &block.block.header;
    tracing::debug!(
        height = header.height,
        epoch = header.epoch.0,
        transactions = block.receipts.len(),
        elapsed_ms = begin.elapsed().as_millis() as u64,
        "block"
    );
    if before.system.epoch != after.system.epoch {
        tracing::info!(
            epoch = after.system.epoch.0,
            height = header.height,
            "epoch"
        );
    }
    Ok(())
}
