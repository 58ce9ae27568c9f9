//! The rules of a run.

use serde::Serialize;
use soma_types::{Address, Epoch, Height};
use thiserror::Error;

/// A rule that was broken.
#[derive(Clone, Debug, Error, PartialEq, Eq, Serialize)]
#[serde(tag = "rule", rename_all = "snake_case")]
pub enum Violation {
    /// Two honest nodes differ.
    #[error("node {node} committed {got} at height {height}, another node {known}")]
    Fork {
        /// The second node.
        node: usize,
        /// Where they differ.
        height: Height,
        /// Its block.
        got: String,
        /// The other's.
        known: String,
    },
    /// A crash took a block whose commit was acknowledged.
    #[error("node {node} had committed height {had} and came back with {has}")]
    LostBlock {
        /// The node.
        node: usize,
        /// Before.
        had: Height,
        /// After.
        has: Height,
    },
    /// A block is not proven final.
    #[error("node {node} has no good certificate for height {height}: {reason}")]
    Certificate {
        /// The node.
        node: usize,
        /// The height.
        height: Height,
        /// What is wrong.
        reason: String,
    },
    /// SOMA appeared or disappeared.
    #[error("node {node} at height {height}: {reason}")]
    Supply {
        /// The node.
        node: usize,
        /// The height.
        height: Height,
        /// What is wrong.
        reason: String,
    },
    /// An honest node was blamed for what it sent, and is not heard any more.
    #[error("node {node} has banned node {banned}, which is honest")]
    HonestBanned {
        /// Who does not hear it.
        node: usize,
        /// Who is not heard.
        banned: usize,
    },
    /// A block accuses an honest validator.
    #[error("the block of height {height} accuses {validator}, which is honest")]
    HonestAccused {
        /// The block's height.
        height: Height,
        /// The validator.
        validator: Address,
    },
    /// A proposer had proof of misbehaviour and left it out.
    #[error(
        "node {node} saw {validator} contradict itself at height {seen}, but its block of height \
         {height} does not say so"
    )]
    EvidenceLeftOut {
        /// The proposer.
        node: usize,
        /// The validator.
        validator: Address,
        /// Where it misbehaved.
        seen: Height,
        /// The block's height.
        height: Height,
    },
    /// An honest validator signed two things where one is due.
    #[error("honest validator {validator} contradicted itself at height {height}, round {round}")]
    HonestEquivocation {
        /// The validator.
        validator: Address,
        /// The height.
        height: Height,
        /// The round.
        round: u32,
    },
    /// Epochs do not follow each other.
    #[error("height {height} is of epoch {epoch}, the height before of epoch {before}")]
    EpochOrder {
        /// The height.
        height: Height,
        /// Its epoch.
        epoch: Epoch,
        /// The one before.
        before: Epoch,
    },
    /// A node ended, though its disk works.
    #[error("node {node} stopped: {reason}")]
    Stopped {
        /// The node.
        node: usize,
        /// Why.
        reason: String,
    },
    /// With all faults over, the network did not go on in time.
    #[error("node {node} is at height {height}, below {goal}, {waited_ms} ms after the last fault")]
    NoProgress {
        /// The node.
        node: usize,
        /// Its height.
        height: Height,
        /// What it should have reached.
        goal: Height,
        /// How long it had.
        waited_ms: u64,
    },
    /// Code panicked.
    #[error("the run panicked: {reason}")]
    Panicked {
        /// Why.
        reason: String,
    },
}
