//! What can end a node's part in consensus.

use std::path::PathBuf;

use soma_chain::ChainError;
use soma_types::{Address, Epoch, Height, PublicKey};
use thiserror::Error;

/// Why consensus cannot start or go on. All of these end [`Handle::wait`](crate::Handle::wait).
#[derive(Debug, Error)]
pub enum ConsensusError {
    /// The configuration is not usable.
    #[error("consensus cannot start: {field} is {value}; {hint}")]
    Config {
        /// The field.
        field: &'static str,
        /// Its value.
        value: String,
        /// What to do.
        hint: &'static str,
    },
    /// The engine cannot start.
    #[error("the consensus engine cannot start: {0}")]
    Start(String),
    /// Nothing can listen for peers where the configuration says.
    #[error(
        "cannot listen for peers on {address}: {error}; choose another address or port as \
         `consensus.listen`, or stop what listens there"
    )]
    Listen {
        /// The address.
        address: String,
        /// Why not.
        error: std::io::Error,
    },
    /// This validator voted higher than its chain goes: it could sign twice at one height.
    #[error(
        "this validator voted at height {voted}, but its chain ends at {head}: blocks are lost, or an \
         old copy was put back, and it could sign twice at one height. Restore the whole data folder, \
         or run the node without `consensus_key` and `account_key` until its chain has block {voted}"
    )]
    LostBlocks {
        /// The height of the log of votes.
        voted: Height,
        /// The last block of the chain.
        head: Height,
    },
    /// The write-ahead log of votes is damaged.
    #[error(
        "the log of votes {} cannot be read: {reason}; without it this validator could sign twice in \
         one height: move it away only once the other nodes are beyond the height at which this one \
         stopped", path.display()
    )]
    DamagedLog {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The engine stopped by itself.
    #[error("the consensus engine stopped at height {height}; see its last log lines")]
    Stopped {
        /// The height in work.
        height: Height,
    },
    /// The chain failed.
    #[error("the chain failed at height {height}: {error}")]
    Chain {
        /// The height in work.
        height: Height,
        /// Why.
        error: ChainError,
    },
    /// The node's part of the application failed.
    #[error("the application failed at height {height}: {reason}")]
    Application {
        /// The height in work.
        height: Height,
        /// Why.
        reason: String,
    },
    /// A block was decided that this node does not have or that fails here.
    #[error(
        "the decided block of height {height} cannot be committed: {reason}; restore this node \
         from its peers"
    )]
    Undecidable {
        /// The height.
        height: Height,
        /// Why.
        reason: String,
    },
    /// A committee has no member with power.
    #[error("the committee of epoch {epoch} has no voting power")]
    NoValidators {
        /// The epoch.
        epoch: Epoch,
    },
    /// The committee is not stored.
    #[error("the committee of height {height} is unknown")]
    NoCommittee {
        /// The height.
        height: Height,
    },
    /// The committee names a key that this validator does not hold.
    #[error(
        "validator {validator} must sign with {expected} from height {height} on; give that key \
         in its configuration, or leave out `account_key` too to follow without voting"
    )]
    MissingKey {
        /// The validator.
        validator: Address,
        /// The public key on chain.
        expected: PublicKey,
        /// The first height that needs it.
        height: Height,
    },
    /// The folder of undecided blocks failed.
    #[error("{path} failed: {error}; check the disk and start again")]
    Log {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A task of this crate panicked.
    #[error("a task of consensus panicked: {0}")]
    Panicked(String),
}
