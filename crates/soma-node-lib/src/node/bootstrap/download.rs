//! Downloading the chunks of a snapshot, from all sources that give the same one.
//!
//! Chunks lie on disk under their checksums: after a break, or with the next snapshot that has the
//! same ones, only what is missing is downloaded.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::{StreamExt as _, TryStreamExt as _};
use soma_api::{SnapshotChunk, SnapshotManifest};
use soma_blobs::{AddressPolicy, BlobError, BlobRef, FetchConfig, Fetcher};

use super::error::{BootstrapError, SourceError, TryError};
use super::source::Source;

/// How often progress is logged.
const REPORT: Duration = Duration::from_secs(5);

/// A source that has done no wrong.
const GOOD: u8 = 0;
/// One that is slow, or gone: it is asked after the others.
const FAILS: u8 = 1;
/// One that gave something else than it named: it is not asked again.
const LIES: u8 = 2;

/// Where chunks are downloaded to.
pub(super) struct Downloads {
    folder: PathBuf,
    fetcher: Fetcher,
    parallel: usize,
    /// Names of the chunks of all snapshots that were tried: a break is no reason to download one
    /// again.
    tried: Mutex<HashSet<String>>,
}

impl Downloads {
    pub(super) fn new(folder: PathBuf, parallel: usize) -> Result<Self, BootstrapError> {
        // The operator named the sources: they may be on private addresses.
        let config = FetchConfig {
            policy: AddressPolicy::anywhere(),
            tries: 3,
            ..FetchConfig::default()
        };
        Ok(Self {
            folder,
            fetcher: Fetcher::new(config).map_err(BootstrapError::Download)?,
            parallel: parallel.max(1),
            tried: Mutex::default(),
        })
    }

    /// The file of a chunk.
    pub(super) fn file(&self, chunk: &SnapshotChunk) -> PathBuf {
        self.folder.join(chunk.checksum.to_string())
    }

    /// Downloads all chunks of `manifest` that are not here yet; gives the bytes that were
    /// downloaded.
    pub(super) async fn get(
        &self,
        manifest: &SnapshotManifest,
        sources: &[&Source],
    ) -> Result<u64, TryError> {
        self.clear(manifest)?;
        let all = manifest.size();
        let standing: Vec<_> = sources.iter().map(|_| AtomicU8::new(GOOD)).collect();
        let progress = Progress {
            all,
            chunks: manifest.chunks.len(),
            done: AtomicU64::new(0),
            downloaded: AtomicU64::new(0),
            reported: Mutex::new(Instant::now()),
        };
        let one =
            |(index, chunk)| self.chunk(manifest, (index, chunk), (sources, &standing), &progress);
        futures::stream::iter(manifest.chunks.iter().enumerate())
            .map(one)
            .buffer_unordered(self.parallel)
            .try_collect::<Vec<()>>()
            .await?;
        Ok(progress.downloaded.into_inner())
    }

    async fn chunk(
        &self,
        manifest: &SnapshotManifest,
        (index, chunk): (usize, &SnapshotChunk),
        (sources, standing): (&[&Source], &[AtomicU8]),
        progress: &Progress,
    ) -> Result<(), TryError> {
        let file = self.file(chunk);
        let here = std::fs::metadata(&file).map_or(0, |file| file.len());
        let mut reasons = Vec::new();
        // Each source its share; those that failed before come last.
        let places = (0..sources.len()).map(|place| (index + place) % sources.len());
        let mut places: Vec<_> = places.collect();
        places.sort_by_key(|place| standing[*place].load(Ordering::Relaxed));
        for place in places {
            let (source, standing) = (sources[place], &standing[place]);
            if standing.load(Ordering::Relaxed) == LIES {
                reasons.push(format!("{} gave a wrong chunk before", source.url));
                continue;
            }
            let blob = BlobRef {
                url: source.chunk_url(manifest.epoch, index),
                checksum: chunk.checksum,
                size: chunk.size,
            };
            match self.fetcher.fetch(&blob, &file, &|_| {}).await {
                Ok(()) => {
                    progress.add(chunk.size, chunk.size.saturating_sub(here));
                    return Ok(());
                }
                Err(error) => {
                    let (is_own, now) = match &error {
                        BlobError::ChecksumMismatch { .. } | BlobError::SizeMismatch { .. } => {
                            (false, LIES)
                        }
                        // Perhaps only the way to this source is broken.
                        BlobError::Offline { .. } => (false, FAILS),
                        other => (other.is_own(), FAILS),
                    };
                    if is_own {
                        return Err(error.into());
                    }
                    standing.fetch_max(now, Ordering::Relaxed);
                    reasons.push(error.to_string());
                }
            }
        }
        let reason = reasons.join("; ");
        Err(SourceError::Chunk { index, reason }.into())
    }

    /// Makes the folder, and removes what is of no snapshot that was tried in this run.
    fn clear(&self, manifest: &SnapshotManifest) -> Result<(), BootstrapError> {
        let mut tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        let chunks = manifest.chunks.iter();
        tried.extend(chunks.map(|chunk| chunk.checksum.to_string()));
        let clear = || -> std::io::Result<()> {
            std::fs::create_dir_all(&self.folder)?;
            for entry in std::fs::read_dir(&self.folder)? {
                let entry = entry?;
                if !tried.contains(&*entry.file_name().to_string_lossy()) {
                    std::fs::remove_file(entry.path())?;
                }
            }
            Ok(())
        };
        clear().map_err(file(&self.folder))
    }

    /// Removes the chunks of a snapshot that is not what it says.
    pub(super) fn remove(&self, manifest: &SnapshotManifest) {
        for chunk in &manifest.chunks {
            // What stays is removed by the next start.
            let _ = std::fs::remove_file(self.file(chunk));
        }
    }
}

/// An error of a file.
pub(super) fn file(path: &Path) -> impl FnOnce(std::io::Error) -> BootstrapError {
    let path = path.to_owned();
    move |error| BootstrapError::File { path, error }
}

/// How far a download is.
struct Progress {
    all: u64,
    chunks: usize,
    done: AtomicU64,
    downloaded: AtomicU64,
    reported: Mutex<Instant>,
}

impl Progress {
    fn add(&self, size: u64, downloaded: u64) {
        self.downloaded.fetch_add(downloaded, Ordering::Relaxed);
        let done = self.done.fetch_add(size, Ordering::Relaxed) + size;
        let Ok(mut reported) = self.reported.lock() else {
            return;
        };
        if done < self.all && reported.elapsed() < REPORT {
            return;
        }
        *reported = Instant::now();
        let (bytes, chunks) = (self.all, self.chunks);
        tracing::info!(done, bytes, chunks, "snapshot: downloading");
    }
}
