//! The scoring service over HTTP, with real weights, data and blob servers.

mod hostile;
mod limits;
mod load;
mod memory;
mod openapi;
mod scores;
mod stopping;
mod web;
mod world;
