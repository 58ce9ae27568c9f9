//! Scores data with models: what a submission claims, and what its audit finds.
//!
//! # Place
//! Above `soma-model` (loss and embedding) and `soma-blobs` (verified downloads). Knows nothing of
//! the chain's state; what to score comes from the caller, and so does what follows from it.
//!
//! # The path of a request
//! ```text
//! POST /v1/score ─▶ queue (bounded; else 503) ─▶ download data and weights, verified
//!                                                        │
//!   scores, winner ◀─ Scorer: load (LRU by bytes) ─▶ evaluate ◀─ worker: jobs that wait share
//!                     budget checked before              batches of the models they have in common
//! ```
//!
//! # Invariants
//! - The order of models, the number of threads and what else is scored at the same time change no
//!   winner, and no loss by more than rounding.
//! - Weights and activations stay within the memory budget: what does not fit is refused before it
//!   is loaded.
//! - Whatever arrives is hostile: data, weights, URLs and requests give typed errors, and the
//!   service goes on.
//!
//! # Reading order
//! [`scorer`], [`scores`], [`source`], [`memory`], [`service`].
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

#[cfg(feature = "cli")]
pub mod arguments;
mod engine;
pub mod error;
mod loaded;
pub mod memory;
pub mod scorer;
pub mod scores;
pub mod service;
pub mod source;

pub use error::ScoringError;
pub use memory::MemoryNeeds;
pub use scorer::{Scorer, ScorerConfig};
pub use scores::{ModelScore, PieceScores};
pub use service::{ScoringService, ServiceConfig, largest_sealed};
pub use soma_model::agreement::Agreement;
pub use soma_model::{ConfigError, Device, ModelConfig, Precision, TokenizedData};
pub use source::{ModelKey, ModelSource, SealedWeights, WeightsFile};
