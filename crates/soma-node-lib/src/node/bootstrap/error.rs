//! Why a node does not start from a snapshot.

use std::path::PathBuf;

use soma_blobs::BlobError;
use soma_chain::{ChainError, LightError};
use soma_sdk::SdkError;
use thiserror::Error;

/// Why a node does not start from a snapshot. Nothing was left that opens as a chain.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BootstrapError {
    /// A snapshot needs a place on disk.
    #[error("a start from a snapshot needs a data folder; name one with `--data-dir`")]
    NoDataFolder,
    /// A source that is no URL.
    #[error("snapshot source `{url}`: {reason}")]
    Url {
        /// The source.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No source gave what is needed.
    #[error(
        "no source gave a snapshot that can be used: {}; name other sources, or leave \
         `snapshot_urls` out to start from the genesis by blocks",
        reasons.join("; ")
    )]
    NoSource {
        /// What was wrong with each.
        reasons: Vec<String>,
    },
    /// A file of this node.
    #[error("{}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// This node's store failed.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// This machine's network or disk failed.
    #[error("the snapshot cannot be downloaded: {0}")]
    Download(BlobError),
    /// A task panicked: a bug.
    #[error("the import panicked; please report the log above this line")]
    Panicked,
}

/// Why a source is of no use.
#[derive(Debug, Error)]
pub(super) enum SourceError {
    #[error(transparent)]
    Answer(#[from] SdkError),
    #[error(transparent)]
    Light(#[from] LightError),
    #[error("its snapshot of epoch {epoch} is not that of the chain: {reason}")]
    Manifest { epoch: u64, reason: String },
    #[error("chunk {index}: {reason}")]
    Chunk { index: usize, reason: String },
    #[error(transparent)]
    Import(ChainError),
    #[error("{0}")]
    Trusted(String),
}

/// Why a try failed: for this source, or for good.
#[derive(Debug, Error)]
pub(super) enum TryError {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Own(#[from] BootstrapError),
}

impl From<ChainError> for TryError {
    fn from(error: ChainError) -> Self {
        match error {
            ChainError::Snapshot { .. } => SourceError::Import(error).into(),
            own => BootstrapError::from(own).into(),
        }
    }
}

impl From<BlobError> for TryError {
    fn from(error: BlobError) -> Self {
        BootstrapError::Download(error).into()
    }
}
