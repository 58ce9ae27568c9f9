//! Extractors whose refusals are typed errors too.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Instant;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use serde::de::DeserializeOwned;
use soma_api::ErrorCode;
use tokio::time::timeout_at;

use super::ApiError;

/// Shortens what a parser says about hostile input.
fn brief(error: impl Display) -> String {
    let mut text = error.to_string();
    if text.len() > 300 {
        text.truncate(text.floor_char_boundary(300));
        text.push('…');
    }
    text
}

/// Reads a value of a path or query.
///
/// # Errors
/// [`ErrorCode::InvalidRequest`], naming the value.
pub fn parse<T: FromStr<Err: Display>>(name: &str, text: &str) -> Result<T, ApiError> {
    text.parse().map_err(|error: T::Err| {
        ApiError::invalid(format!("bad `{name}`: {}", brief(error))).with("name", name)
    })
}

/// What a body may take.
#[derive(Clone, Copy)]
pub(super) struct BodyLimits {
    /// When it must have arrived.
    pub(super) deadline: Option<Instant>,
    /// Its largest size in bytes.
    pub(super) max_bytes: usize,
}

/// A JSON body.
pub struct Body<T>(pub T);

/// Reads a body, as long as there is time.
async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, ApiError> {
    let limits = request.extensions().get::<BodyLimits>().copied();
    let deadline = limits.and_then(|limits| limits.deadline);
    let read = Bytes::from_request(request, state);
    let read = match deadline {
        Some(deadline) => timeout_at(deadline.into(), read).await.map_err(|_| {
            let text = "the body took longer than this service waits; send it faster";
            ApiError::new(ErrorCode::Timeout, text)
        })?,
        None => read.await,
    };
    read.map_err(|rejection| refuse_body(&rejection, limits))
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let kind = request.headers().get(header::CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or("");
        let essence = kind.split(';').next().unwrap_or("").trim();
        if !essence.eq_ignore_ascii_case("application/json") {
            return Err(ApiError::new(
                ErrorCode::UnsupportedMediaType,
                "the body must be JSON; send the header `content-type: application/json`",
            ));
        }
        let bytes = read(request, state).await?;
        // serde_json refuses nesting deeper than 128 levels and numbers that are not finite.
        serde_json::from_slice(&bytes)
            .map(Self)
            .map_err(|error| ApiError::new(ErrorCode::InvalidJson, brief(error)))
    }
}

fn refuse_body(rejection: &BytesRejection, limits: Option<BodyLimits>) -> ApiError {
    match (rejection.status(), limits) {
        (StatusCode::PAYLOAD_TOO_LARGE, Some(BodyLimits { max_bytes: max, .. })) => {
            let text = format!("the body is larger than {max} bytes; send less in one request");
            ApiError::new(ErrorCode::BodyTooLarge, text).with("max", max)
        }
        (StatusCode::PAYLOAD_TOO_LARGE, None) => ApiError::new(
            ErrorCode::BodyTooLarge,
            "the body is larger than this service takes",
        ),
        _ => ApiError::new(
            ErrorCode::InvalidRequest,
            format!("the body cannot be read: {}", brief(rejection.body_text())),
        ),
    }
}

/// The one value of a path.
pub struct PathText(pub String);

impl<S: Send + Sync> FromRequestParts<S> for PathText {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|rejection| ApiError::invalid(brief(rejection.body_text())))?;
        Ok(Self(text))
    }
}

/// The values of a query.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let axum::extract::Query(value) = axum::extract::Query::<T>::try_from_uri(&parts.uri)
            .map_err(|rejection| ApiError::invalid(brief(rejection.body_text())))?;
        Ok(Self(value))
    }
}
