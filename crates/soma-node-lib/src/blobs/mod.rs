//! The blobs that this node downloads: data and weights under audit, and what it passes on to
//! others.
//!
//! One place for both: what a validator audits it can also give, and what it gave it need not
//! download for the audit. A blob is fetched from its own URL on first use, once however many ask,
//! and only what matches its checksum is kept.
//!
//! Data and weights have caches of their own: anybody may reveal weights that are said to be large
//! and come slowly, and the audit's data must find a slot and room whatever is revealed.

mod config;
mod pins;

use std::collections::HashSet;
use std::hash::Hash;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use soma_blobs::{BlobError, BlobRef, Cache, CacheConfig, CachedBlob, Fetcher, check_published};
use soma_types::{Checksum, Epoch, TargetId};
use tempfile::TempDir;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

pub use config::BlobsConfig;
use pins::Pins;

/// Blobs larger than this are read through once, when they are first passed on, and not at each
/// request: weights have gigabytes, and whoever gets them checks them anyway.
const VERIFIED_EACH_TIME: u64 = 16 << 20;

/// The blobs of a node. Clones share everything.
#[derive(Clone)]
pub struct Blobs {
    shared: Arc<Shared>,
}

struct Shared {
    /// Data of targets.
    data: Kept<TargetId>,
    weights: Kept<Checksum>,
    serve: bool,
    local: bool,
    streams: Arc<Semaphore>,
    /// Large blobs that were read through since the node started.
    verified: Mutex<HashSet<Checksum>>,
    /// Weights that are being downloaded to be kept.
    fetching: Mutex<HashSet<Checksum>>,
    /// The tasks that do so.
    keeping: Mutex<JoinSet<()>>,
    _temporary: Option<TempDir>,
}

/// What a blob is. Neither takes slots or room of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlobKind {
    /// Submitted data.
    Data,
    /// Sealed weights.
    Weights,
}

impl BlobKind {
    /// As in `blob` of an error's details.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Weights => "weights",
        }
    }
}

/// The blobs of one kind. What is pinned leaves room for what is being downloaded and passed on.
struct Kept<K> {
    cache: Cache,
    pins: Mutex<Pins<K>>,
}

impl<K: Copy + Eq + Hash> Kept<K> {
    fn open(
        config: &BlobsConfig,
        folder: PathBuf,
        max_bytes: u64,
        pinned: u64,
    ) -> Result<Self, BlobError> {
        let cache = CacheConfig {
            max_bytes,
            parallel: config.parallel,
            ..CacheConfig::new(folder)
        };
        Ok(Self {
            cache: Cache::open(cache, Fetcher::new(config.fetch())?)?,
            pins: Mutex::new(Pins::new(pinned)),
        })
    }

    /// Holds a blob that is here: after a restart.
    fn hold(&self, of: K, epoch: Epoch, checksum: &Checksum) {
        if let Some(blob) = self.cache.kept(checksum) {
            self.pins().hold(of, epoch, blob);
        }
    }

    fn pins(&self) -> MutexGuard<'_, Pins<K>> {
        self.pins.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Blobs {
    /// Opens the caches of a node whose data lies in `data_dir`. Blocks the thread.
    ///
    /// # Errors
    /// [`BlobError`], for example when another process uses the folder.
    pub fn open(config: &BlobsConfig, data_dir: Option<&Path>) -> Result<Self, BlobError> {
        let (folder, temporary) = folder(config, data_dir)?;
        let (all, for_data) = (config.max_bytes, config.max_bytes / 4);
        let weights = folder.join("weights");
        Ok(Self {
            shared: Arc::new(Shared {
                data: Kept::open(config, folder, for_data, for_data / 2)?,
                weights: Kept::open(config, weights, all - for_data, all / 2)?,
                serve: config.serve,
                local: config.local,
                streams: Arc::new(Semaphore::new(config.max_streams)),
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

    /// Data, downloaded when it is not here. Calls for the same share one download.
    ///
    /// # Errors
    /// [`BlobError`].
    pub async fn get(&self, data: &BlobRef) -> Result<CachedBlob, BlobError> {
        self.shared.data.cache.get(data).await
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
    pub async fn ready(&self, kind: BlobKind, blob: BlobRef) -> Result<CachedBlob, BlobError> {
        let blobs = self.clone();
        let task = tokio::spawn(async move {
            match blobs.fetch_verified(kind, &blob).await {
                // It was damaged on disk and is removed: it can be fetched again.
                Err(BlobError::Damaged { .. }) => blobs.fetch_verified(kind, &blob).await,
                other => other,
            }
        });
        task.await.unwrap_or_else(|_| Err(stopped()))
    }

    async fn fetch_verified(
        &self,
        kind: BlobKind,
        blob: &BlobRef,
    ) -> Result<CachedBlob, BlobError> {
        let kept = match kind {
            BlobKind::Data => self.shared.data.cache.get(blob).await?,
            BlobKind::Weights => self.shared.weights.cache.get(blob).await?,
        };
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
        self.shared.data.pins().hold(target, epoch, blob);
    }

    /// Keeps sealed weights that a fill or reveal of `epoch` is about until the audit of it is over.
    /// They are downloaded meanwhile: a validator's scorer has a cache of its own, and whoever wants
    /// to check the audit later may find their URL gone.
    pub(crate) fn keep_weights(&self, epoch: Epoch, weights: BlobRef) {
        let (checksum, bytes) = (weights.checksum, weights.size);
        {
            let mut pins = self.shared.weights.pins();
            if pins.extend(checksum, epoch) {
                return;
            }
            // What they are said to have is enough: they would be let go as soon as they are here.
            if !pins.can_hold(bytes) {
                tracing::warn!(%checksum, bytes, "weights under audit are too large to be kept");
                return;
            }
        }
        if !self.fetching().insert(checksum) {
            return;
        }
        let blobs = self.clone();
        let mut keeping = self.keeping();
        while keeping.try_join_next().is_some() {}
        keeping.spawn(async move {
            let kept = &blobs.shared.weights;
            match kept.cache.get(&weights).await {
                Ok(blob) => kept.pins().hold(checksum, epoch, blob),
                // The next audit that is about them tries again.
                Err(error) => {
                    tracing::warn!(%checksum, %error, "weights under audit cannot be kept");
                }
            }
            blobs.fetching().remove(&checksum);
        });
    }

    /// As [`Blobs::hold`], when the data is here: after a restart.
    pub(crate) fn hold_kept(&self, target: TargetId, epoch: Epoch, checksum: &Checksum) {
        self.shared.data.hold(target, epoch, checksum);
    }

    /// Ends downloads that are under way to be kept: the folder is free for the next start.
    pub(crate) async fn stop_keeping(&self) {
        let mut keeping = std::mem::take(&mut *self.keeping());
        keeping.shutdown().await;
    }

    /// Holds weights that are here for a fill of `epoch`: after a restart.
    pub(crate) fn hold_kept_weights(&self, epoch: Epoch, checksum: &Checksum) {
        self.shared.weights.hold(*checksum, epoch, checksum);
    }

    /// Lets go of what is audited no more in epoch `now`.
    pub(crate) fn release(&self, now: Epoch) {
        self.shared.data.pins().release(now);
        self.shared.weights.pins().release(now);
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use tokio::net::TcpListener;

    use super::*;

    /// A server that takes connections and sends nothing; its URL, and how many it has.
    async fn silent() -> (String, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        tokio::spawn(async move {
            let mut held = Vec::new();
            loop {
                held.push(listener.accept().await.unwrap());
                counted.fetch_add(1, Ordering::Relaxed);
            }
        });
        (url, count)
    }

    fn open(folder: &Path, parallel: usize, max_bytes: u64) -> Blobs {
        let config = BlobsConfig {
            folder: Some(folder.join("cache")),
            local: true,
            max_bytes,
            parallel,
            ..BlobsConfig::default()
        };
        Blobs::open(&config, None).unwrap()
    }

    fn weights(url: &str, byte: u8, size: u64) -> BlobRef {
        BlobRef {
            url: format!("{url}/{byte}"),
            checksum: Checksum([byte; 32]),
            size,
        }
    }

    /// Data that lies in `folder`.
    fn data(folder: &Path) -> BlobRef {
        let (path, bytes) = (folder.join("data"), vec![1; 500]);
        std::fs::write(&path, &bytes).unwrap();
        BlobRef {
            url: format!("file://{}", path.display()),
            checksum: soma_crypto::checksum(&bytes),
            size: 500,
        }
    }

    #[tokio::test]
    async fn weights_that_do_not_come_leave_slots_and_room_for_data() {
        // As many downloads as there are slots, and two that claim all that there is.
        for (parallel, count, size) in [(2, 5, 10), (8, 2, 2_000)] {
            let folder = tempfile::tempdir().unwrap();
            let (url, connections) = silent().await;
            let blobs = open(folder.path(), parallel, 4_000);
            for byte in 0..count {
                blobs.keep_weights(Epoch(1), weights(&url, byte, size));
                // Whoever asks for them waits, too.
                let (blobs, asked) = (blobs.clone(), weights(&url, byte + 100, size));
                tokio::spawn(async move { blobs.ready(BlobKind::Weights, asked).await });
            }
            while connections.load(Ordering::Relaxed) == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let data = data(folder.path());
            let got = tokio::time::timeout(Duration::from_secs(10), blobs.get(&data)).await;
            let got = got.expect("a slot").expect("room");
            assert_eq!(blobs.read(&got).await.unwrap().len(), 500);
            blobs.stop_keeping().await;
        }
    }

    #[tokio::test]
    async fn weights_that_are_said_to_be_too_large_to_be_kept_are_not_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let (url, connections) = silent().await;
        let blobs = open(folder.path(), 8, 4_000);
        for (byte, size) in [(1, 2_001), (2, u64::MAX)] {
            blobs.keep_weights(Epoch(1), weights(&url, byte, size));
        }
        assert!(blobs.fetching().is_empty());
        blobs.keep_weights(Epoch(1), weights(&url, 3, 2_000));
        while connections.load(Ordering::Relaxed) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(connections.load(Ordering::Relaxed), 1);
        blobs.stop_keeping().await;
    }
}
