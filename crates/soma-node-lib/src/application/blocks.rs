//! Handing out what was committed.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError, RwLock};

use soma_chain::{ChainError, CommittedBlock};
use soma_types::time::Height;
use soma_types::{Digest, ExecutionStatus, Receipt};

use super::{Application, NodeChain, Now};
use crate::mempool::Executed;
use crate::metrics::OutcomeLabels;

/// Newest blocks that are kept in memory, so that event streams need not read them from disk.
const RECENT_BLOCKS: usize = 64;

/// The newest committed blocks.
#[derive(Debug, Default)]
pub struct RecentBlocks {
    blocks: RwLock<VecDeque<Arc<CommittedBlock>>>,
}

impl RecentBlocks {
    /// The block at `height`, when it is among the newest.
    pub fn get(&self, height: Height) -> Option<Arc<CommittedBlock>> {
        let blocks = self.blocks.read().unwrap_or_else(PoisonError::into_inner);
        let first = blocks.front()?.block.header.height;
        let index = usize::try_from(height.checked_sub(first)?).ok()?;
        blocks.get(index).cloned()
    }

    fn push(&self, block: Arc<CommittedBlock>) {
        let mut blocks = self.blocks.write().unwrap_or_else(PoisonError::into_inner);
        if blocks.len() == RECENT_BLOCKS {
            blocks.pop_front();
        }
        blocks.push_back(block);
    }
}

/// A block from the store.
pub(super) fn stored(
    chain: &NodeChain,
    height: Height,
) -> Result<Option<Arc<CommittedBlock>>, ChainError> {
    let reader = chain.reader();
    let (Some(block), Some(receipts), Some(events)) = (
        reader.block(height)?,
        reader.receipts(height)?,
        reader.events(height)?,
    ) else {
        return Ok(None);
    };
    let digest = soma_chain::header::digest(&block.header);
    Ok(Some(Arc::new(CommittedBlock {
        block,
        digest,
        receipts,
        events,
    })))
}

impl Application {
    /// Takes note of a committed block and tells everybody who waits. Blocks the thread.
    pub(super) fn committed(&self, committed: &Arc<CommittedBlock>) {
        let header = &committed.block.header;
        let transactions = committed.block.transactions.iter();
        let executed = transactions
            .zip(&committed.receipts)
            .map(|(signed, receipt)| Executed {
                sender: &signed.transaction.sender,
                nonce: signed.transaction.nonce,
                digest: receipt.transaction,
            });
        let dropped = self.mempool.on_block(header.height, executed);
        self.recent.push(Arc::clone(committed));
        let (before, now) = (self.now(), Now::of(&self.chain));
        self.measure(committed, &now);
        let passed = header.time_ms.saturating_sub(before.head.header.time_ms);
        self.metrics.block_interval.observe(passed as f64 / 1_000.0);
        tracing::debug!(
            height = header.height,
            epoch = header.epoch.0,
            transactions = committed.receipts.len(),
            "block"
        );
        let epoch = now.system.epoch;
        if before.system.epoch != epoch {
            tracing::info!(epoch = epoch.0, height = header.height, "epoch");
            self.epoch_ends
                .on_end(&self.chain, before.system.epoch, header.height);
        }
        // Heads first: who gets a receipt and then asks for the head must find the block there.
        self.now.send_replace(Arc::new(now));
        self.waiters.on_block(&committed.receipts);
        self.waiters.on_dropped(&dropped);
    }

    /// Drops transactions that made a block impossible.
    pub(super) fn unexecutable(&self, digests: &[Digest]) {
        let dropped = self.mempool.remove(digests);
        self.waiters.on_dropped(&dropped);
    }

    fn measure(&self, committed: &CommittedBlock, now: &Now) {
        let metrics = &self.metrics;
        metrics.height.set(now.height());
        metrics.epoch.set(now.system.epoch.0);
        metrics
            .block_transactions
            .observe(committed.receipts.len() as f64);
        let size = self.mempool.size();
        let signed = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        metrics.mempool_transactions.set(signed(size.transactions));
        metrics.mempool_bytes.set(signed(size.bytes));
        let kinds = committed.block.transactions.iter();
        for (signed, receipt) in kinds.zip(&committed.receipts) {
            let labels = OutcomeLabels {
                kind: signed.transaction.kind.name(),
                outcome: outcome(receipt),
            };
            metrics.transactions.get_or_create(&labels).inc();
        }
    }
}

fn outcome(receipt: &Receipt) -> &'static str {
    match &receipt.status {
        ExecutionStatus::Success => "success",
        ExecutionStatus::Failure { error } => error.name(),
    }
}
