//! Why a transaction is not taken, and why a block cannot be made.

use soma_chain::ChainError;
use soma_crypto::transaction::TransactionError;
use thiserror::Error;

use crate::mempool::{DropReason, MempoolError};

/// Why a transaction is not taken.
#[derive(Debug, Error)]
pub enum SubmitError {
    /// The signature is not its sender's.
    #[error(transparent)]
    Invalid(#[from] TransactionError),
    /// The mempool refuses it.
    #[error(transparent)]
    Refused(#[from] MempoolError),
    /// It was taken, and left the mempool without a block.
    #[error(transparent)]
    Dropped(DropReason),
    /// The chain cannot be read.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The node is stopping.
    #[error("the node is stopping; send the transaction again when it is back")]
    Stopping,
}

impl SubmitError {
    /// True where the same transaction may be taken later.
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Invalid(_) => false,
            Self::Refused(error) => error.is_retryable(),
            Self::Dropped(reason) => reason.is_retryable(),
            Self::Chain(_) | Self::Stopping => true,
        }
    }

    /// True where the sender should look up its nonce and sign again.
    pub const fn is_nonce_race(&self) -> bool {
        match self {
            Self::Refused(error) => error.is_nonce_race(),
            Self::Dropped(reason) => reason.is_nonce_race(),
            Self::Invalid(_) | Self::Chain(_) | Self::Stopping => false,
        }
    }
}
