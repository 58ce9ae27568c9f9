//! The adapter between the SOMA chain and its BFT engine, Malachite.
//!
//! # Place
//! Above `soma-chain`, whose blocks are agreed on, and below `soma-node-lib`, which brings the
//! mempool. Decides nothing about a block's content.
//!
//! # The path of a block
//! ```text
//! BlockSource ─▶ Application ─▶ Host ─▶ parts ─▶ Guard (limits, bans) ─▶ other nodes
//!                    ▲            │ undecided blocks, on disk before the vote
//!                    └── commit ◀─┴── certificate ◀── votes ◀── engine
//! ```
//!
//! # Invariants
//! - A block is on disk before this node votes for it, and committed before the engine hears of it.
//! - The committee of a height comes from committed state alone.
//! - What a peer sends is bounded before it is decoded.
//!
//! # Reading order
//! [`application`] (what is asked of a node), [`host`] (what the engine asks, and the answers),
//! [`engine`] (the loop between both), [`peers`] (limits and bans), [`context`] and [`codec`] (the
//! engine's types), [`config`].
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

pub mod application;
pub mod codec;
pub mod config;
pub mod context;
pub mod engine;
pub mod error;
pub mod evidence;
pub mod host;
pub mod identity;
pub mod parts;
pub mod payload;
pub mod peers;
pub mod proposer;
pub mod signing;
mod undecided;

pub use application::{Application, BlockSource, ChainApplication, ChainRules};
pub use config::{Bans, ConsensusConfig, Limits, Timeouts, check_peer_address};
pub use engine::{Engine, Handle, MissingHistory, Observer, Outbox, Peer, Status};
pub use error::ConsensusError;
pub use host::{Host, LogFile, LogPlace};
pub use identity::{Identity, NetworkKey, ValidatorKeys};
pub use payload::Payload;
pub use peers::{Ban, Fault, Guard, PeerCounts, Publisher};
