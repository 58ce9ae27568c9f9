//! Deterministic simulation of SOMA networks.
//!
//! # Place
//! A test bed. It runs the real code of nodes, [`soma_chain`]'s state machine, [`soma_consensus`]'s
//! [`Host`](soma_consensus::Host) with its blocks, parts, codec, signatures and evidence, and the
//! engine's own consensus, write-ahead log and sync state, on virtual time, a virtual network and
//! virtual disks. No wall clock, no threads, no sockets, no order of hash maps: one seed gives one
//! run, bit by bit.
//!
//! # A run
//! ```text
//! seed ─▶ plan: validators, stakes, weather, faults
//!           │
//!         world: events in order of virtual time ──▶ node: Host + engine ──▶ messages, timers, notes
//!           ▲                                                                      │
//!           └── network: delay, loss, doubles, partitions ◀── byzantine changes ◀──┤
//!               disks: crashes lose what was not synced                            ▼
//!                                                                       checker, trace digest
//! ```
//! Faults come for some seconds; then all is calm, and every honest node must go on within bounded
//! time. The run ends there, or at the first broken rule: see [`Violation`] for the rules.
//!
//! # Reading order
//! `plan` (what a seed decides), `world` (the loop), `node` (the engine step by step), [`disk`],
//! `byzantine`, `checker`.
//!
//! # Example
//! ```
//! use soma_sim::{Scenario, run};
//!
//! let report = run(7, Scenario::Survivable, false).unwrap();
//! assert_eq!(report.violation, None);
//! ```
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

mod byzantine;
mod checker;
pub mod disk;
mod error;
mod genesis;
mod mempool;
mod node;
mod packet;
mod plan;
mod report;
mod runner;
mod time;
mod trace;
mod violation;
mod world;

pub use error::SimError;
pub use plan::Scenario;
pub use report::{Report, Tally};
pub use runner::{run, run_many};
pub use violation::Violation;
