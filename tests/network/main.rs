//! Whole networks: the real program, each node in a process of its own.
//!
//! - `crashes`: validators killed under load, one, half and all of them.
//! - `epochs`: epochs end at the same block on all nodes, by time and by force.
//! - `wire`: garbage on the port where peers connect.

mod crashes;
mod epochs;
mod wire;

use std::path::PathBuf;

/// The program of a node.
fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_soma-node"))
}
