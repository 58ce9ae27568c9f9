//! What can go wrong with a blob.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

use soma_types::Checksum;
use thiserror::Error;

/// Why a blob cannot be had or put somewhere.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BlobError {
    /// The URL cannot be read, or carries a user name or password.
    #[error("URL `{url}`: {reason}")]
    InvalidUrl {
        /// The URL.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The scheme is none that may be opened here.
    #[error("URL `{url}` has scheme `{scheme}`, which is not opened here; use {allowed}")]
    SchemeNotAllowed {
        /// The URL.
        url: String,
        /// Its scheme.
        scheme: String,
        /// The schemes that may be used.
        allowed: &'static str,
    },
    /// The host is, or resolves to, an address that is not public.
    #[error(
        "`{host}` has address {address}, which is not public; only a service that allows private \
         addresses opens it"
    )]
    AddressNotAllowed {
        /// The host.
        host: String,
        /// The address.
        address: String,
    },
    /// The server does not give the blob.
    #[error("cannot download `{url}`: {reason} ({tries} tries)")]
    Unavailable {
        /// The URL.
        url: String,
        /// The last failure.
        reason: String,
        /// How often it was tried.
        tries: u32,
    },
    /// This machine's network does not work: it cannot resolve names, or has no way out.
    #[error("no network to download `{url}`: {reason}; check this machine's connection")]
    Offline {
        /// The URL.
        url: String,
        /// The last failure.
        reason: String,
    },
    /// The download did not end in the time that its size allows.
    #[error("`{url}` gave {bytes} of {size} bytes in {seconds} s; that is too slow")]
    TooSlow {
        /// The URL.
        url: String,
        /// Bytes that arrived.
        bytes: u64,
        /// Bytes that were expected.
        size: u64,
        /// Time that was given, in seconds.
        seconds: u64,
    },
    /// The blob is shorter or longer than named.
    #[error("`{url}` has {got} bytes instead of {expected}")]
    SizeMismatch {
        /// The URL.
        url: String,
        /// Size as named, in bytes.
        expected: u64,
        /// Size as found: `more` when it was not read to its end.
        got: String,
    },
    /// The blob is another one.
    #[error("`{url}` has checksum {got} instead of {expected}")]
    ChecksumMismatch {
        /// The URL.
        url: String,
        /// SHA3-256 as named.
        expected: Checksum,
        /// SHA3-256 as found.
        got: Checksum,
    },
    /// The blob is larger than what may be kept.
    #[error(
        "the blob has {size} bytes, the cache holds at most {max}; give it more room, or wait \
         until blobs in use are free"
    )]
    CacheFull {
        /// Size of the blob in bytes.
        size: u64,
        /// Bound of the cache in bytes.
        max: u64,
    },
    /// A kept file changed on disk. It was removed; fetch it again.
    #[error("the kept file of {checksum} was damaged on disk and is removed; fetch it again")]
    Damaged {
        /// The checksum that it should have.
        checksum: Checksum,
    },
    /// The disk is full.
    #[error("the disk is full: {reason}; free some space")]
    DiskFull {
        /// What the system says.
        reason: String,
    },
    /// Reading or writing a local file failed.
    #[error("{what}: {reason}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system says.
        reason: String,
    },
    /// Another process uses the cache's folder.
    #[error("cannot use {}: another process uses it; choose another folder", folder.display())]
    CacheInUse {
        /// The folder.
        folder: PathBuf,
    },
    /// The key does not open the sealed weights, or they were changed.
    #[error("the sealed weights do not open: {reason}")]
    Sealed {
        /// What is wrong.
        reason: String,
    },
    /// The opened weights are others than named.
    #[error("the opened weights have checksum {got} instead of {expected}")]
    PlaintextMismatch {
        /// SHA3-256 as named.
        expected: Checksum,
        /// SHA3-256 as found.
        got: Checksum,
    },
    /// The store does not take the blob.
    #[error("cannot upload to {place}: {reason}")]
    UploadFailed {
        /// The store.
        place: String,
        /// What it says.
        reason: String,
    },
    /// What was uploaded is not for everybody.
    #[error(
        "others cannot read {url} (it answers {status}): let everybody read the bucket or folder, or \
         name with the public URL prefix under which URL they do"
    )]
    NotPublic {
        /// Where the blob should be found.
        url: String,
        /// What is found there, such as `403 Forbidden`.
        status: String,
    },
    /// The store's settings do not fit together.
    #[error("store settings: {0}")]
    Settings(String),
}

macro_rules! names {
    ($($name:ident,)*) => {
        impl BlobError {
            /// The names of all errors.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($name)),*];

            /// The stable name of the error.
            pub const fn name(&self) -> &'static str {
                match self {
                    $(Self::$name { .. } => stringify!($name),)*
                }
            }
        }
    };
}

names! {
    InvalidUrl,
    SchemeNotAllowed,
    AddressNotAllowed,
    Unavailable,
    Offline,
    TooSlow,
    SizeMismatch,
    ChecksumMismatch,
    CacheFull,
    Damaged,
    DiskFull,
    Io,
    CacheInUse,
    Sealed,
    PlaintextMismatch,
    UploadFailed,
    NotPublic,
    Settings,
}

impl BlobError {
    /// True when the trouble is this machine's, and says nothing of the blob.
    pub const fn is_own(&self) -> bool {
        matches!(
            self,
            Self::Offline { .. }
                | Self::CacheFull { .. }
                | Self::CacheInUse { .. }
                | Self::Damaged { .. }
                | Self::DiskFull { .. }
                | Self::Io { .. }
                | Self::UploadFailed { .. }
                | Self::NotPublic { .. }
                | Self::Settings(_)
        )
    }

    /// A file that is not the same any more as when it was first read.
    pub(crate) fn changed(path: &Path) -> Self {
        Self::Io {
            what: format!("cannot upload {}", path.display()),
            reason: "the file changed meanwhile; try again when it is whole".to_owned(),
        }
    }

    /// An error of the system while doing `what`.
    pub(crate) fn io(what: impl Into<String>, error: &io::Error) -> Self {
        let reason = error.to_string();
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { reason },
            _ => Self::Io {
                what: what.into(),
                reason,
            },
        }
    }
}

/// The innermost cause, which says most.
pub(crate) fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut error = error;
    while let Some(cause) = error.source() {
        error = cause;
    }
    error.to_string()
}
