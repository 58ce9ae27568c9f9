//! The adapter between the SOMA chain and its BFT engine.
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
