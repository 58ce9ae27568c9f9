//! Blocks on their way: split into parts, and put together again in bounded memory.

mod split;
mod stream;
mod streams;

pub use split::split;
pub use streams::{Complete, StreamLimits, Streams, Taken};
