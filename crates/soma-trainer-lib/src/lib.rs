//! Training of weights: data, loop, checkpoints, evaluation.
//!
//! # Place
//! Above `soma-model`. Knows nothing of the chain; publishing is the SDK's.
//!
//! # The path of a byte
//! ```text
//! files, JSONL, Parquet ─▶ data: documents, split, shuffled sequences ─▶ learner: gradients, AdamW
//!                                        │ held out                            │
//!                                        └──────▶ evaluate ◀── checkpoint ◀────┘ ─▶ curve
//! ```
//! A run follows from its settings, its seed and its data alone, also when it was interrupted.
//!
//! # Reading order
//! `config`, [`data`], `run`, `learner`, `checkpoint`, `evaluate`, [`session`].
#![forbid(unsafe_code)]

#[cfg(feature = "cli")]
pub mod arguments;
mod average;
mod checkpoint;
mod config;
mod curve;
pub mod data;
pub mod embedding;
mod error;
mod evaluate;
mod events;
mod learner;
mod optimizer;
pub mod plot;
mod run;
pub mod session;
mod source;

pub use average::average;
pub use checkpoint::Best;
pub use config::{BadConfig, Schedule, TrainConfig};
pub use curve::{Curve, CurvePoint};
pub use error::TrainError;
pub use evaluate::{HeldOutLoss, evaluate};
pub use events::{EvaluationReport, Observer, StepReport, StopFlag};
pub use run::{Finished, Outcome, Run, Start};
pub use session::{Inputs, Session, Trained};
pub use source::SequenceSource;

/// A backend with gradients.
type Gradients<B> = burn::backend::Autodiff<B>;
/// A model with gradients.
type TrainedModel<B> = soma_model::V1Model<Gradients<B>>;
