//! Settings of the blob cache.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use soma_blobs::FetchConfig;

/// Settings of the blobs that this node downloads: for audits, and to pass them on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BlobsConfig {
    /// Gives revealed weights and submitted data to whoever asks, at `/v1/models/{id}/weights`,
    /// `/v1/targets/{id}/data` and `/v1/targets/{id}/weights/{model}`; also `--serve-blobs`. A
    /// validator keeps what is under audit in any case. Default false.
    pub serve: bool,
    /// Where blobs are kept. Default `blob-cache` in the data folder; a temporary folder when
    /// there is none.
    pub folder: Option<PathBuf>,
    /// Bytes on disk: a quarter for data, the rest for weights, which are said to be of any size and
    /// must leave room for data. Default 20 GiB.
    pub max_bytes: u64,
    /// Downloads of data at the same time, and as many of weights. Default 8.
    pub parallel: usize,
    /// Blobs that are sent at the same time; more requests are answered `Overloaded`. Default 32.
    pub max_streams: usize,
    /// Opens `file://` URLs and private addresses too: for localnets only. Default false.
    pub local: bool,
    /// Tries of a download in a row without a new byte. Default 5.
    pub tries: u32,
    /// Pause before the second try in milliseconds; doubles with each. Default 500.
    pub first_pause_ms: u64,
}

impl Default for BlobsConfig {
    fn default() -> Self {
        Self {
            serve: false,
            folder: None,
            max_bytes: 20 << 30,
            parallel: 8,
            max_streams: 32,
            local: false,
            tries: 5,
            first_pause_ms: 500,
        }
    }
}

impl BlobsConfig {
    /// How blobs are downloaded.
    pub(super) fn fetch(&self) -> FetchConfig {
        let base = match self.local {
            true => FetchConfig::local(),
            false => FetchConfig::default(),
        };
        FetchConfig {
            tries: self.tries,
            first_pause: Duration::from_millis(self.first_pause_ms),
            ..base
        }
    }
}
