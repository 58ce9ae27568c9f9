//! The submitter at work: following the chain, scanning, submitting, claiming, all at the same time.

mod claims;
mod config;
mod duplicates;
mod follow;
mod look;
mod pass;
mod refresh;
mod report;
mod scan;
mod submit;
mod submitter;
mod work;

pub use config::{Limits, SubmitterConfig};
pub use report::{Nothing, Planned, Report, Wanting};
pub use submitter::Submitter;
