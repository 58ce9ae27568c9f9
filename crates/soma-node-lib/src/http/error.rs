//! The one error of all handlers.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use soma_api::{ErrorBody, ErrorCode};
use soma_chain::ChainError;

use crate::application::SubmitError;
use crate::mempool::MempoolError;

/// An error as HTTP answers it. Boxed, so that results stay small.
#[derive(Clone, Debug)]
pub struct ApiError {
    code: ErrorCode,
    body: Box<ErrorBody>,
}

impl ApiError {
    /// An error with a sentence for people.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            body: Box::new(ErrorBody::new(code, message)),
        }
    }

    /// The same error with a named value.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        *self.body = self.body.with(name, value);
        self
    }

    /// A bad path, query or header value.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidRequest, message)
    }

    /// No such thing.
    pub fn not_found(what: &str, id: impl std::fmt::Display) -> Self {
        Self::new(ErrorCode::NotFound, format!("no {what} `{id}`"))
    }

    /// A failure inside the node. The cause goes to the log, not to the client.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        tracing::error!(%cause, "request failed");
        Self::new(
            ErrorCode::Internal,
            "the node failed to answer; its log says why",
        )
    }

    /// The stable code.
    pub fn code(&self) -> ErrorCode {
        self.code
    }

    /// What is sent.
    pub fn body(&self) -> &ErrorBody {
        &self.body
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.code.http_status())
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(&*self.body)).into_response();
        if self.code.is_retryable() && status != StatusCode::INTERNAL_SERVER_ERROR {
            let second = HeaderValue::from_static("1");
            response.headers_mut().insert(header::RETRY_AFTER, second);
        }
        response
    }
}

impl From<ChainError> for ApiError {
    fn from(error: ChainError) -> Self {
        match error {
            ChainError::StateNotKept { height, oldest } => {
                Self::new(ErrorCode::Pruned, error.to_string())
                    .with("height", height)
                    .with("oldest", oldest)
            }
            other => Self::internal(other),
        }
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
        let api = Self::new(code, error.to_string());
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

impl From<SubmitError> for ApiError {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Invalid(error) => {
                Self::new(ErrorCode::InvalidTransaction, error.to_string())
            }
            SubmitError::Refused(error) => error.into(),
            SubmitError::Chain(error) => error.into(),
            SubmitError::Stopping => Self::new(ErrorCode::Unavailable, error.to_string()),
        }
    }
}
