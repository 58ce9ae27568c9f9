//! Finding data that hits targets, submitting it, claiming rewards.
//!
//! # Place
//! Above `soma-sdk` (node and scorer), `soma-blobs` (uploads) and `soma-targets` (exact distances).
//! The scorer is a service: this crate computes no model. Knows no terminal.
//!
//! # The path of a candidate
//! ```text
//! files ──Candidates──▶ piece ──scoring──▶ Book: its loss and embedding by each assigned model
//!                                            │ judge: winner's distance ≤ threshold?
//!  Board: open targets ◀──follow, refresh──  ▼
//!                                           Hit ──choose: most targets for the money──▶ Entry
//!                                                                                        │ drive
//!   Claimed ◀─ Claimable ◀┄two epochs┄ Opened ◀─ Committed ◀─ Uploaded ◀─ Prepared ◀─────┘
//! ```
//! All of it happens at the same time: the scorer is asked while submissions are under way, and
//! what was scored is checked again when a target is drawn.
//!
//! # Invariants
//! - What may have to be said again is on disk before it is said: the salt before the commitment,
//!   each signed transaction before it is sent. Ending the program anywhere loses nothing and
//!   submits nothing twice.
//! - A bond is sent only for a target that was open, and models that were unchanged, at the last
//!   look before the opening.
//! - A candidate is scored with each model's weights once, as long as memory lasts.
//! - Trouble that may pass is waited out; trouble of one file, model or target is not trouble of
//!   the others.
//!
//! The node gives directions of targets as 32-bit floats, so distances here are within 2^-24 of the
//! chain's. A hit nearer to the threshold than that may be refused; that costs fees, not the bond.
//!
//! # Reading order
//! [`candidates`], [`scan`], [`journal`], `submission`, `scoring`, [`run`], [`events`], [`error`].
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

mod backoff;
pub mod candidates;
pub mod control;
pub mod error;
pub mod events;
pub mod journal;
pub mod run;
pub mod scan;
mod scoring;
mod submission;
pub mod uploads;

pub use candidates::{CandidateConfig, Candidates, Piece};
pub use control::{Control, Mode};
pub use error::SubmitterError;
pub use events::{Observer, Stats, SubmitterEvent};
pub use run::{Limits, Report, Submitter, SubmitterConfig};
pub use uploads::Uploads;
