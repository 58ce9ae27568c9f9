//! How validators agree on the genesis of a network: a folder of small files that each of them
//! reads, checks and signs. Also the description that a validator gives of itself, to take part in
//! a genesis or to join a running chain.
//!
//! # Place
//! Above `soma-chain` without its store, which knows when a genesis can start a chain. Reads and
//! writes files; knows no network and no terminal.
//!
//! # The way to a chain
//! ```text
//! coordinator: Ceremony::begin ─▶ ceremony.toml          accounts, parameters, emission, time
//! validator:   ValidatorInfo::for_genesis ─▶ validator.info     signed by account and consensus key
//! coordinator: add_validator ─▶ validators/…toml       add_model ─▶ models/…toml
//!              build ─▶ genesis.unsigned.json          the same bytes from the same folder
//! validator:   sign: builds it again, compares, ─▶ signatures/…toml       by the consensus key
//! coordinator: finalize: all have signed ─▶ genesis.json, signatures.json
//! ```
//!
//! # Who proves what, when
//! - The id of a chain is the digest of its genesis, so nobody can sign it before the genesis is
//!   whole. What a validator tells of itself is therefore signed for the *name* of the chain, by its
//!   account's and its consensus key: nobody can list a key or an account that is not theirs, or
//!   change an address or a commission on the way.
//! - The signature on the built genesis is over its digest. It is given by the consensus key, so it
//!   shows again that its holder has it, for exactly this chain.
//! - Each kind of signature is of a domain of its own: none can stand for a vote, for a proof of
//!   possession on a running chain, or for another kind.
//!
//! # Reading order
//! [`info`], [`draft`], [`ceremony`], [`approval`], [`summary`], [`error`].
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

pub mod approval;
pub mod ceremony;
pub mod draft;
pub mod error;
mod files;
pub mod info;
pub mod summary;
#[cfg(test)]
mod tests;

pub use approval::{Approval, Approvals};
pub use ceremony::{Ceremony, Listed, Standing};
pub use draft::{Draft, Model, Soma};
pub use error::{CeremonyError, InfoError};
pub use info::{Proof, ValidatorInfo};
pub use soma_chain::chain_id;
pub use summary::{Summary, genesis_json, read_genesis};
