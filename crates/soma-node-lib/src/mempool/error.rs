//! Why the mempool refuses a transaction.

use soma_types::time::Height;
use soma_types::{ChainId, Shannons};
use thiserror::Error;

/// Why the mempool refuses a transaction.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum MempoolError {
    /// Signed for another chain.
    #[error("the transaction is for chain {got}, this is {expected}; sign it for this chain")]
    WrongChain {
        /// This chain.
        expected: ChainId,
        /// The transaction's.
        got: ChainId,
    },
    /// Too many bytes.
    #[error("the transaction has {got} bytes; the network allows {max}")]
    TooLarge {
        /// Its size.
        got: usize,
        /// The limit.
        max: u64,
    },
    /// The last height at which it may be in a block has passed.
    #[error(
        "the transaction expired at height {expiry_height}, the next block is {next_height}; sign it again with a later expiry"
    )]
    Expired {
        /// Its last height.
        expiry_height: Height,
        /// Height of the next block.
        next_height: Height,
    },
    /// The nonce was used already.
    #[error("nonce {got} was used already; the account's next nonce is {expected}")]
    NonceTooLow {
        /// The account's next nonce.
        expected: u64,
        /// The transaction's.
        got: u64,
    },
    /// The nonce is too far ahead.
    #[error(
        "nonce {got} is too far ahead of the account's next nonce {expected}; at most {max_gap} may wait"
    )]
    NonceGap {
        /// The account's next nonce.
        expected: u64,
        /// The transaction's.
        got: u64,
        /// How far ahead it may be.
        max_gap: u64,
    },
    /// Another transaction with this nonce is being put into a block.
    #[error("another transaction with nonce {nonce} is being put into block {height}")]
    NonceInUse {
        /// The nonce.
        nonce: u64,
        /// The height of the proposal.
        height: Height,
    },
    /// The sender cannot pay the base fees of what it has waiting.
    #[error(
        "the base fees of the sender's {waiting} waiting transactions are {needed}, but it has {available}; fund the account"
    )]
    InsufficientGas {
        /// Waiting transactions of the sender, this one included.
        waiting: u64,
        /// Their base fees.
        needed: Shannons,
        /// The sender's balance.
        available: Shannons,
    },
    /// The sender has too much waiting.
    #[error("the sender has as many transactions waiting as it may ({limit}); wait for a block")]
    SenderLimit {
        /// The limit that was reached, such as `1024 transactions`.
        limit: String,
    },
    /// No room for this transaction.
    #[error("the mempool has no room for this transaction ({limit}); try again after some blocks")]
    Full {
        /// The limit that was reached, such as `50000 transactions`.
        limit: String,
    },
}

impl MempoolError {
    /// True where the same transaction may be taken later.
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::NonceGap { .. }
            | Self::InsufficientGas { .. }
            | Self::SenderLimit { .. }
            | Self::Full { .. } => true,
            Self::WrongChain { .. }
            | Self::TooLarge { .. }
            | Self::Expired { .. }
            | Self::NonceTooLow { .. }
            | Self::NonceInUse { .. } => false,
        }
    }

    /// True where the sender should look up its nonce and sign again.
    pub const fn is_nonce_race(&self) -> bool {
        matches!(
            self,
            Self::NonceTooLow { .. } | Self::NonceInUse { .. } | Self::NonceGap { .. }
        )
    }
}
