//! Building, executing and committing blocks, and handing out what was committed.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use soma_chain::{BlockError, ChainError, CommittedBlock, ExecutedBlock, VerifiedProposal};
use soma_types::time::Height;
use soma_types::{ExecutionStatus, Receipt, TimestampMs};

use super::{Application, NodeChain, Now, ProduceError};
use crate::mempool::{Executed, PickLimits};
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
    /// Builds the next proposal from the mempool, not before `clock_ms` and later than the parent.
    /// Blocks the thread.
    ///
    /// # Errors
    /// When the store fails.
    pub fn build(&self, clock_ms: TimestampMs) -> Result<VerifiedProposal, ChainError> {
        let now = self.now();
        let parent = now.head.header;
        let height = parent.height.saturating_add(1);
        let limit = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
        let limits = PickLimits {
            height,
            transactions: limit(now.parameters.max_block_transactions),
            bytes: limit(now.parameters.max_block_bytes),
        };
        let reader = self.chain.reader();
        let transactions = self.mempool.pick(limits, |sender| {
            reader.account(sender).ok().map(|a| a.nonce)
        });
        // A validator that left still may be the only one that makes blocks.
        let committee = reader.committee(now.system.epoch)?;
        let members = committee.as_ref().map_or(&[][..], |c| &c.members);
        let is_member = members.iter().any(|member| member.address == self.proposer);
        let proposer = match members.first() {
            Some(first) if !is_member => first.address,
            _ => self.proposer,
        };
        drop(reader);
        Ok(VerifiedProposal {
            height,
            time_ms: clock_ms.max(parent.time_ms.saturating_add(1)),
            parent: now.head.digest,
            proposer,
            transactions,
            misbehavior: Vec::new(),
            end_epoch: self.is_epoch_to_end(),
        })
    }

    /// Executes a proposal on the head. Changes nothing. Blocks the thread.
    ///
    /// # Errors
    /// [`BlockError`].
    pub fn execute(&self, proposal: &VerifiedProposal) -> Result<ExecutedBlock, BlockError> {
        self.chain.execute(proposal)
    }

    /// Commits an executed block and tells everybody who waits. Blocks the thread.
    ///
    /// # Errors
    /// When the block was executed on another head, or the store fails.
    pub fn commit(&self, executed: ExecutedBlock) -> Result<Arc<CommittedBlock>, ChainError> {
        let committed = self.chain.commit(executed)?;
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
        self.recent.push(Arc::clone(&committed));
        let now = Now::of(&self.chain);
        self.measure(&committed, &now);
        // Heads first: who gets a receipt and then asks for the head must find the block there.
        self.now.send_replace(Arc::new(now));
        self.waiters.on_block(&committed.receipts);
        self.waiters.on_dropped(&dropped);
        Ok(committed)
    }

    /// Executes and commits a proposal of this node. A proposal that cannot be executed because of
    /// its transactions is made again without them, so that no transaction can stop the chain.
    /// Blocks the thread.
    ///
    /// # Errors
    /// [`ProduceError`]; the node must stop.
    pub fn produce(
        &self,
        mut proposal: VerifiedProposal,
    ) -> Result<Arc<CommittedBlock>, ProduceError> {
        let height = proposal.height;
        let begin = Instant::now();
        let executed = match self.execute(&proposal) {
            Err(error) if !error.is_fatal() && !proposal.transactions.is_empty() => {
                let digests: Vec<_> = proposal.transactions.iter().map(|t| t.digest()).collect();
                tracing::error!(height, %error, dropped = digests.len(), "proposal failed");
                let dropped = self.mempool.remove(&digests);
                self.waiters.on_dropped(&dropped);
                proposal.transactions.clear();
                self.execute(&proposal)
            }
            result => result,
        }
        .map_err(|error| ProduceError::Execute { height, error })?;
        let committed = self
            .commit(executed)
            .map_err(|error| ProduceError::Commit { height, error })?;
        let seconds = begin.elapsed().as_secs_f64();
        self.metrics.block_seconds.observe(seconds);
        Ok(committed)
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
