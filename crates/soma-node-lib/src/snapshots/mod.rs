//! Snapshots of the state: made at the end of epochs while the node goes on, kept on disk, given
//! to nodes that start.
//!
//! ```text
//! epoch ends ─▶ EpochEnds: the state is held ─▶ make: chunks, compressed ─▶ folder ─▶ /v1/snapshots
//! ```
//! A snapshot proves nothing by itself; who imports it checks it against the certified header.

mod chunk;
mod config;
mod folder;
mod make;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use soma_api::SnapshotManifest;
use soma_types::{ChainId, Epoch};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub(crate) use chunk::{MAX_CHUNK_BYTES, decode};
pub(crate) use config::LARGEST_CHUNK;
pub use config::SnapshotsConfig;
use folder::Folder;
pub(crate) use folder::sync;
pub(crate) use make::EpochEnds;

/// The snapshots of a node. Clones share everything.
#[derive(Clone)]
pub struct Snapshots {
    shared: Arc<Shared>,
}

struct Shared {
    config: SnapshotsConfig,
    folder: Folder,
    kept: RwLock<BTreeMap<Epoch, Arc<SnapshotManifest>>>,
    streams: Arc<Semaphore>,
}

impl Snapshots {
    /// Opens the snapshots in `data_dir`. Blocks the thread.
    ///
    /// # Errors
    /// When the folder cannot be read or written.
    pub fn open(config: SnapshotsConfig, data_dir: &Path, chain_id: ChainId) -> io::Result<Self> {
        let (folder, found) = Folder::open(data_dir.join("snapshots"), chain_id)?;
        let kept = found.into_iter().map(|one| (one.epoch, Arc::new(one)));
        Ok(Self {
            shared: Arc::new(Shared {
                config,
                folder,
                kept: RwLock::new(kept.collect()),
                streams: Arc::new(Semaphore::new(config.max_streams)),
            }),
        })
    }

    /// What there is, newest first.
    pub fn list(&self) -> Vec<Arc<SnapshotManifest>> {
        let kept = self.shared.kept.read();
        let kept = kept.unwrap_or_else(PoisonError::into_inner);
        kept.values().rev().cloned().collect()
    }

    /// The snapshot of the end of `epoch`.
    pub fn manifest(&self, epoch: Epoch) -> Option<Arc<SnapshotManifest>> {
        let kept = self.shared.kept.read();
        let kept = kept.unwrap_or_else(PoisonError::into_inner);
        kept.get(&epoch).cloned()
    }

    /// The file of a chunk, which may be gone in the next moment.
    pub(crate) fn chunk(&self, epoch: Epoch, index: usize) -> PathBuf {
        self.shared.folder.chunk(epoch, index)
    }

    /// A place to send a chunk; none when as many are sent as may be.
    pub(crate) fn slot(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.shared.streams).try_acquire_owned().ok()
    }

    /// Takes note of a new snapshot, and removes those that are not kept any more.
    fn add(&self, manifest: Arc<SnapshotManifest>) -> io::Result<()> {
        let mut gone = Vec::new();
        {
            let kept = self.shared.kept.write();
            let mut kept = kept.unwrap_or_else(PoisonError::into_inner);
            kept.insert(manifest.epoch, manifest);
            while kept.len() > self.shared.config.keep.max(1) {
                gone.extend(kept.pop_first());
            }
        }
        for (epoch, _) in gone {
            self.shared.folder.remove(epoch)?;
        }
        Ok(())
    }
}
