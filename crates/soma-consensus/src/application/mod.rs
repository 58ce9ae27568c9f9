//! What the engine asks of a node.
//!
//! ```text
//! build ──▶ others: check ──▶ votes ──▶ commit ──▶ build …
//! ```
//! Every method is synchronous and is called on a blocking thread, one at a time, except
//! [`Application::demand`] and [`Application::wake`], which are called from the event loop and
//! must return at once.

mod chain;
mod source;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use soma_chain::Head;
use soma_types::{Certificate, ChainId, Committee, Evidence, Height, SignedTransaction};
use tokio::sync::Notify;

pub use chain::{ChainApplication, ChainRules};
pub use source::{BlockSource, Nonces, PickLimits};

use crate::error::ConsensusError;
use crate::payload::Payload;
use crate::peers::Publisher;

/// What a new block is to be made of.
#[derive(Clone, Debug)]
pub struct BuildRequest {
    /// The height: that of the head plus one.
    pub height: Height,
    /// When the block must be ready; a later one is of no use.
    pub deadline: Instant,
    /// Evidence that this node holds; it goes into the block as far as it is still of use.
    pub evidence: Vec<Evidence>,
}

/// Where a block comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A proposer; this node is to vote on it.
    Proposal,
    /// A peer's store; it was decided.
    Sync,
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Executed; the header is right.
    Valid,
    /// The block that the id stands for is wrong. Every honest node finds the same.
    Invalid(String),
    /// This copy, or this moment, does not allow a judgement of the id: a signature that does not
    /// hold, a time that has not come.
    Unusable(String),
}

/// Whether a block is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// There is something to do.
    Now,
    /// Nothing, unless [`Application::wake`] says so earlier or this time has passed.
    In(Duration),
}

/// A node, seen from the engine.
pub trait Application: Send + Sync + 'static {
    /// The clock that waits are measured with; it never goes back.
    fn now(&self) -> Instant {
        Instant::now()
    }

    /// The chain.
    fn chain_id(&self) -> ChainId;

    /// The newest committed block.
    fn head(&self) -> Head;

    /// Time until the chain begins: none once its start has come, or there are blocks.
    fn begins_in(&self) -> Duration;

    /// The lowest height whose block can be given to peers.
    ///
    /// # Errors
    /// When the store fails.
    fn earliest(&self) -> Result<Height, ConsensusError>;

    /// The committee that decides on `height`: any up to that after the head.
    ///
    /// # Errors
    /// When it is not known, or the store fails.
    fn committee(&self, height: Height) -> Result<Arc<Committee>, ConsensusError>;

    /// Builds and executes the next block.
    ///
    /// # Errors
    /// When not even an empty block can be executed, or the store fails; the node stops.
    fn build(&self, request: BuildRequest) -> Result<Payload, ConsensusError>;

    /// Checks and executes a block on the head.
    ///
    /// # Errors
    /// When the store fails; the node stops.
    fn check(&self, payload: &Payload, origin: Origin) -> Result<Verdict, ConsensusError>;

    /// Commits a decided block with what proves it final; on disk when this returns. A block that
    /// is committed already is left as it is.
    ///
    /// # Errors
    /// When the block cannot be executed here, or the store fails; the node stops.
    fn commit(&self, payload: &Payload, certificate: &Certificate) -> Result<(), ConsensusError>;

    /// A committed block, as [`Payload::encode`] gives it, and its certificate.
    ///
    /// # Errors
    /// When the store fails.
    fn decided(&self, height: Height) -> Result<Option<(Bytes, Certificate)>, ConsensusError>;

    /// Whether a block is wanted now.
    fn demand(&self) -> Demand;

    /// Notified when the answer of [`Application::demand`] may have changed.
    fn wake(&self) -> Arc<Notify>;

    /// Takes transactions that `publisher` passed on. Nothing about them is checked; whoever finds
    /// one that its sender did not sign blames the publisher.
    fn receive(&self, transactions: Vec<SignedTransaction>, publisher: Publisher);
}
