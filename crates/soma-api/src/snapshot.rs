//! Snapshots of the whole state, from which a new node starts.
//!
//! A snapshot shows nothing by itself: who imports it checks that its state has the root that the
//! certified last header of the epoch names.

use serde::{Deserialize, Serialize};
use soma_types::{ChainId, Checksum, Digest, Epoch, Height};

/// The snapshots that a node gives, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Snapshots {
    /// The snapshots.
    pub snapshots: Vec<SnapshotView>,
}

/// A snapshot in short.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SnapshotView {
    /// The epoch at whose end it was taken.
    pub epoch: Epoch,
    /// Height of that epoch's last block.
    pub height: Height,
    /// Digest of that block's header.
    pub digest: Digest,
    /// Root of the state.
    pub state_root: Digest,
    /// Number of chunks.
    pub chunks: u64,
    /// Bytes of all chunks, compressed.
    pub size: u64,
}

/// What a snapshot consists of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SnapshotManifest {
    /// Form of the chunks; see [`SNAPSHOT_FORMAT`].
    pub format: u32,
    /// The chain.
    pub chain_id: ChainId,
    /// The epoch at whose end it was taken.
    pub epoch: Epoch,
    /// Height of that epoch's last block.
    pub height: Height,
    /// Digest of that block's header.
    pub digest: Digest,
    /// Root of the state.
    pub state_root: Digest,
    /// The chunks in order.
    pub chunks: Vec<SnapshotChunk>,
}

/// A piece of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SnapshotChunk {
    /// SHA3-256 of its bytes.
    pub checksum: Checksum,
    /// Its bytes.
    pub size: u64,
    /// Bytes that it has when it is decompressed.
    pub content_size: u64,
}

/// The form that chunks have now. A chunk is one or more Zstandard frames of entries, ascending by
/// key over all chunks: length of key and length of value, each in 4 bytes with the lowest first,
/// then key and value.
pub const SNAPSHOT_FORMAT: u32 = 1;

impl SnapshotManifest {
    /// Bytes of all chunks, compressed.
    pub fn size(&self) -> u64 {
        let sizes = self.chunks.iter().map(|chunk| chunk.size);
        sizes.fold(0, u64::saturating_add)
    }
}

impl From<&SnapshotManifest> for SnapshotView {
    fn from(manifest: &SnapshotManifest) -> Self {
        Self {
            epoch: manifest.epoch,
            height: manifest.height,
            digest: manifest.digest,
            state_root: manifest.state_root,
            chunks: u64::try_from(manifest.chunks.len()).unwrap_or(u64::MAX),
            size: manifest.size(),
        }
    }
}
