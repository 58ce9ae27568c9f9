//! The rules by which validators judge submissions and revealed weights.
//!
//! # Place
//! Above `soma-types` only: pure functions from what was claimed and what was found to a verdict.
//! No network, no clock, no model; whoever calls has downloaded, scored and waited.
//!
//! # The path of a claim
//! ```text
//! claim of a fill ──────────────────────────────┐
//! own scores of all assigned models ─▶ compare ─▶ Finding ─┐
//! failure to score (whose fault?) ─────────────▶ judge ────┴▶ Verdict: honest, report, undecided
//! ```
//!
//! # Invariants
//! - A validator's own trouble is never reported: the verdict is then [`Verdict::Undecided`].
//! - Differences within the tolerance, |x − y| ≤ max(0.01, 1 % of the larger), are never fraud.
//! - A number that is not finite never passes.
//!
//! # Reading order
//! [`tolerance`], [`compare`], [`verdict`].
//!
//! ```
//! use soma_audit::{Claim, Finding, Measured, compare};
//! use soma_types::ModelId;
//!
//! let (a, b) = (ModelId([1; 32]), ModelId([2; 32]));
//! let claim = Claim { winner: a, loss: 2.0, distance: 0.9 };
//! let measured = [
//!     Measured { model: a, loss: 2.001, distance: Some(0.9003) },
//!     Measured { model: b, loss: 1.999, distance: Some(0.8) },
//! ];
//! // The other model is better, but within the tolerance.
//! assert_eq!(compare(&claim, &measured), Finding::Consistent);
//! ```
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

pub mod compare;
pub mod tolerance;
pub mod verdict;

pub use compare::{Claim, Finding, Measured, Mismatch, compare};
pub use tolerance::{exceeds, within};
pub use verdict::{Failure, Persistence, Verdict, judge, judge_weights};
