//! The SOMA chain: a deterministic state machine and its store.
//!
//! # Place
//! Depends on `soma-types`, `soma-crypto` (hashing, signatures) and `soma-targets`. It never reads
//! a clock, talks to a network, or uses floats, hash-map order or randomness of its own: the same
//! blocks give the same state roots on every machine.
//!
//! # The path of a block
//! ```text
//! VerifiedProposal ──Chain::execute──▶ ExecutedBlock ──Chain::commit──▶ CommittedBlock
//!   (signatures        begin: draw targets      one atomic batch:
//!    were checked)     each transaction         entries, undo, block,
//!                      end: epoch change        receipts, indexes
//!                      audit of the supply
//!                      new state root
//! ```
//! [`Chain::execute`] changes nothing, so a consensus engine can execute candidates before it
//! votes and commit the one that was decided.
//!
//! # Reading order
//! 1. [`key`]: everything that the state holds.
//! 2. [`execute`]: a block; `execute/transaction.rs`: a transaction; the files beside it: the
//!    kinds of transactions.
//! 3. [`epoch`]: the epoch change, step by step.
//! 4. [`pool`]: share arithmetic of stake. `supply.rs`: the audit of the money.
//! 5. [`chain`], `commit.rs`, `tree`, [`store`]: what is written, and the Merkle tree over it.
//! 6. [`reader`], [`target_query`], [`proof`], [`light`]: what can be read and proven.
//! 7. [`snapshot`]: the whole state, taken while the chain goes on.
//!
//! # Example
//! ```
//! # use soma_chain::{Chain, ChainConfig, MemoryStore};
//! # use soma_types::*;
//! # fn example(genesis: Genesis) -> Result<(), soma_chain::ChainError> {
//! let chain = Chain::open(MemoryStore::new(), &genesis, ChainConfig::default())?;
//! assert_eq!(chain.reader().supply()?.total(), Some(MAX_SUPPLY));
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]
#![deny(clippy::float_arithmetic)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

pub mod chain;
mod commit;
pub mod epoch;
pub mod error;
pub mod execute;
pub mod genesis;
pub mod header;
pub mod key;
pub mod ledger;
pub mod light;
mod models;
pub mod pool;
pub mod proof;
pub mod reader;
mod rows;
pub mod rules;
pub mod snapshot;
mod state;
pub mod store;
mod supply;
pub mod target_query;
mod tree;

pub use chain::{Chain, ChainConfig, CommittedBlock, ExecutedBlock, Finality, Head};
pub use error::{BlockError, ChainError, GenesisError, InvalidTransaction};
pub use execute::VerifiedProposal;
pub use execute::claims::{Shares, share_reward};
pub use execute::seals::{SealedFields, submission_commitment};
pub use execute::validators::proof_of_possession_digest;
pub use genesis::chain_id;
pub use key::Key;
pub use ledger::{LedgerCursor, LedgerEntry};
pub use light::{Handover, LightClient, LightError};
pub use proof::{ProofError, StateProof, verify_proof};
pub use reader::Reader;
pub use rules::Rules;
pub use snapshot::{Export, Import};
pub use state::Failure;
#[cfg(feature = "sled")]
pub use store::SledStore;
pub use store::{Batch, MemoryStore, Store, StoreError};
pub use target_query::{TargetCursor, TargetFilter, TargetPage, TargetQuery};
