//! Typed async client of the SOMA network: node, faucet, scorer and admin, and what people do with
//! them in several steps.
//!
//! # Place
//! Depends on `soma-api` (JSON shapes), `soma-crypto` (signing) and `soma-chain` without its store
//! (to check proofs and seal submissions). The feature `workflows` (default) adds `soma-blobs`:
//! stores, downloads, and the folder that keeps a publication. Knows no terminal.
//!
//! # The path of a transaction
//! ```text
//! Account::transfer ──▶ TransactionKind ──Client::build──▶ Transaction   (chain id, nonce, expiry)
//!                                                              │ sign
//!   ReceiptView ◀── Client::wait_for ◀── Client::submit ◀── SignedTransaction
//! ```
//! - One transaction of an address at a time goes from its nonce to the node's mempool, so
//!   concurrent calls of one client never collide. When another program uses the same key and
//!   takes the nonce, the transaction can never be executed, and is signed again with the next.
//! - A request is repeated only where that is harmless: reads, simulations, and the *identical*
//!   signed transaction, which the chain executes at most once.
//! - Every call has a deadline.
//!
//! # Example
//! ```
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let net = soma_node::Localnet::start(soma_node::LocalnetConfig::for_tests()).await?;
//! # let (rpc, faucet) = (net.rpc_url(), net.faucet_url().unwrap());
//! use soma_sdk::types::Shannons;
//! use soma_sdk::{Client, EventRequest, SecretKey};
//!
//! // `.localnet()` in place of the URLs for the usual ports of a network on this machine.
//! let client = Client::builder().rpc_url(rpc).faucet_url(faucet).build()?;
//! let account = client.account(SecretKey::generate());
//! client.request_faucet(account.address()).await?;
//!
//! let mut events = client.events(EventRequest::default()).await?;
//! let (friend, half) = (SecretKey::generate().address(), "0.5".parse::<Shannons>()?);
//! let receipt = account.transfer(friend, half).await?;
//! let seen = events.next().await?;
//! assert!(seen.id.height <= receipt.height);
//!
//! // What a node says can be checked against a header, and that by `Client::follow`.
//! let proven = client.verified_account(friend).await?;
//! assert_eq!(proven.value.unwrap().balance, half);
//! # net.shutdown().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Reading order
//! [`config`], [`client`], [`reads`], [`submit`], [`account`], [`events`], [`proofs`],
//! [`evidence`], [`light`], [`snapshots`], [`services`], [`scorer`], `workflows`, [`error`].
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

pub mod account;
pub mod client;
pub mod config;
pub mod error;
pub mod events;
pub mod evidence;
mod http;
pub mod light;
pub mod pages;
pub mod proofs;
pub mod reads;
pub mod scorer;
pub mod services;
pub mod snapshots;
mod sse;
pub mod submit;
#[cfg(feature = "workflows")]
pub mod workflows;

pub use account::{Account, CommitModel, ModelVersion, SubmitData};
pub use client::Client;
pub use config::{ClientBuilder, Service};
pub use error::SdkError;
pub use events::{EventRequest, EventStream};
pub use evidence::{ProvenTarget, TargetEvidence};
pub use light::{Follower, Trust};
pub use pages::{AuditFilter, ModelFilter, ObjectFilter, PageRequest, TargetFilter};
pub use proofs::{ProofKey, Verified};
pub use reads::BlockName;

pub use soma_api as api;
#[cfg(feature = "workflows")]
pub use soma_blobs as blobs;
pub use soma_crypto::SecretKey;
pub use soma_types as types;
