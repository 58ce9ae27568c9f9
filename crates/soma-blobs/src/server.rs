//! A small server for blobs: for localnets and tests, where there is no other store.
//!
//! `PUT /blobs/CHECKSUM` takes a blob when its checksum is the name; `GET` and `HEAD` give it,
//! with ranges. What lies there can only be what its name says.

use std::path::PathBuf;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use futures::StreamExt as _;
use sha3::{Digest as _, Sha3_256};
use soma_api::ErrorCode;
use soma_service::{ApiError, GuardConfig, PathText, guarded, parse};
use soma_types::Checksum;
use tokio::io::AsyncWriteExt as _;
use tower_http::services::ServeFile;

/// Settings of the server.
#[derive(Clone, Debug)]
pub struct BlobServerConfig {
    /// Where blobs lie; made when it is not there.
    pub folder: PathBuf,
    /// The largest blob in bytes. Default 8 GiB.
    pub max_blob_bytes: u64,
    /// Limits of requests. Default: an hour for each.
    pub guard: GuardConfig,
}

impl BlobServerConfig {
    /// The defaults, in `folder`.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            max_blob_bytes: 8 << 30,
            guard: GuardConfig {
                request_timeout_ms: 3_600_000,
                ..GuardConfig::default()
            },
        }
    }
}

/// The routes of the server.
///
/// # Errors
/// When the folder cannot be made.
pub fn router(config: BlobServerConfig) -> std::io::Result<Router> {
    std::fs::create_dir_all(&config.folder)?;
    let guard = config.guard.clone();
    let routes = Router::new()
        .route("/blobs/{checksum}", get(give).put(take))
        .route("/health", get(health))
        .with_state(Arc::new(config));
    // Bodies are streamed to disk and counted there.
    let routes = guarded(routes, &guard, None);
    Ok(routes.layer(DefaultBodyLimit::disable()))
}

/// 200 when blobs can be put here.
async fn health(State(config): State<Arc<BlobServerConfig>>) -> Result<&'static str, ApiError> {
    let folder = config.folder.clone();
    let probe = tokio::task::spawn_blocking(move || tempfile::tempfile_in(folder).map(drop)).await;
    probe.map_err(ApiError::internal)?.map_err(storage)?;
    Ok("ok")
}

async fn give(
    State(config): State<Arc<BlobServerConfig>>,
    PathText(name): PathText,
    request: Request,
) -> Result<Response, ApiError> {
    let checksum: Checksum = parse("checksum", &name)?;
    let path = config.folder.join(checksum.to_string());
    if !path.is_file() {
        return Err(ApiError::not_found("blob", checksum));
    }
    let kind = axum::http::HeaderValue::from_static("application/octet-stream");
    let served = ServeFile::new(path).try_call(request).await;
    let mut response = served.map_err(ApiError::internal)?.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(response)
}

async fn take(
    State(config): State<Arc<BlobServerConfig>>,
    PathText(name): PathText,
    body: Body,
) -> Result<Response, ApiError> {
    let checksum: Checksum = parse("checksum", &name)?;
    let beside = tempfile::NamedTempFile::new_in(&config.folder).map_err(storage)?;
    let (file, path) = beside.into_parts();
    let mut file = tokio::fs::File::from_std(file);
    let (mut hash, mut size) = (Sha3_256::new(), 0);
    let mut stream = body.into_data_stream();
    while let Some(bytes) = stream.next().await {
        let bytes = bytes.map_err(|error| {
            ApiError::new(
                ErrorCode::InvalidRequest,
                format!("the body broke off: {error}"),
            )
        })?;
        size += bytes.len() as u64;
        if size > config.max_blob_bytes {
            let text = format!("a blob has at most {} bytes here", config.max_blob_bytes);
            return Err(ApiError::new(ErrorCode::BodyTooLarge, text));
        }
        hash.update(&bytes);
        file.write_all(&bytes).await.map_err(storage)?;
    }
    let got = Checksum(hash.finalize().into());
    if got != checksum {
        let text = format!("the body has checksum {got}; put it under that name");
        return Err(ApiError::new(ErrorCode::ChecksumMismatch, text)
            .with("expected", checksum.to_string())
            .with("got", got.to_string()));
    }
    file.flush().await.map_err(storage)?;
    file.sync_all().await.map_err(storage)?;
    let place = config.folder.join(checksum.to_string());
    path.persist(place).map_err(|error| storage(error.error))?;
    let answer = serde_json::json!({ "checksum": checksum, "size": size });
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

fn storage(error: std::io::Error) -> ApiError {
    tracing::error!(%error, "cannot store a blob");
    ApiError::new(
        ErrorCode::StorageFailed,
        // The whole text would name a folder of this machine.
        format!("the blob cannot be stored: {}", error.kind()),
    )
}
