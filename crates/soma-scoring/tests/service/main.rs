//! The scoring service over HTTP, with real weights, data and blob servers.

#[cfg(any(feature = "wgpu", feature = "cuda"))]
mod gpu;
mod hostile;
mod limits;
mod load;
mod memory;
mod openapi;
mod scores;
mod stopping;
mod web;
mod world;
