//! Downloading one blob into a file: tries, pauses, deadlines, and the checks at the end.

mod config;
mod failure;
mod file;
mod http;
mod part;
mod s3;

use std::path::Path;
use std::time::Duration;

use rand_core::{OsRng, RngCore as _};
use tokio::time::Instant;

pub use config::FetchConfig;
use part::Part;

use crate::error::BlobError;
use crate::location::{BlobRef, Location, shown};

/// Downloads blobs.
#[derive(Clone, Debug)]
pub struct Fetcher {
    config: FetchConfig,
    client: reqwest::Client,
}

/// How a try ended that did not fail for good.
enum Try {
    /// The source has no more bytes.
    Ended,
    /// Another try may succeed.
    Again {
        reason: String,
        /// What the server asks for.
        pause: Option<Duration>,
        /// True when this machine's network failed, and not the source.
        is_own: bool,
    },
}

/// Told how many bytes have arrived.
pub type OnProgress<'a> = &'a (dyn Fn(u64) + Send + Sync);

impl Fetcher {
    /// Downloads after `config`.
    ///
    /// # Errors
    /// [`BlobError::Settings`] when the system gives no TLS configuration.
    pub fn new(config: FetchConfig) -> Result<Self, BlobError> {
        let client = http::client(&config)?;
        Ok(Self { config, client })
    }

    /// Downloads `blob` into the file `to`, and checks size and checksum.
    ///
    /// What an earlier call left in the file is used again. The file is whole and on disk when
    /// this returns; after an error it may hold the beginning, unless that was wrong.
    ///
    /// # Errors
    /// [`BlobError`].
    pub async fn fetch(
        &self,
        blob: &BlobRef,
        to: &Path,
        progress: OnProgress<'_>,
    ) -> Result<(), BlobError> {
        let result = self.download(blob, to, progress).await;
        if let Err(BlobError::SizeMismatch { .. } | BlobError::ChecksumMismatch { .. }) = &result {
            // Of no use to a later call.
            let _ = tokio::fs::remove_file(to).await;
        }
        result
    }

    async fn download(
        &self,
        blob: &BlobRef,
        to: &Path,
        progress: OnProgress<'_>,
    ) -> Result<(), BlobError> {
        let location = self.allowed(blob)?;
        let mut part = Part::open(to, blob).await?;
        let time = self.config.time_for(blob.size);
        let deadline = Instant::now() + time;
        // More bytes than ever before are progress; the same ones again are not.
        let (mut fruitless, mut tries, mut most) = (0, 0, part.bytes());
        loop {
            if part.is_whole() {
                if part.check().await? {
                    progress(part.bytes());
                    return Ok(());
                }
                most = 0;
            }
            tries += 1;
            let attempt = self.attempt(&location, &mut part, progress);
            let ended = tokio::time::timeout_at(deadline, attempt).await;
            part.write_out().await?;
            let Ok(ended) = ended else {
                return Err(too_slow(blob, &part, time));
            };
            let (reason, pause, is_own) = match ended? {
                Try::Ended if part.is_whole() => continue,
                Try::Ended => return Err(part.too_short()),
                Try::Again {
                    reason,
                    pause,
                    is_own,
                } => (reason, pause, is_own),
            };
            fruitless = if part.bytes() > most {
                1
            } else {
                fruitless + 1
            };
            most = most.max(part.bytes());
            let pause = self.pause(fruitless, pause);
            let url = shown(&blob.url);
            if fruitless >= self.config.tries || Instant::now() + pause >= deadline {
                return Err(match is_own {
                    true => BlobError::Offline { url, reason },
                    false => BlobError::Unavailable { url, reason, tries },
                });
            }
            tracing::debug!(url, reason, ?pause, "download is tried again");
            tokio::time::sleep(pause).await;
        }
    }

    /// The blob's place, when it may be opened as far as its URL alone says: what a name leads to
    /// is checked when it is resolved.
    ///
    /// # Errors
    /// [`BlobError::InvalidUrl`], [`BlobError::SchemeNotAllowed`], [`BlobError::AddressNotAllowed`];
    /// [`BlobError::Settings`] of a store.
    pub(crate) fn allowed(&self, blob: &BlobRef) -> Result<Location, BlobError> {
        let location = Location::parse(&blob.url)?;
        let scheme = match (&location, &self.config.s3) {
            (Location::Http(url), _) => {
                self.config.policy.check(url)?;
                return Ok(location);
            }
            (Location::S3 { bucket, key }, Some(config)) => {
                self.check_s3(config, bucket, key)?;
                return Ok(location);
            }
            (Location::File(_), _) if self.config.allow_files => return Ok(location),
            (Location::File(_), _) => "file",
            (Location::S3 { .. }, None) => "s3",
        };
        Err(BlobError::SchemeNotAllowed {
            url: shown(&blob.url),
            scheme: scheme.to_owned(),
            allowed: "https or http",
        })
    }

    async fn attempt(
        &self,
        location: &Location,
        part: &mut Part,
        progress: OnProgress<'_>,
    ) -> Result<Try, BlobError> {
        match location {
            Location::Http(url) => self.read_http(url, part, progress).await,
            Location::File(path) => file::copy(path, part, progress).await,
            Location::S3 { bucket, key } => self.read_s3(bucket, key, part, progress).await,
        }
    }

    /// Doubles with every fruitless try, and differs from client to client.
    fn pause(&self, fruitless: u32, asked: Option<Duration>) -> Duration {
        let doubled = self.config.first_pause * 2u32.saturating_pow(fruitless.saturating_sub(1));
        let longest = doubled.min(self.config.longest_pause);
        let jitter = f64::from(OsRng.next_u32()) / f64::from(u32::MAX);
        let pause = longest.mul_f64(0.5 + 0.5 * jitter);
        asked.map_or(pause, |asked| {
            asked.max(pause).min(self.config.longest_pause)
        })
    }
}

fn too_slow(blob: &BlobRef, part: &Part, time: Duration) -> BlobError {
    BlobError::TooSlow {
        url: shown(&blob.url),
        bytes: part.bytes(),
        size: blob.size,
        seconds: time.as_secs(),
    }
}
