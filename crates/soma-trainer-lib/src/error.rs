//! Why training stops.

use std::path::{Path, PathBuf};

use soma_model::DeviceError;
use soma_model::weights::WeightsError;

use crate::config::BadConfig;
use crate::data::DataError;

/// What can go wrong in training, and in what is done with trained weights.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// A setting cannot be.
    #[error(transparent)]
    Config(#[from] BadConfig),
    /// The device is not there.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The data cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The source gave no sequence, or the held-out data has no byte.
    #[error("there is no {what} data; name files that hold at least one byte")]
    NoData {
        /// Which data.
        what: &'static str,
    },
    /// A weights file cannot be read or written.
    #[error("`{path}`: {source}")]
    Weights {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: WeightsError,
    },
    /// A file or folder cannot be read or written.
    #[error("`{path}`: {source}; check the path, its permissions, and the room on the disk")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The folder has checkpoints of an earlier run.
    #[error("`{path}` holds a run already; resume it, or name another folder")]
    RunExists {
        /// The folder.
        path: PathBuf,
    },
    /// Another trainer works in the folder.
    #[error("another trainer works in `{path}`; stop it, or name another folder")]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// There is nothing to resume.
    #[error("`{path}` holds no checkpoint; start a run there first")]
    NoCheckpoint {
        /// The folder.
        path: PathBuf,
    },
    /// The state of a checkpoint is damaged.
    #[error("`{path}` is damaged: {reason}; remove this checkpoint to resume from the one before")]
    BadState {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A run is resumed with a setting that it was not started with.
    #[error(
        "`{field}` is {now}, but the run was started with {was}; use that, or start a new run from \
         its weights"
    )]
    OtherConfig {
        /// The setting.
        field: String,
        /// What it was.
        was: String,
        /// What it is now.
        now: String,
    },
    /// A run is resumed with other data.
    #[error(
        "the data is not that of the run (fingerprint {now}, was {was}); name the same files in \
         the same state, or start a new run from its weights"
    )]
    OtherData {
        /// What it was.
        was: String,
        /// What it is now.
        now: String,
    },
    /// The loss or the gradients are infinite or no number.
    #[error(
        "{what} of step {step} is {value}: training diverged; resume with a lower learning rate, a \
         longer warm-up, or clipping, from weights before"
    )]
    Diverged {
        /// What it is.
        what: &'static str,
        /// The step.
        step: u64,
        /// The number.
        value: f64,
    },
    /// No files, or another number of shares than of files.
    #[error(
        "{files} files and {shares} shares; give at least one file, and a share for each or none"
    )]
    AverageOfWhat {
        /// Files.
        files: usize,
        /// Shares.
        shares: usize,
    },
    /// A share of an average is no share.
    #[error("the shares of an average are {shares:?}; none may be negative, and not all 0")]
    AverageShares {
        /// What was given.
        shares: Vec<f64>,
    },
    /// The curve cannot be drawn.
    #[error("cannot draw `{path}`: {reason}")]
    Plot {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

impl TrainError {
    /// The stable name of the error.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Config(_) => "Config",
            Self::Device(error) => error.name(),
            Self::Data(error) => error.name(),
            Self::NoData { .. } => "NoData",
            Self::Weights { .. } => "Weights",
            Self::File { .. } => "File",
            Self::RunExists { .. } => "RunExists",
            Self::InUse { .. } => "InUse",
            Self::NoCheckpoint { .. } => "NoCheckpoint",
            Self::BadState { .. } => "BadState",
            Self::OtherConfig { .. } => "OtherConfig",
            Self::OtherData { .. } => "OtherData",
            Self::Diverged { .. } => "Diverged",
            Self::AverageOfWhat { .. } => "AverageOfWhat",
            Self::AverageShares { .. } => "AverageShares",
            Self::Plot { .. } => "Plot",
        }
    }

    /// For `map_err` where `path` was opened, read or written.
    pub(crate) fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| Self::File {
            path: path.to_owned(),
            source,
        }
    }

    /// For `map_err` where the weights file `path` was read or written.
    pub(crate) fn weights(path: &Path) -> impl FnOnce(WeightsError) -> Self + '_ {
        move |source| Self::Weights {
            path: path.to_owned(),
            source,
        }
    }
}
