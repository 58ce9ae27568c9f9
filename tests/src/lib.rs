//! Worlds to test the chain in: a chain in memory with actors who hold keys, and a random game
//! that plays every kind of transaction, honest and hostile.
//!
//! - [`world`]: one chain, its actors, blocks made on request.
//! - [`model_secrets`]: what a model's owner keeps between commit and reveal.
//! - [`scenes`]: short ways to the situations that many tests start from.
//! - [`samples`]: everything that crosses a wire or a disk, filled from a seed.
//! - [`game`]: the random game and the rules that must hold after every block.
#![forbid(unsafe_code)]

pub mod game;
pub mod model_secrets;
pub mod samples;
pub mod scenes;
pub mod world;
