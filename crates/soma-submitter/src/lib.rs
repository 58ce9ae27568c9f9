//! Finding data that hits targets, submitting it, claiming rewards.
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
