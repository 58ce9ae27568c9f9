//! What the tests share: settings that fail fast, blobs, caches in temporary folders.

use std::path::{Path, PathBuf};
use std::time::Duration;

use soma_blobs::{BlobError, BlobRef, Cache, CacheConfig, FetchConfig, Fetcher};
use tempfile::TempDir;

/// 1 MiB: what most tests move.
pub(crate) const MIB: usize = 1 << 20;

/// Settings for servers on this machine, with short pauses and limits far above what a busy
/// machine needs.
pub(crate) fn config() -> FetchConfig {
    FetchConfig {
        tries: 3,
        first_pause: Duration::from_millis(1),
        longest_pause: Duration::from_millis(20),
        ..FetchConfig::local()
    }
}

pub(crate) fn fetcher() -> Fetcher {
    Fetcher::new(config()).unwrap()
}

/// Bytes that do not repeat in the pieces that move through the network.
pub(crate) fn bytes(length: usize) -> Vec<u8> {
    (0..length as u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect()
}

/// How the network names `content` at `url`.
pub(crate) fn blob(url: impl Into<String>, content: &[u8]) -> BlobRef {
    BlobRef {
        url: url.into(),
        checksum: soma_crypto::checksum(content),
        size: content.len() as u64,
    }
}

/// A temporary folder, with a place for one download.
pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().unwrap();
        Self { folder }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("blob")
    }

    /// Downloads into the place.
    pub(crate) async fn fetch(&self, fetcher: &Fetcher, blob: &BlobRef) -> Result<(), BlobError> {
        fetcher.fetch(blob, &self.file(), &|_| {}).await
    }

    pub(crate) fn content(&self) -> Vec<u8> {
        std::fs::read(self.file()).unwrap()
    }

    /// Opens a cache here that holds `max_bytes`.
    pub(crate) fn cache(&self, max_bytes: u64) -> Cache {
        let mut config = CacheConfig::new(self.folder.path().join("cache"));
        config.max_bytes = max_bytes;
        Cache::open(config, fetcher()).unwrap()
    }
}
