//! The blobs that this node downloads: data and weights under audit, and what it passes on to
//! others.
//!
//! One cache for both: what a validator audits it can also give, and what it gave it need not
//! download for the audit. A blob is fetched from its own URL on first use, once however many ask,
//! and only what matches its checksum is kept.

mod config;
mod pins;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use soma_blobs::{BlobError, BlobRef, Cache, CacheConfig, CachedBlob, Fetcher, check_published};
use soma_types::{Checksum, Epoch, TargetId};
use tempfile::TempDir;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

pub use config::BlobsConfig;
use pins::{Pinned, Pins};

/// Blobs larger than this are read through once, when they are first passed on, and not at each
/// request: weights have gigabytes, and whoever gets them checks them anyway.
const VERIFIED_EACH_TIME: u64 = 16 << 20;

/// The blobs of a node. Clones share everything.
#[derive(Clone)]
pub struct Blobs {
    shared: Arc<Shared>,
}

struct Shared {
    cache: Cache,
    serve: bool,
    local: bool,
    streams: Arc<Semaphore>,
    pins: Mutex<Pins>,
    /// Large blobs that were read through since the node started.
    verified: Mutex<HashSet<Checksum>>,
    /// Weights that are being downloaded to be kept.
    fetching: Mutex<HashSet<Checksum>>,
    /// The tasks that do so.
    keeping: Mutex<JoinSet<()>>,
    _temporary: Option<TempDir>,
}

impl Blobs {
    /// Opens the cache of a node whose data lies in `data_dir`. Blocks the thread.
    ///
    /// # Errors
    /// [`BlobError`], for example when another process uses the folder.
    pub fn open(config: &BlobsConfig, data_dir: Option<&Path>) -> Result<Self, BlobError> {
        let (folder, temporary) = folder(config, data_dir)?;
        let cache = CacheConfig {
            max_bytes: config.max_bytes,
            parallel: config.parallel,
            ..CacheConfig::new(folder)
        };
        let cache = Cache::open(cache, Fetcher::new(config.fetch())?)?;
        Ok(Self {
            shared: Arc::new(Shared {
                cache,
                serve: config.serve,
                local: config.local,
                streams: Arc::new(Semaphore::new(config.max_streams)),
                // The rest is for what is being downloaded and passed on.
                pins: Mutex::new(Pins::new(config.max_bytes / 2)),
                verified: Mutex::new(HashSet::new()),
                fetching: Mutex::new(HashSet::new()),
                keeping: Mutex::new(JoinSet::new()),
                _temporary: temporary,
            }),
        })
    }

    /// True when blobs are passed on to whoever asks.
    pub fn serves(&self) -> bool {
        self.shared.serve
    }

    /// True where nodes open files and private addresses too.
    pub(crate) fn is_local(&self) -> bool {
        self.shared.local
    }

    /// Checks that the nodes of this network can be expected to open `url`: see
    /// [`check_published`].
    ///
    /// # Errors
    /// [`BlobError`].
    pub(crate) fn check_published(&self, url: &str) -> Result<(), BlobError> {
        check_published(url, self.shared.local)
    }

    /// The blob, downloaded when it is not here. Calls for the same blob share one download.
    ///
    /// # Errors
    /// [`BlobError`].
    pub async fn get(&self, blob: &BlobRef) -> Result<CachedBlob, BlobError> {
        self.shared.cache.get(blob).await
    }

    /// The bytes of a small blob, verified.
    ///
    /// # Errors
    /// [`BlobError`].
    pub async fn read(&self, blob: &CachedBlob) -> Result<Vec<u8>, BlobError> {
        let blob = blob.clone();
        tokio::task::spawn_blocking(move || blob.read())
            .await
            .unwrap_or_else(|_| Err(stopped()))
    }

    /// A place to send a blob; none when as many are sent as may be.
    pub fn slot(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.shared.streams).try_acquire_owned().ok()
    }

    /// The blob, ready to be passed on: downloaded and verified. The download goes on when the
    /// caller stops waiting, so that whoever asks again later finds more of it.
    ///
    /// # Errors
    /// [`BlobError`].
    pub async fn ready(&self, blob: BlobRef) -> Result<CachedBlob, BlobError> {
        let blobs = self.clone();
        let task = tokio::spawn(async move {
            match blobs.fetch_verified(&blob).await {
                // It was damaged on disk and is removed: it can be fetched again.
                Err(BlobError::Damaged { .. }) => blobs.fetch_verified(&blob).await,
                other => other,
            }
        });
        task.await.unwrap_or_else(|_| Err(stopped()))
    }

    async fn fetch_verified(&self, blob: &BlobRef) -> Result<CachedBlob, BlobError> {
        let kept = self.get(blob).await?;
        let large = kept.size() > VERIFIED_EACH_TIME;
        if large && self.verified().contains(&kept.checksum()) {
            return Ok(kept);
        }
        let reading = kept.clone();
        let verified = tokio::task::spawn_blocking(move || reading.verify()).await;
        verified.unwrap_or_else(|_| Err(stopped()))?;
        if large {
            self.verified().insert(kept.checksum());
        }
        Ok(kept)
    }

    /// Keeps the data of `target`, filled in `epoch`, until it can be claimed.
    pub(crate) fn hold(&self, target: TargetId, epoch: Epoch, blob: CachedBlob) {
        self.pins().hold(Pinned::Data(target), epoch, blob);
    }

    /// Keeps sealed weights that a fill or reveal of `epoch` is about until the audit of it is over.
    /// They are downloaded meanwhile: a validator's scorer has a cache of its own, and whoever wants
    /// to check the audit later may find their URL gone.
    pub(crate) fn keep_weights(&self, epoch: Epoch, weights: BlobRef) {
        let of = Pinned::Weights(weights.checksum);
        if self.pins().extend(of, epoch) || !self.fetching().insert(weights.checksum) {
            return;
        }
        let blobs = self.clone();
        let mut keeping = self.keeping();
        while keeping.try_join_next().is_some() {}
        keeping.spawn(async move {
            match blobs.get(&weights).await {
                Ok(blob) => blobs.pins().hold(of, epoch, blob),
                // The next audit that is about them tries again.
                Err(error) => tracing::warn!(
                    checksum = %weights.checksum, %error,
                    "weights under audit cannot be kept"
                ),
            }
            blobs.fetching().remove(&weights.checksum);
        });
    }

    /// As [`Blobs::hold`], when the data is here: after a restart.
    pub(crate) fn hold_kept(&self, target: TargetId, epoch: Epoch, checksum: &Checksum) {
        if let Some(blob) = self.shared.cache.kept(checksum) {
            self.hold(target, epoch, blob);
        }
    }

    /// Ends downloads that are under way to be kept: the folder is free for the next start.
    pub(crate) async fn stop_keeping(&self) {
        let mut keeping = std::mem::take(&mut *self.keeping());
        keeping.shutdown().await;
    }

    /// Holds weights that are here for a fill of `epoch`: after a restart.
    pub(crate) fn hold_kept_weights(&self, epoch: Epoch, checksum: &Checksum) {
        if let Some(blob) = self.shared.cache.kept(checksum) {
            self.pins().hold(Pinned::Weights(*checksum), epoch, blob);
        }
    }

    /// Lets go of what is audited no more in epoch `now`.
    pub(crate) fn release(&self, now: Epoch) {
        self.pins().release(now);
    }

    fn pins(&self) -> MutexGuard<'_, Pins> {
        let pins = &self.shared.pins;
        pins.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keeping(&self) -> MutexGuard<'_, JoinSet<()>> {
        let keeping = &self.shared.keeping;
        keeping.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fetching(&self) -> MutexGuard<'_, HashSet<Checksum>> {
        let fetching = &self.shared.fetching;
        fetching.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn verified(&self) -> MutexGuard<'_, HashSet<Checksum>> {
        let verified = &self.shared.verified;
        verified.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn folder(
    config: &BlobsConfig,
    data_dir: Option<&Path>,
) -> Result<(PathBuf, Option<TempDir>), BlobError> {
    match (&config.folder, data_dir) {
        (Some(folder), _) => Ok((folder.clone(), None)),
        (None, Some(dir)) => Ok((dir.join("blob-cache"), None)),
        (None, None) => {
            let temporary = TempDir::new().map_err(|error| BlobError::Io {
                what: "cannot make a temporary folder".to_owned(),
                reason: error.to_string(),
            })?;
            Ok((temporary.path().to_owned(), Some(temporary)))
        }
    }
}

fn stopped() -> BlobError {
    BlobError::Io {
        what: "cannot read a kept file".to_owned(),
        reason: "the node is stopping".to_owned(),
    }
}
