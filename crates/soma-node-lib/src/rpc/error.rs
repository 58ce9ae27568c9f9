//! The errors of the node's handlers.

use axum::response::{IntoResponse, Response};
use soma_api::{ErrorBody, ErrorCode};
use soma_chain::ChainError;
use soma_service::ApiError;

use crate::application::SubmitError;
use crate::mempool::{DropReason, MempoolError};

/// What chain, mempool and handlers can answer instead of success.
#[derive(Clone, Debug)]
pub struct RpcError(ApiError);

impl RpcError {
    /// The stable code.
    pub fn code(&self) -> ErrorCode {
        self.0.code()
    }

    /// What is sent.
    pub fn body(&self) -> &ErrorBody {
        self.0.body()
    }
}

impl From<ApiError> for RpcError {
    fn from(error: ApiError) -> Self {
        Self(error)
    }
}

impl IntoResponse for RpcError {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

impl From<ChainError> for RpcError {
    fn from(error: ChainError) -> Self {
        Self(chain_error(error))
    }
}

impl From<MempoolError> for RpcError {
    fn from(error: MempoolError) -> Self {
        Self(error.into())
    }
}

impl From<SubmitError> for RpcError {
    fn from(error: SubmitError) -> Self {
        Self(error.into())
    }
}

/// The answer for an error of the chain.
fn chain_error(error: ChainError) -> ApiError {
    match error {
        ChainError::StateNotKept { height, oldest } => {
            ApiError::new(ErrorCode::Pruned, error.to_string())
                .with("height", height)
                .with("oldest", oldest)
        }
        ChainError::NotReached { height, newest } => {
            ApiError::new(ErrorCode::NotFound, error.to_string())
                .with("height", height)
                .with("newest", newest)
        }
        other => ApiError::internal(other),
    }
}

impl From<MempoolError> for ApiError {
    fn from(error: MempoolError) -> Self {
        let code = match &error {
            MempoolError::WrongChain { .. } => ErrorCode::WrongChain,
            MempoolError::TooLarge { .. } => ErrorCode::TransactionTooLarge,
            MempoolError::Expired { .. } => ErrorCode::TransactionExpired,
            MempoolError::NonceTooLow { .. } => ErrorCode::NonceTooLow,
            MempoolError::NonceGap { .. } => ErrorCode::NonceGap,
            MempoolError::NonceInUse { .. } => ErrorCode::NonceInUse,
            MempoolError::InsufficientGas { .. } => ErrorCode::InsufficientGas,
            MempoolError::SenderLimit { .. } => ErrorCode::SenderLimit,
            MempoolError::Full { .. } => ErrorCode::MempoolFull,
        };
        let api = ApiError::new(code, error.to_string());
        match error {
            MempoolError::NonceTooLow { expected, got }
            | MempoolError::NonceGap { expected, got, .. } => {
                api.with("expected", expected).with("got", got)
            }
            MempoolError::InsufficientGas {
                needed, available, ..
            } => api.with("needed", needed.0).with("available", available.0),
            MempoolError::Expired {
                expiry_height,
                next_height,
            } => api
                .with("expiry_height", expiry_height)
                .with("next_height", next_height),
            MempoolError::WrongChain { expected, got } => api
                .with("expected", expected.to_string())
                .with("got", got.to_string()),
            MempoolError::TooLarge { .. }
            | MempoolError::NonceInUse { .. }
            | MempoolError::SenderLimit { .. }
            | MempoolError::Full { .. } => api,
        }
    }
}

impl From<DropReason> for ApiError {
    fn from(reason: DropReason) -> Self {
        let code = match &reason {
            DropReason::Replaced { .. } => ErrorCode::NonceInUse,
            DropReason::NonceUsed { .. } => ErrorCode::NonceTooLow,
            DropReason::Expired { .. } => ErrorCode::TransactionExpired,
            DropReason::Aged { .. } => ErrorCode::MempoolFull,
            DropReason::Unexecutable => return ApiError::internal(reason),
        };
        let api = ApiError::new(code, reason.to_string());
        match reason {
            DropReason::Replaced { nonce, by } => {
                api.with("nonce", nonce).with("by", by.to_string())
            }
            DropReason::NonceUsed { nonce } => api.with("nonce", nonce),
            DropReason::Expired { expiry_height } => api.with("expiry_height", expiry_height),
            DropReason::Aged { .. } | DropReason::Unexecutable => api,
        }
    }
}

impl From<SubmitError> for ApiError {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Invalid(error) => {
                ApiError::new(ErrorCode::InvalidTransaction, error.to_string())
            }
            SubmitError::Refused(error) => error.into(),
            SubmitError::Dropped(reason) => reason.into(),
            SubmitError::Chain(error) => chain_error(error),
            SubmitError::Stopping => ApiError::new(ErrorCode::Unavailable, error.to_string()),
        }
    }
}
