//! Networks of real node processes for tests: put under load, killed, and checked.
//!
//! - [`arena`]: validators in processes of their own, with a client for each.
//! - [`load`]: transfers without end, and a record of what was acknowledged.
//! - [`crash`]: all validators killed at once, again and again.
//! - [`faults`]: one of them away, half of them away.
//! - [`agreement`]: what the nodes' disks must have in common.
#![forbid(unsafe_code)]

pub mod agreement;
pub mod arena;
pub mod crash;
pub mod faults;
pub mod load;

pub use agreement::{Agreement, agreement};
pub use arena::Arena;
pub use crash::{CrashPlan, CrashReport, crash_all};
pub use faults::{HalfAway, OneAway, half_away, one_away};
pub use load::{Acknowledged, Ledger, Load};
