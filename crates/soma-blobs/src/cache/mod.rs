//! Blobs that were downloaded and verified, kept on disk up to a bound.
//!
//! ```text
//! folder/lock              one process at a time
//! folder/blobs/CHECKSUM    verified when it came, verified again on every use
//! folder/parts/…           unfinished downloads; a later one goes on from them
//! ```
//! Blobs in use are never removed; of the others, those that were not used for longest go first.
//! A disk that is full before the bound is reached is the bound.

mod blob;
mod flight;
mod index;
mod pace;

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use soma_types::Checksum;
use tokio::sync::{Semaphore, broadcast};

pub use blob::CachedBlob;
pub use flight::{Progress, ProgressState};
use index::Index;

use crate::error::BlobError;
use crate::fetch::Fetcher;
use crate::location::{BlobRef, shown};

/// Messages of progress that a slow listener may fall behind before it misses some.
const PROGRESS_BUFFER: usize = 256;

/// Where and how much is kept.
#[derive(Clone, Debug)]
pub struct CacheConfig {
    /// The folder; made when it is not there.
    pub folder: PathBuf,
    /// Bytes on disk, downloads under way included. Default 20 GiB.
    pub max_bytes: u64,
    /// Downloads at the same time. Default 8.
    pub parallel: usize,
}

impl CacheConfig {
    /// The defaults, in `folder`.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            max_bytes: 20 << 30,
            parallel: 8,
        }
    }
}

/// Verified blobs on disk, and the way to get more. Clones share everything.
#[derive(Clone)]
pub struct Cache {
    shared: Arc<Shared>,
}

/// What clones of a cache share.
pub(crate) struct Shared {
    config: CacheConfig,
    fetcher: Fetcher,
    index: Mutex<Index>,
    slots: Semaphore,
    progress: broadcast::Sender<Progress>,
    /// Keeps other processes out while it is open.
    _lock: File,
}

impl Cache {
    /// Opens the folder, with the blobs that are there.
    ///
    /// # Errors
    /// [`BlobError::CacheInUse`]; [`BlobError::Io`].
    pub fn open(config: CacheConfig, fetcher: Fetcher) -> Result<Self, BlobError> {
        let fail = |what: &Path| {
            let what = format!("cannot open {}", what.display());
            move |error: io::Error| BlobError::io(what, &error)
        };
        for folder in [blobs(&config), parts(&config)] {
            fs::create_dir_all(&folder).map_err(fail(&folder))?;
        }
        let path = config.folder.join("lock");
        let lock = File::create(&path).map_err(fail(&path))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => BlobError::CacheInUse {
                folder: config.folder.clone(),
            },
            TryLockError::Error(error) => fail(&path)(error),
        })?;
        for part in fs::read_dir(parts(&config)).map_err(fail(&parts(&config)))? {
            remove_if_empty(&part.map_err(fail(&parts(&config)))?.path());
        }
        let index = Index::scan(&blobs(&config)).map_err(fail(&blobs(&config)))?;
        let (progress, _) = broadcast::channel(PROGRESS_BUFFER);
        let slots = Semaphore::new(config.parallel.max(1));
        Ok(Self {
            shared: Arc::new(Shared {
                config,
                fetcher,
                index: Mutex::new(index),
                slots,
                progress,
                _lock: lock,
            }),
        })
    }

    /// The blob, downloaded when it is not here. Calls for the same blob share one download, which
    /// ends when nobody waits for it any more.
    ///
    /// # Errors
    /// [`BlobError`].
    pub async fn get(&self, blob: &BlobRef) -> Result<CachedBlob, BlobError> {
        // Whether a URL is refused must not depend on what was asked for before.
        self.shared.fetcher.allowed(blob)?;
        if let Some(kept) = self.kept(&blob.checksum) {
            if kept.size() == blob.size {
                return Ok(kept);
            }
            let got = kept.size().to_string();
            // A file that was cut on disk has another size too, and is not the blob's fault.
            let verified = tokio::task::spawn_blocking(move || kept.verify()).await;
            let stopped =
                |error| BlobError::io("cannot verify a kept file", &io::Error::from(error));
            match verified.map_err(stopped)? {
                Ok(()) => {
                    return Err(BlobError::SizeMismatch {
                        url: shown(&blob.url),
                        expected: blob.size,
                        got,
                    });
                }
                Err(BlobError::Damaged { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        flight::join(&self.shared, blob).await
    }

    /// The blob, when it is here.
    pub fn kept(&self, checksum: &Checksum) -> Option<CachedBlob> {
        let kept = self.shared.index().take(checksum)?;
        Some(CachedBlob::new(Arc::clone(&self.shared), kept))
    }

    /// Progress of all downloads from now on.
    pub fn progress(&self) -> broadcast::Receiver<Progress> {
        self.shared.progress.subscribe()
    }

    /// Bytes of kept blobs.
    pub fn bytes(&self) -> u64 {
        self.shared.index().bytes()
    }

    /// The bound in bytes.
    pub fn max_bytes(&self) -> u64 {
        self.shared.config.max_bytes
    }

    /// Writes and removes a small file, to see that the disk works.
    ///
    /// # Errors
    /// [`BlobError::Io`] or [`BlobError::DiskFull`].
    pub fn try_disk(&self) -> Result<(), BlobError> {
        let path = parts(&self.shared.config).join("probe");
        let tried = fs::write(&path, [0; 4_096]).and_then(|()| fs::remove_file(&path));
        tried.map_err(|error| BlobError::io(format!("cannot write {}", path.display()), &error))
    }
}

impl Shared {
    pub(crate) fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file of a blob.
    pub(crate) fn path(&self, checksum: &Checksum) -> PathBuf {
        blobs(&self.config).join(hex::encode(checksum.0))
    }
}

fn blobs(config: &CacheConfig) -> PathBuf {
    config.folder.join("blobs")
}

fn parts(config: &CacheConfig) -> PathBuf {
    config.folder.join("parts")
}

/// Removes an unfinished download without bytes: there is nothing to go on from.
fn remove_if_empty(part: &Path) {
    let metadata = fs::symlink_metadata(part);
    if metadata.is_ok_and(|metadata| metadata.is_file() && metadata.len() == 0) {
        let _ = fs::remove_file(part);
    }
}
