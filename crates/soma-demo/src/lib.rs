//! The whole game on one machine, played to the end: specialists are trained on real files,
//! published, and earn; submitters find data that hits; delegators share; cheaters lose.
//!
//! # Place
//! Above everything: it composes `soma-localnet`, `soma-trainer-lib`, `soma-submitter` and
//! `soma-sdk` as their users do, and knows no other way into them.
//!
//! # Reading order
//! [`run`], [`domains`] (the data), `train`, `play`, [`outcome`], [`report`].
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

mod config;
pub mod domains;
pub mod error;
pub mod outcome;
mod play;
pub mod report;
mod run;
mod train;
mod watch;

pub use config::DemoConfig;
pub use domains::DomainConfig;
pub use error::DemoError;
pub use outcome::{Check, Outcome};
pub use run::run;
pub use watch::Watch;
