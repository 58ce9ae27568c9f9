//! The scoring service over HTTP, with real weights, data and blob servers.

mod hostile;
mod load;
mod openapi;
mod scores;
mod world;
