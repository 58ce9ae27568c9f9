//! Settings of snapshots.

use serde::{Deserialize, Serialize};

/// The most bytes of a chunk before compression.
pub(crate) const LARGEST_CHUNK: usize = 32 << 20;

/// Settings of the snapshots that a node with a data folder makes and gives to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SnapshotsConfig {
    /// Makes snapshots and gives them to whoever asks. Default true; without a data folder there
    /// are none.
    pub enabled: bool,
    /// Makes one at the end of every so manieth epoch. Default 1.
    pub every_epochs: u64,
    /// The newest that are kept. Default 2: who is downloading one has an epoch to finish.
    pub keep: usize,
    /// Bytes of a chunk before compression, at most 32 MiB. Nodes with the same size make the same
    /// chunks, so that others can fetch them from all. Default 4 MiB.
    pub chunk_bytes: usize,
    /// Chunks that are sent at the same time; more requests are answered `Overloaded`. Default 8.
    pub max_streams: usize,
    /// Chunks that are downloaded at the same time when this node starts from a snapshot.
    /// Default 4.
    pub parallel: usize,
    /// The most bytes, before compression, of a snapshot that this node starts from. Default
    /// 64 GiB.
    pub max_bytes: u64,
}

impl Default for SnapshotsConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            every_epochs: 1,
            keep: 2,
            chunk_bytes: 4 << 20,
            max_streams: 8,
            parallel: 4,
            max_bytes: 64 << 30,
        }
    }
}

impl SnapshotsConfig {
    /// The size of chunks within its bounds: an entry may come on top, and others must take it.
    pub(super) fn chunk(&self) -> usize {
        self.chunk_bytes.clamp(1, LARGEST_CHUNK)
    }
}
