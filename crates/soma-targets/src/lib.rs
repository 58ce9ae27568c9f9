//! Target drawing, exact distance, nearest models, difficulty.
#![forbid(unsafe_code)]

mod coarse;
pub mod difficulty;
mod distance;
mod draw;
mod index;
mod kernel;
mod order;
mod select;

pub use distance::{DimensionMismatch, cosine_distance, dot};
pub use draw::draw_direction;
pub use index::{ModelIndex, Neighbor};
