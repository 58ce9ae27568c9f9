//! One submission from the first step to the payout.
//!
//! ```text
//! Prepared ─upload, seal─▶ Uploaded ─commit─▶ Committed ─open─▶ Opened ┄two epochs┄▶ Claimable ─claim─▶ Claimed
//!     └───────────────────────┴──────────────────┴──▶ Lost ◀─────┘ (a fraud)
//!                              ▲────── lapsed ───┘
//! ```
//! Each step is written down before the next begins, so that a submission that was broken off goes
//! on where it was.

mod execute;
mod steps;
mod trouble;
mod worker;

pub(crate) use steps::reward_of;
pub(crate) use worker::{Worker, lock};
