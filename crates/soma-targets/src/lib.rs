//! Targets of the SOMA network: where they lie, who is assigned, and how near data must come.
//!
//! # Place
//! Depends on `soma-types` and the hashing of `soma-crypto`. No I/O, no clock, no randomness but
//! the seeds that callers hand in, and no result that depends on threads or CPU.
//!
//! # The path of a target
//! ```text
//! block hash, number ──draw──▶ direction ──index──▶ nearest models by distance / √stake
//!                                  │
//!                                  └── difficulty: threshold ──▶ a hit, when
//!                                      cosine_distance(direction, data) ≤ threshold
//! ```
//!
//! # Reading order
//! 1. [`draw`]: a uniform direction from a seed, bit for bit the same everywhere.
//! 2. [`distance`]: exact dot products and cosine distances.
//! 3. `order`, [`index`]: the nearest models; `coarse`, `select` and `kernel` make it fast without
//!    ever deciding the answer.
//! 4. [`difficulty`]: how the threshold follows the hits.
//!
//! # Floats
//! The draw computes in doubles, strictly in order and by software (`libm`), then rounds to fixed
//! point: the same everywhere. The coarse scan of the index uses floats for bounds, rounded outward;
//! what it lets through is compared in integers.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

mod coarse;
pub mod difficulty;
pub mod distance;
pub mod draw;
pub mod index;
mod kernel;
mod order;
mod select;

pub use distance::{DimensionMismatch, cosine_distance, dot};
pub use draw::{Normals, draw_direction};
pub use index::{ModelIndex, Neighbor};
