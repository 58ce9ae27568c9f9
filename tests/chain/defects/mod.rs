//! Rules that a network of this kind must hold to, one test for each, by number.
//!
//! The numbers are those of our list of known mistakes in protocols of this kind. Most are rules
//! of the chain and are tested here, in the file of their theme. The others hold elsewhere:
//!
//! - d24 (validators audit every filled target): the audit service in `soma-node`; the chain's
//!   side is `audit::d24_a_quorum_of_reports_decides_and_less_does_not`.
//! - d34 (stable random numbers and arithmetic): beside `scores::d34_…`, vectors of directions in
//!   `soma-targets`; a whole game is pinned in `replay.rs`.
//! - d46 (credentials of a client are kept and never sent) cannot arise: no settings keep any.
//! - d52 (typed faults of a fetch, by the blob at fault): beside `scores::d52_…`, the contract suite
//!   of `soma-blobs`; the chain keeps the reason of a report: `audit::d52_a_report_names_the_fault`.

mod audit;
mod budget;
mod crashes;
mod distance;
mod fees;
mod fraud;
mod models;
mod money;
mod power;
mod rewards;
mod scores;
mod stake;
mod submissions;
mod targets;
mod validators;
mod weights;
