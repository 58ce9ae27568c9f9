//! The SOMA node as a library: mempool, HTTP API, audit, faucet, admin and
//! localnet.
//!
//! # Place
//! The shell around `soma-chain`: network, clock and disk live here, rules do not. Depends on the
//! consensus, chain, crypto, types, API and service crates, on `soma-blobs` for what it downloads and
//! passes on, on `soma-audit` for the audit, and on `soma-sdk` to begin with another node's snapshot;
//! binaries and the CLI call [`Node::start`] or [`Localnet::start`].
//!
//! # The path of a transaction
//! ```text
//! POST /v1/transactions ─▶ rpc ─▶ Application::submit ─▶ mempool ─┐
//!                                 (signature, admission)          │ pick
//!                          other nodes ◀─▶ gossip                 ▼
//!  receipt, events ◀─ Application ◀─ commit ◀─ votes ◀─ soma-consensus: propose, check
//! ```
//!
//! # Invariants
//! - No request can panic the node; every answer that is not a success is an
//!   [`ErrorBody`](soma_api::ErrorBody) with a stable code.
//! - Chain work never runs on an async worker thread.
//! - An acknowledged receipt is on disk.
//! - The event stream has no gap and no duplicate: it is read by height and index, never from a
//!   buffer that can overflow.
//! - When the chain cannot go on (its supply is broken, its store fails), the node stops with the
//!   reason instead of serving on.
//! - What is this node's own trouble is never reported as a fraud.
//! - Admin routes listen on loopback addresses only.
//!
//! # Reading order
//! [`mempool`], [`application`], [`rpc`], [`blobs`], [`snapshots`], [`audit`],
//! [`faucet`], [`admin`], [`node`], [`localnet`].
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

pub mod admin;
pub mod application;
#[cfg(feature = "cli")]
pub mod arguments;
pub mod audit;
pub mod blobs;
pub mod faucet;
pub mod localnet;
pub mod mempool;
pub mod metrics;
pub mod node;
pub mod peer_metrics;
pub mod rpc;
pub mod snapshots;
pub mod store;

pub use application::Application;
pub use localnet::{Localnet, LocalnetConfig};
pub use node::{Node, NodeConfig, NodeError, NodeHandle, NodeKeys};
