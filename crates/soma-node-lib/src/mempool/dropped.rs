//! Transactions that leave without being in a block, and why.

use soma_types::Digest;
use soma_types::time::Height;
use thiserror::Error;

/// A transaction that left without being in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// Its digest.
    pub digest: Digest,
    /// Why.
    pub reason: DropReason,
}

/// Why a transaction waits no longer.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum DropReason {
    /// The sender sent another one with the same nonce.
    #[error(
        "transaction {by} with the same nonce {nonce} took the place of this one before it was in a block; sign it with another nonce if you want both"
    )]
    Replaced {
        /// The nonce of both.
        nonce: u64,
        /// The newer one.
        by: Digest,
    },
    /// A block has another transaction with this nonce.
    #[error("another transaction with nonce {nonce} was executed; sign this one with the next")]
    NonceUsed {
        /// The nonce of both.
        nonce: u64,
    },
    /// The last height at which it could be in a block has passed.
    #[error(
        "the transaction expired at height {expiry_height} while it waited; sign it again with a later expiry"
    )]
    Expired {
        /// Its last height.
        expiry_height: Height,
    },
    /// It waited as long as any may.
    #[error(
        "the transaction waited {blocks} blocks, as long as any may, most likely for a missing nonce; send it again"
    )]
    Aged {
        /// The limit: `max_age_blocks` of the mempool.
        blocks: u64,
    },
    /// A block could not be executed with it: a bug.
    #[error("no block could be made with the transaction; the node's log says why")]
    Unexecutable,
}

impl DropReason {
    /// True where the same transaction may be taken again.
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Aged { .. })
    }

    /// True where the sender should look up its nonce and sign again.
    pub const fn is_nonce_race(&self) -> bool {
        matches!(self, Self::Replaced { .. } | Self::NonceUsed { .. })
    }
}
