//! From scores to submissions: which candidate hits which target, and which of the hits to submit.
//!
//! ```text
//! Board: open targets, their models ──groups──▶ what to score each candidate with
//! Book:  candidate → model → score
//!          └──judge──▶ Hit {candidate, target, distance} ──choose──▶ what the money is enough for
//! ```
//! Nothing here reads a clock or a network. Distances are those of the chain, in fixed point.

pub mod board;
pub mod book;
pub mod choice;
pub mod judge;
mod scanner;
#[cfg(test)]
mod tests;

pub use board::{Board, Group, OpenTarget};
pub use book::{Book, Score};
pub use choice::{Choice, Funds, Price, choose};
pub use judge::{Claim, Hit, Judged, Near, Terms, fees, judge};
pub use scanner::{Outcome, Scanner};
pub use soma_sdk::ModelVersion;
