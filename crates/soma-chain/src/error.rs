//! Errors of the chain.

use soma_types::parameters::ParameterError;
use soma_types::{Address, ChainId, Digest, Height, Shannons, TimestampMs};
use thiserror::Error;

use crate::state::Failure;
use crate::store::StoreError;

/// Why a transaction may not be in a block at all.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum InvalidTransaction {
    /// Signed for another chain.
    #[error("it is for chain {got}, this is {expected}")]
    WrongChain {
        /// The transaction's chain.
        got: ChainId,
        /// This chain.
        expected: ChainId,
    },
    /// Too many bytes.
    #[error("it has {got} bytes, at most {max} are allowed")]
    TooLarge {
        /// Its size.
        got: u64,
        /// The limit.
        max: u64,
    },
    /// Its last height is past.
    #[error("it expired at height {expiry}, this is height {height}")]
    Expired {
        /// Its last height.
        expiry: Height,
        /// The block.
        height: Height,
    },
    /// Not the sender's next nonce.
    #[error("its nonce is {got}, the sender's next is {expected}")]
    WrongNonce {
        /// Its nonce.
        got: u64,
        /// The next nonce.
        expected: u64,
    },
}

/// Why a block cannot be executed.
#[derive(Debug, Error)]
pub enum BlockError {
    /// Not the next height.
    #[error("block height is {got}, the next is {expected}")]
    WrongHeight {
        /// The block's height.
        got: Height,
        /// The next height.
        expected: Height,
    },
    /// Built on another block.
    #[error("block builds on {got}, the head is {expected}")]
    WrongParent {
        /// The block's parent.
        got: Digest,
        /// The head.
        expected: Digest,
    },
    /// Not later than its parent.
    #[error("block time {got} ms is not later than its parent's, {parent} ms")]
    TimeNotLater {
        /// The block's time.
        got: TimestampMs,
        /// The parent's time.
        parent: TimestampMs,
    },
    /// Too long after its parent.
    #[error(
        "block time {got} ms is more than a year after its parent's; it may be at most {latest} ms"
    )]
    TimeTooFar {
        /// The block's time.
        got: TimestampMs,
        /// The latest time allowed.
        latest: TimestampMs,
    },
    /// Too many transactions.
    #[error("block has {got} transactions, at most {max} are allowed")]
    TooManyTransactions {
        /// How many.
        got: u64,
        /// The limit.
        max: u64,
    },
    /// Too many bytes of transactions.
    #[error("block has {got} bytes of transactions, at most {max} are allowed")]
    TooManyBytes {
        /// How many.
        got: u64,
        /// The limit.
        max: u64,
    },
    /// Too much evidence.
    #[error("block has {got} pieces of evidence, at most {max} are allowed")]
    TooMuchEvidence {
        /// How much.
        got: usize,
        /// The limit.
        max: usize,
    },
    /// An epoch was to be ended before its time.
    #[error("this chain's genesis does not allow an epoch to be ended before its time")]
    ForcedEpoch,
    /// The proposer is not in the committee.
    #[error("proposer {0} is not in the committee of this epoch")]
    UnknownProposer(Address),
    /// A transaction that may not be in a block.
    #[error("transaction {index} of the block is invalid: {reason}")]
    InvalidTransaction {
        /// Its place in the block.
        index: u32,
        /// Why.
        reason: InvalidTransaction,
    },
    /// The committee chose a version that this build does not know.
    #[error("{0}; install a newer build and start again")]
    Upgrade(ParameterError),
    /// The node must stop: see the text.
    #[error(transparent)]
    Fatal(#[from] Failure),
}

impl BlockError {
    /// True when the node must stop instead of rejecting the block.
    pub fn is_fatal(&self) -> bool {
        matches!(self, Self::Fatal(_) | Self::Upgrade(_))
    }
}

impl From<StoreError> for BlockError {
    fn from(error: StoreError) -> Self {
        Self::Fatal(error.into())
    }
}

/// Why a chain cannot be opened, read or extended.
#[derive(Debug, Error)]
pub enum ChainError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Stored data cannot be read, or execution broke an invariant.
    #[error(transparent)]
    Failure(#[from] Failure),
    /// The block cannot be executed.
    #[error(transparent)]
    Block(#[from] BlockError),
    /// The store belongs to another chain.
    #[error(
        "the data folder belongs to chain {stored}, the genesis is of chain {genesis}; use another folder or genesis"
    )]
    OtherChain {
        /// The chain in the store.
        stored: ChainId,
        /// The chain of the genesis.
        genesis: ChainId,
    },
    /// A genesis that cannot start a chain.
    #[error("invalid genesis: {0}")]
    Genesis(#[from] GenesisError),
    /// The state tree cannot be read or does not match the header.
    #[error("state tree: {0}; restore the data folder from a backup, or sync anew")]
    Tree(String),
    /// A snapshot that is not what it should be.
    #[error("the snapshot cannot be used: {reason}; take it from another node")]
    Snapshot {
        /// What is wrong.
        reason: String,
    },
    /// A height that the chain has not reached.
    #[error("height {height} is not reached yet; the newest block is {newest}")]
    NotReached {
        /// The height asked for.
        height: Height,
        /// The newest height.
        newest: Height,
    },
    /// The state of this height is not kept.
    #[error("the state of height {height} is not kept; the oldest kept is {oldest}")]
    StateNotKept {
        /// The height asked for.
        height: Height,
        /// The oldest height.
        oldest: Height,
    },
    /// A block that was executed on another head than the current one.
    #[error(
        "the block at height {got} was executed on another head; the next height is {expected}"
    )]
    StaleBlock {
        /// The block's height.
        got: Height,
        /// The next height.
        expected: Height,
    },
}

/// Why a genesis cannot start a chain.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum GenesisError {
    /// Bad parameters.
    #[error(transparent)]
    Parameters(#[from] ParameterError),
    /// More than the supply was given away.
    #[error("accounts and stakes hold {allocated}, more than the supply of 10,000,000 SOMA")]
    OverAllocated {
        /// What was given away; at most 2^64 − 1 shannons are shown.
        allocated: Shannons,
    },
    /// No validators.
    #[error("no validators; a chain needs at least one with stake")]
    NoValidators,
    /// The same address, key or model twice.
    #[error("{what} {value} appears twice or out of order; list each once, in order of address")]
    Duplicate {
        /// What is doubled.
        what: &'static str,
        /// Its value.
        value: String,
    },
    /// A model whose embedding has another dimension.
    #[error("model {index} has an embedding of dimension {got}, the network's is {expected}")]
    Dimension {
        /// Place of the model.
        index: usize,
        /// Its dimension.
        got: usize,
        /// The network's.
        expected: u64,
    },
    /// A stake below the minimum.
    #[error("{what} {index} has a stake of {got}, at least {minimum} is needed")]
    LowStake {
        /// Validator or model.
        what: &'static str,
        /// Its place.
        index: usize,
        /// Its stake.
        got: Shannons,
        /// The least stake.
        minimum: Shannons,
    },
}
