//! Settings of downloads.

use std::time::Duration;

use crate::policy::AddressPolicy;
use crate::store::S3Config;

/// How blobs are downloaded.
#[derive(Clone, Debug)]
pub struct FetchConfig {
    /// Which addresses may be connected to. Default: public ones.
    pub policy: AddressPolicy,
    /// Opens `file://` URLs: for localnets, whose machine is one. Default false.
    pub allow_files: bool,
    /// Where `s3://` URLs lead. Its address is under the policy too. Default none: they are
    /// refused.
    pub s3: Option<S3Config>,
    /// Buckets that are read with the keys of `s3`, or of the environment. All others are read
    /// without a signature: strangers choose the URLs, and must learn nothing of what only these
    /// keys can read. Default none.
    pub s3_buckets: Vec<String>,
    /// Tries in a row without a new byte. Default 5.
    pub tries: u32,
    /// Pause before the second try; doubles with each. Default 500 ms.
    pub first_pause: Duration,
    /// The longest pause. Default 30 s.
    pub longest_pause: Duration,
    /// Time to connect. Default 10 s.
    pub connect_timeout: Duration,
    /// Time without a byte. Default 30 s.
    pub idle_timeout: Duration,
    /// Time for the whole download, beside that for its size. Default 60 s.
    pub base_time: Duration,
    /// The slowest download that is waited for, in bytes per second. Default 1 MiB.
    pub slowest: u64,
    /// The longest that a download may take, whatever size is claimed. Default a year.
    pub longest_time: Duration,
}

impl Default for FetchConfig {
    fn default() -> Self {
        Self {
            policy: AddressPolicy::default(),
            allow_files: false,
            s3: None,
            s3_buckets: Vec::new(),
            tries: 5,
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(30),
            base_time: Duration::from_secs(60),
            slowest: 1 << 20,
            longest_time: Duration::from_secs(365 * 86_400),
        }
    }
}

impl FetchConfig {
    /// For one machine or a closed network: files and private addresses are opened too.
    pub fn local() -> Self {
        Self {
            policy: AddressPolicy::anywhere(),
            allow_files: true,
            ..Self::default()
        }
    }

    /// Time for a blob of `size` bytes, all tries together.
    pub(super) fn time_for(&self, size: u64) -> Duration {
        let for_size = Duration::from_secs(size / self.slowest.max(1));
        self.base_time
            .saturating_add(for_size)
            .min(self.longest_time)
    }
}
