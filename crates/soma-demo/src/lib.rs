//! The whole game on one machine, played to the end: specialists are trained on real files,
//! published, and earn; submitters find data that hits; delegators share; cheaters lose.
//!
//! # Place
//! Above everything: it composes `soma-localnet`, `soma-trainer-lib`, `soma-submitter` and
//! `soma-sdk` as their users do, and knows no other way into them.
//!
//! # Reading order
//! [`domains`] (the data), [`outcome`], [`report`].
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

pub mod domains;
pub mod error;
pub mod outcome;
pub mod report;

pub use domains::DomainConfig;
pub use error::DemoError;
pub use outcome::Outcome;
