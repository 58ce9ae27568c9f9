//! Why something cannot be scored.

use std::sync::Arc;

use soma_api::{ErrorBody, ErrorCode};
use soma_blobs::BlobError;
use soma_model::weights::WeightsError;
use soma_model::{ConfigError, DeviceError};
use thiserror::Error;

/// Why weights cannot be loaded.
#[derive(Clone, Debug, Error)]
pub enum LoadError {
    /// The file cannot be had, opened or verified.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The weights are not those of a model of this size.
    #[error(transparent)]
    Invalid(Arc<WeightsError>),
    /// Sealed weights that are larger than those of a model of this size can be.
    #[error("the sealed weights have {size} bytes; those of models here have at most {max}")]
    TooLarge {
        /// Their size in bytes.
        size: u64,
        /// The largest size in bytes.
        max: u64,
    },
    /// The model does not fit.
    #[error(
        "the model needs {needed} bytes of memory, {budget} may be used; give the scorer more, or \
         score with a smaller model"
    )]
    OutOfMemory {
        /// Weights and activations, in bytes.
        needed: u64,
        /// What may be used, in bytes.
        budget: u64,
    },
    /// Whoever asked does not wait any more.
    #[error("the work was given up: nobody waits for it")]
    NotWanted,
    /// The device failed.
    #[error("the device failed: {reason}; see the log, and try again")]
    Device {
        /// What it said.
        reason: String,
    },
}

/// Why data cannot be scored.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum ScoringError {
    /// There is no byte to score.
    #[error("the data is empty; there is nothing to score")]
    EmptyData,
    /// The data is too large.
    #[error("the data has {size} bytes; at most {max} are scored")]
    DataTooLarge {
        /// Its size in bytes.
        size: u64,
        /// The largest size in bytes.
        max: u64,
    },
    /// No model was named.
    #[error("no model to score with; name at least one")]
    NoModels,
    /// More models than a request may name.
    #[error("{count} models to score with; name at most {max}")]
    TooManyModels {
        /// Models in the request.
        count: usize,
        /// The most that are taken.
        max: usize,
    },
    /// No data was named, or too many pieces.
    #[error("{count} pieces of data; send 1 to {max} at a time")]
    PieceCount {
        /// Pieces in the request.
        count: usize,
        /// The most that are taken.
        max: usize,
    },
    /// Data and scores of the request need more memory than a request may.
    #[error(
        "the request needs {needed} bytes of memory, {max} may be used; send fewer pieces of data \
         or models at a time"
    )]
    RequestTooLarge {
        /// For data and scores, in bytes.
        needed: u64,
        /// What may be used, in bytes.
        max: u64,
    },
    /// The target is not a direction in the models' space.
    #[error("target embedding: {0}")]
    InvalidTarget(String),
    /// The data cannot be had.
    #[error("data: {0}")]
    Data(BlobError),
    /// A model cannot be loaded or run.
    #[error("model {model}: {error}")]
    Model {
        /// Its place in the request, from 0.
        model: usize,
        /// Why.
        error: LoadError,
    },
    /// The service has as much to do as it may.
    #[error("{waiting} requests wait already; try again in {retry_after_s} s")]
    Busy {
        /// Requests that wait.
        waiting: usize,
        /// When to try again, in seconds.
        retry_after_s: u64,
    },
    /// The request took too long.
    #[error("not scored within {seconds} s; try again, with less data or fewer models")]
    Timeout {
        /// The limit in seconds.
        seconds: u64,
    },
    /// The service is stopping.
    #[error("the scorer is stopping; try another one")]
    Stopping,
    /// The device cannot be used.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The models cannot have this size.
    #[error(transparent)]
    Size(#[from] ConfigError),
}

impl ScoringError {
    /// The stable code.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::EmptyData => ErrorCode::EmptyData,
            Self::DataTooLarge { .. } => ErrorCode::DataTooLarge,
            Self::NoModels
            | Self::TooManyModels { .. }
            | Self::PieceCount { .. }
            | Self::RequestTooLarge { .. }
            | Self::InvalidTarget(_)
            | Self::Size(_) => ErrorCode::InvalidRequest,
            Self::Data(error) => blob_code(error, ErrorCode::DataUnavailable),
            Self::Model { error, .. } => match error {
                LoadError::Blob(error) => blob_code(error, ErrorCode::WeightsUnavailable),
                LoadError::Invalid(error) => match **error {
                    WeightsError::Io(_) => ErrorCode::StorageFailed,
                    _ => ErrorCode::InvalidWeights,
                },
                LoadError::TooLarge { .. } => ErrorCode::InvalidWeights,
                LoadError::OutOfMemory { .. } => ErrorCode::OutOfMemory,
                LoadError::NotWanted => ErrorCode::Unavailable,
                LoadError::Device { .. } => ErrorCode::DeviceFailed,
            },
            Self::Busy { .. } => ErrorCode::Busy,
            Self::Timeout { .. } => ErrorCode::Timeout,
            Self::Stopping => ErrorCode::Unavailable,
            Self::Device(_) => ErrorCode::DeviceFailed,
        }
    }

    /// The error as services send it: `details` names the blob and the model at fault.
    pub fn body(&self) -> ErrorBody {
        let body = ErrorBody::new(self.code(), self.to_string());
        match self {
            Self::Data(error) => body.with("blob", "data").with("cause", error.name()),
            Self::Model { model, error } => {
                let body = body.with("blob", "weights").with("model", *model as u64);
                match error {
                    LoadError::Blob(error) => body.with("cause", error.name()),
                    LoadError::Invalid(error) => body.with("cause", error.name()),
                    LoadError::TooLarge { size, max } => body.with("size", *size).with("max", *max),
                    LoadError::OutOfMemory { needed, budget } => {
                        body.with("needed", *needed).with("budget", *budget)
                    }
                    LoadError::NotWanted | LoadError::Device { .. } => body,
                }
            }
            Self::DataTooLarge { size, max } => body.with("size", *size).with("max", *max),
            Self::RequestTooLarge { needed, max } => body.with("needed", *needed).with("max", *max),
            Self::Busy { retry_after_s, .. } => body.with("retry_after_s", *retry_after_s),
            _ => body,
        }
    }
}

fn blob_code(error: &BlobError, unavailable: ErrorCode) -> ErrorCode {
    match error {
        BlobError::Unavailable { .. } | BlobError::TooSlow { .. } => unavailable,
        BlobError::SizeMismatch { .. } | BlobError::ChecksumMismatch { .. } => {
            ErrorCode::ChecksumMismatch
        }
        BlobError::InvalidUrl { .. }
        | BlobError::SchemeNotAllowed { .. }
        | BlobError::AddressNotAllowed { .. } => ErrorCode::UrlNotAllowed,
        BlobError::Sealed { .. } => ErrorCode::DecryptionFailed,
        BlobError::PlaintextMismatch { .. } => ErrorCode::PlaintextMismatch,
        _ => ErrorCode::StorageFailed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_name_the_blob_at_fault() {
        let unavailable = BlobError::Unavailable {
            url: "http://a/b".to_owned(),
            reason: "gone".to_owned(),
            tries: 5,
        };
        let data = ScoringError::Data(unavailable.clone());
        assert_eq!(data.code(), ErrorCode::DataUnavailable);
        assert_eq!(data.body().details["blob"], "data");
        let weights = ScoringError::Model {
            model: 2,
            error: unavailable.into(),
        };
        assert_eq!(weights.code(), ErrorCode::WeightsUnavailable);
        assert_eq!(weights.body().details["blob"], "weights");
        assert_eq!(weights.body().details["model"], 2);
    }
}
