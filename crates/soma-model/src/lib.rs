//! The model of the SOMA network: a byte-level transformer, its loss and its weights files.
//!
//! # Place
//! Depends on `soma-crypto` and `soma-targets` for the noise that everybody shares, and on burn.
//! Generic over burn's backends: the CPU is the default (`flex`), `wgpu` and `cuda` are features.
//! Knows nothing of the chain.
//!
//! # From bytes to a loss
//! ```text
//! data ─tokenizer─▶ batches of 16 sequences ─V1Model::encode─▶ representations ─▶ SIGReg
//!                                                                │    └─▶ embedding
//!                                                                └ predict ─▶ logits ─▶ cross-entropy
//! ```
//!
//! # Reading order
//! [`config`], [`tokenizer`], [`v1`], [`backend`], [`device`], [`sigreg`], [`loss`], [`evaluate`], [`weights`],
//! [`agreement`]; `cpu/` holds the kernels of the CPU backend, `cube` the products of GPUs.
//!
//! # Example
//! ```
//! use soma_model::{Cpu, EvaluateOptions, ModelConfig, weights};
//!
//! let device = Default::default();
//! let model = weights::random::<Cpu>(&ModelConfig::SMALL, 7, &device);
//! let result = model.evaluate(b"some bytes", &EvaluateOptions::default(), &device)?;
//! assert!(result.loss > 0.0 && result.embedding.len() == 16);
//! # Ok::<(), soma_model::EmptyData>(())
//! ```
#![deny(unsafe_code)]

#[cfg(feature = "flex")]
pub mod agreement;
#[cfg(feature = "autodiff")]
mod autodiff;
pub mod backend;
pub mod check;
pub mod config;
#[cfg(feature = "flex")]
mod cpu;
#[cfg(any(feature = "wgpu", feature = "cuda"))]
mod cube;
#[cfg(feature = "cuda")]
mod cuda;
pub mod device;
pub mod evaluate;
mod generic;
pub mod loss;
pub mod noise;
mod precision;
mod rotary;
pub mod sigreg;
pub mod tokenizer;
pub mod v1;
pub mod weights;

pub use backend::ModelBackend;
pub use config::{ConfigError, ModelConfig};
pub use device::{Device, DeviceError, OnDevice};
pub use evaluate::{BatchLoss, EmptyData, EvaluateOptions, Evaluation, TokenizedData};
pub use precision::{Precision, UnknownPrecision};
pub use v1::{Batch, Dropout, V1Model};

/// The backend for the CPU.
#[cfg(feature = "flex")]
pub type Cpu = burn_flex::Flex;
