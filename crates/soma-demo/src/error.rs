//! Why the demo cannot be played.

use std::path::PathBuf;

use soma_localnet::NetworkError;
use soma_sdk::SdkError;
use soma_sdk::blobs::BlobError;
use thiserror::Error;

/// Why the demo cannot be played. What it shows to be wrong with the network is not among these:
/// see [`Outcome::checks`](crate::Outcome::checks).
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DemoError {
    /// Not enough files of a kind.
    #[error(
        "domain `{domain}`: {files} files of a useful size below {}; name a folder with more by `--domain {domain}=PATH`",
        show(roots)
    )]
    NoData {
        /// The domain.
        domain: String,
        /// Files found.
        files: usize,
        /// Where was looked.
        roots: Vec<PathBuf>,
    },
    /// Arguments that make no sense together.
    #[error("{0}")]
    Settings(String),
    /// The network does not start.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// A step of the game failed.
    #[error("{step}: {error}")]
    Step {
        /// The step.
        step: String,
        /// Why.
        error: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A call failed.
    #[error(transparent)]
    Sdk(#[from] SdkError),
    /// A blob.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// A file cannot be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
}

impl DemoError {
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |error| Self::File { path, error }
    }

    pub(crate) fn step<E>(step: impl Into<String>) -> impl FnOnce(E) -> Self
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let step = step.into();
        move |error| Self::Step {
            step,
            error: error.into(),
        }
    }
}

fn show(roots: &[PathBuf]) -> String {
    let roots: Vec<String> = roots
        .iter()
        .map(|root| root.display().to_string())
        .collect();
    roots.join(", ")
}
