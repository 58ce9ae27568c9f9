//! Verified fetch, upload and cache of blobs: the data and weights that the network names by URL,
//! checksum and size.
//!
//! # Place
//! Above `soma-types` and `soma-crypto` (sealed weights); with the feature `server` above
//! `soma-service` too, for the built-in server.
//! URLs, servers and files are hostile: nothing is believed before its checksum matches.
//!
//! # The path of a blob
//! ```text
//! BlobRef {url, checksum, size}
//!    │ location: which scheme, allowed at all?
//!    │ policy:   which addresses, after DNS and on every redirect?
//!    ▼
//! Fetcher ── http(s), s3, file ──▶ part file ──▶ Cache ──▶ CachedBlob ──▶ read, or open sealed
//!    retries, ranges, deadlines     size cap,      LRU by     verified again on every use
//!                                   SHA3-256       bytes
//! ```
//! The other way, [`Store`] puts files into a folder, an S3-compatible store or the built-in
//! server, and says under which URL they are found.
//!
//! # Invariants
//! - Memory does not grow with a blob; disk does not grow beyond the cache's bound.
//! - Only blobs whose checksum and size matched are kept; each use checks them again.
//! - Sealed weights stay sealed on disk, so no wrong key can spoil a kept file.
//! - Own trouble (disk, network, settings) is told apart from trouble with the blob:
//!   [`BlobError::is_own`].
//!
//! # Reading order
//! [`location`], [`policy`], [`fetch`], [`cache`], [`sealed`], [`store`], `server`.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

pub mod cache;
pub mod error;
pub mod fetch;
pub mod location;
pub mod policy;
mod resolve;
pub mod sealed;
#[cfg(feature = "server")]
pub mod server;
pub mod store;

pub use cache::{Cache, CacheConfig, CachedBlob, Progress, ProgressState};
pub use error::BlobError;
pub use fetch::{FetchConfig, Fetcher};
pub use location::{BlobRef, Location, check_published};
pub use policy::AddressPolicy;
pub use sealed::SealedBlob;
pub use store::{S3Config, Store, StoreConfig, readable_file};
