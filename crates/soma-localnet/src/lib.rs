//! A whole SOMA network on one machine: nodes with audit, faucet and admin routes, scorer, and blob
//! server. Validators beside the first run in this process, or each in one of its own.
//!
//! # Place
//! Composes `soma-node-lib`, `soma-scoring` and the server of `soma-blobs`; the CLI and the demo
//! start it. Nothing below knows of it.
//!
//! # Reading order
//! [`NetworkConfig`], [`Network`].
//!
//! # Example
//! ```no_run
//! # async fn example() -> Result<(), soma_localnet::NetworkError> {
//! use soma_localnet::{Network, NetworkConfig};
//!
//! let network = Network::start(NetworkConfig::for_tests()).await?;
//! println!("node {}, scorer {:?}", network.node().rpc_url(), network.scorer_url());
//! network.shutdown().await
//! # }
//! ```
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

mod blobs;
mod config;
mod members;
mod network;

pub use config::{NetworkConfig, ScorerConfig};
pub use network::{Network, NetworkError};

pub use soma_node::LocalnetConfig;
pub use soma_node::localnet::NodeProgram;
