//! Why submitting stopped.

use std::path::{Path, PathBuf};

use soma_blobs::BlobError;
use soma_sdk::SdkError;
use soma_types::{Address, ChainId};
use thiserror::Error;

/// Why submitting stopped. Trouble that may pass by itself is waited out and never ends up here.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SubmitterError {
    /// Node or scorer refused in a way that waiting does not mend.
    #[error(transparent)]
    Sdk(#[from] SdkError),
    /// The place for uploads cannot be used.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// A source of candidates cannot be read.
    #[error("cannot read {}: {reason}", path.display())]
    Source {
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The state folder cannot be used.
    #[error("cannot use the state folder {}: {reason}", path.display())]
    State {
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A file of the journal is not what this program wrote.
    #[error(
        "{}: {reason}; the file belongs to a submission with money at stake: restore it from a copy, or move it away to give that submission up", path.display()
    )]
    Journal {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The state folder is of another account.
    #[error("{} holds submissions of {owner}, not of {got}: use that key or another state folder", path.display())]
    WrongAccount {
        /// The file that says so.
        path: PathBuf,
        /// Whose submissions they are.
        owner: Address,
        /// Who asks.
        got: Address,
    },
    /// The state folder is of another chain.
    #[error("{} holds submissions of chain {expected}, not of {got}: use another state folder", path.display())]
    WrongChain {
        /// The file that says so.
        path: PathBuf,
        /// The chain of the submissions.
        expected: ChainId,
        /// The node's chain.
        got: ChainId,
    },
    /// The scorer's answer does not fit the question.
    #[error(
        "the scorer's answer does not fit the request: {reason}; is --scorer the URL of a scorer of this network?"
    )]
    ScorerAnswer {
        /// What is wrong with it.
        reason: String,
    },
    /// The URL of a served file does not give its data.
    #[error(
        "{url}: {error}; validators would not find the data and the bond would be lost: serve {} there, or name another URL prefix", path.display()
    )]
    NotServed {
        /// The URL.
        url: String,
        /// The file.
        path: PathBuf,
        /// What the URL gives instead.
        error: Box<BlobError>,
    },
    /// Settings that contradict each other or the network.
    #[error("{0}")]
    Settings(String),
}

impl SubmitterError {
    /// A stable name for scripts.
    pub fn name(&self) -> &str {
        match self {
            Self::Sdk(error) => error.name(),
            Self::Blob(error) => error.name(),
            Self::NotServed { error, .. } => error.name(),
            Self::Source { .. } => "SourceUnreadable",
            Self::State { .. } => "StateFolder",
            Self::Journal { .. } => "InvalidJournal",
            Self::WrongAccount { .. } => "WrongAccount",
            Self::WrongChain { .. } => "WrongChain",
            Self::ScorerAnswer { .. } => "ScorerAnswer",
            Self::Settings(_) => "InvalidSettings",
        }
    }

    /// True where the same step may succeed later without any change.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Sdk(SdkError::NotExecuted { .. } | SdkError::NonceContention { .. }) => true,
            Self::Sdk(error) => error.is_retryable(),
            Self::Blob(error) => may_pass(error),
            Self::NotServed { error, .. } => may_pass(error),
            _ => false,
        }
    }

    pub(crate) fn source(path: &Path, reason: impl ToString) -> Self {
        Self::Source {
            path: path.to_owned(),
            reason: reason.to_string(),
        }
    }

    pub(crate) fn state(path: &Path, reason: impl ToString) -> Self {
        Self::State {
            path: path.to_owned(),
            reason: reason.to_string(),
        }
    }

    pub(crate) fn journal(path: &Path, reason: impl ToString) -> Self {
        Self::Journal {
            path: path.to_owned(),
            reason: reason.to_string(),
        }
    }
}

fn may_pass(error: &BlobError) -> bool {
    match error {
        BlobError::Offline { .. } | BlobError::DiskFull { .. } | BlobError::UploadFailed { .. } => {
            true
        }
        // A refusal for good is not tried twice.
        BlobError::Unavailable { tries, .. } => *tries > 1,
        _ => false,
    }
}
