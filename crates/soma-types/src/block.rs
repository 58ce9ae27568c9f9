//! Blocks and headers.

use serde::{Deserialize, Serialize};

use crate::bounded::BoundedVec;
use crate::id::{Address, ChainId, Digest};
use crate::time::{Epoch, Height, TimestampMs};
use crate::transaction::SignedTransaction;
use crate::validator::Misbehavior;

/// The most transactions that any network may allow in a block.
pub const MAX_BLOCK_TRANSACTIONS: usize = 100_000;

/// The most pieces of evidence in a block.
pub const MAX_BLOCK_EVIDENCE: usize = 1_024;

/// What a finalized block commits to. The block's id is the digest of its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The chain.
    pub chain_id: ChainId,
    /// Number of the block; the first is 1.
    pub height: Height,
    /// The epoch in which its transactions were executed.
    pub epoch: Epoch,
    /// Time of the proposal; later than the parent's.
    pub time_ms: TimestampMs,
    /// Digest of the parent's header; for the first block, of the genesis header.
    pub parent: Digest,
    /// Hash over what the block contains: see [`Proposal`].
    pub transactions_root: Digest,
    /// Hash over the digests of the receipts, in order.
    pub receipts_root: Digest,
    /// Root of the state after this block.
    pub state_root: Digest,
    /// The validator that proposed it.
    pub proposer: Address,
}

/// A block before execution: all that a proposer decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// Number of the block.
    pub height: Height,
    /// Time of the proposal.
    pub time_ms: TimestampMs,
    /// Digest of the parent's header.
    pub parent: Digest,
    /// The proposer.
    pub proposer: Address,
    /// The transactions, in the order of execution.
    pub transactions: BoundedVec<SignedTransaction, MAX_BLOCK_TRANSACTIONS>,
    /// Proven misbehaviour of validators.
    pub misbehavior: BoundedVec<Misbehavior, MAX_BLOCK_EVIDENCE>,
    /// Ends the epoch with this block. Valid only on chains whose genesis allows it.
    pub end_epoch: bool,
}

/// A block: the header and what was proposed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// What the block commits to.
    pub header: Header,
    /// The transactions, in the order of execution.
    pub transactions: BoundedVec<SignedTransaction, MAX_BLOCK_TRANSACTIONS>,
    /// Proven misbehaviour of validators.
    pub misbehavior: BoundedVec<Misbehavior, MAX_BLOCK_EVIDENCE>,
    /// True when the block was made to end its epoch.
    pub end_epoch: bool,
}

impl Block {
    /// The proposal that the block was executed from.
    pub fn to_proposal(&self) -> Proposal {
        Proposal {
            height: self.header.height,
            time_ms: self.header.time_ms,
            parent: self.header.parent,
            proposer: self.header.proposer,
            transactions: self.transactions.clone(),
            misbehavior: self.misbehavior.clone(),
            end_epoch: self.end_epoch,
        }
    }
}
