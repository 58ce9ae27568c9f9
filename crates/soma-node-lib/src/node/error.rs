//! Why a node cannot start, or why it stopped.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use soma_blobs::BlobError;
use soma_chain::{ChainError, StoreError};
use soma_consensus::ConsensusError;
use soma_service::BindError;
use thiserror::Error;

use soma_service::logging::InvalidFilter;

use super::BootstrapError;

/// Why a node cannot start, or why it stopped.
#[derive(Debug, Error)]
pub enum NodeError {
    /// A file cannot be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A file does not hold what it should.
    #[error("{}: {reason}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// An option of the settings that nothing can be done with.
    #[error("`{name}` is {value}; it must be {}", allowed(range))]
    Option {
        /// Its name, with that of its section.
        name: &'static str,
        /// Its value.
        value: u64,
        /// The values that it may have.
        range: RangeInclusive<u64>,
    },
    /// What is named as a scorer is no URL.
    #[error(
        "`audit.scorer` is `{0}`; give the URL of a scoring service, such as http://127.0.0.1:9124"
    )]
    ScorerUrl(String),
    /// The log's settings are wrong.
    #[error(transparent)]
    Log(#[from] InvalidFilter),
    /// Neither a genesis file nor a data folder was named.
    #[error("no genesis: name it with `--genesis FILE` or `genesis = \"FILE\"` in the config")]
    NoGenesis,
    /// The system gives no threads.
    #[error("cannot start the runtime: {0}")]
    Runtime(std::io::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The chain cannot be opened or written.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// It cannot start from a snapshot.
    #[error(transparent)]
    Bootstrap(#[from] BootstrapError),
    /// The folder of snapshots cannot be used.
    #[error("snapshots: {0}")]
    Snapshots(std::io::Error),
    /// Consensus cannot start or go on.
    #[error(transparent)]
    Consensus(#[from] ConsensusError),
    /// A key file that others may read.
    #[error("{}: others may read this key; set the file's mode to 600", path.display())]
    OpenKey {
        /// The file.
        path: PathBuf,
    },
    /// A consensus key without the validator that it is of.
    #[error(
        "a consensus key needs its validator: name `validator.account_key` or `validator.address`"
    )]
    NoValidator,
    /// The API's address cannot be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The folder of downloads cannot be used.
    #[error("blobs: {0}")]
    Blobs(#[from] BlobError),
    /// The system gives no HTTP client.
    #[error("the audit has no HTTP client: {0}")]
    Client(#[from] reqwest::Error),
    /// A task of the node panicked: a bug.
    #[error("a part of the node panicked; please report the log above this line")]
    Panicked,
}

fn allowed(range: &RangeInclusive<u64>) -> String {
    match *range.end() {
        u64::MAX => format!("at least {}", range.start()),
        end => format!("{} to {end}", range.start()),
    }
}
