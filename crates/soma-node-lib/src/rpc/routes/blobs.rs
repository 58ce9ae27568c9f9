//! Revealed weights and submitted data, passed on from this node's cache.

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use soma_api::{ErrorBody, ErrorCode};
use soma_blobs::{BlobError, BlobRef};
use soma_service::{ApiError, Held, PathText, parse};
use soma_types::{ModelId, TargetId};
use tower_http::services::ServeFile;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::audits::not_filled;
use crate::blobs::{BlobKind, Blobs};
use crate::rpc::{Rpc, RpcError};

pub(super) fn routes() -> OpenApiRouter<Rpc> {
    OpenApiRouter::new()
        .routes(routes!(weights))
        .routes(routes!(data))
        .routes(routes!(pinned))
}

/// The sealed weights that a model revealed. Ranges are answered. The first request fetches them
/// from the model's own URL; ask again when that takes longer than an answer may.
#[utoipa::path(get, path = "/v1/models/{id}/weights", tag = "work",
    params(("id" = String, Path, description = "Id of the model")), responses(
    (status = 200, body = Vec<u8>, content_type = "application/octet-stream"),
    (status = "default", body = ErrorBody)))]
async fn weights(
    State(rpc): State<Rpc>,
    PathText(id): PathText,
    request: Request,
) -> Result<Response, RpcError> {
    let id: ModelId = parse("id", &id)?;
    let blobs = enabled(&rpc)?;
    let blob = rpc.read(move |application| {
        let model = application.chain().reader().model(&id)?;
        let model = model.ok_or_else(|| ApiError::not_found("model", id))?;
        let weights = model.weights.ok_or_else(|| {
            let status = model.status.name();
            let text = format!("model `{id}` is {status} and has revealed no weights");
            ApiError::new(ErrorCode::NotFound, text).with("status", status)
        })?;
        Ok(BlobRef::from(&weights))
    });
    let blob = blob.await?;
    Ok(give(&blobs, BlobKind::Weights, blob, request).await?)
}

/// The data that was submitted for a target. Ranges are answered.
#[utoipa::path(get, path = "/v1/targets/{id}/data", tag = "work",
    params(("id" = String, Path, description = "Id of a filled target")), responses(
    (status = 200, body = Vec<u8>, content_type = "application/octet-stream"),
    (status = "default", body = ErrorBody)))]
async fn data(
    State(rpc): State<Rpc>,
    PathText(id): PathText,
    request: Request,
) -> Result<Response, RpcError> {
    let id: TargetId = parse("id", &id)?;
    let blobs = enabled(&rpc)?;
    let blob = rpc.read(move |application| {
        let reader = application.chain().reader();
        let target = reader.target(&id)?;
        let target = target.ok_or_else(|| ApiError::not_found("target", id))?;
        match target.fill() {
            Some(fill) => Ok(BlobRef::from(&fill.data)),
            None => Err(not_filled(&id, target.status_at(reader.system().epoch)).into()),
        }
    });
    let blob = blob.await?;
    Ok(give(&blobs, BlobKind::Data, blob, request).await?)
}

/// The sealed weights of an assigned model as a fill pinned them: what the submission is audited by,
/// also after the model has revealed others. Ranges are answered.
#[utoipa::path(get, path = "/v1/targets/{id}/weights/{model}", tag = "work",
    params(("id" = String, Path, description = "Id of a filled target"),
        ("model" = String, Path, description = "Id of a model that was assigned to it")), responses(
    (status = 200, body = Vec<u8>, content_type = "application/octet-stream"),
    (status = "default", body = ErrorBody)))]
async fn pinned(
    State(rpc): State<Rpc>,
    path: Result<Path<(String, String)>, PathRejection>,
    request: Request,
) -> Result<Response, RpcError> {
    let Path((id, model)) = path.map_err(|rejection| ApiError::invalid(rejection.body_text()))?;
    let (id, model): (TargetId, ModelId) = (parse("id", &id)?, parse("model", &model)?);
    let blobs = enabled(&rpc)?;
    let blob = rpc.read(move |application| {
        let reader = application.chain().reader();
        let target = reader.target(&id)?;
        let target = target.ok_or_else(|| ApiError::not_found("target", id))?;
        let Some(fill) = target.fill() else {
            return Err(not_filled(&id, target.status_at(reader.system().epoch)).into());
        };
        let mut pinned = fill.pinned_weights.iter();
        let pinned = pinned.find(|pinned| pinned.model == model);
        let weights = pinned.and_then(|pinned| pinned.weights.as_ref());
        let weights = weights.ok_or_else(|| {
            let text =
                format!("the fill of target `{id}` has pinned no weights of model `{model}`");
            ApiError::new(ErrorCode::NotFound, text)
        })?;
        Ok(BlobRef::from(weights))
    });
    let blob = blob.await?;
    Ok(give(&blobs, BlobKind::Weights, blob, request).await?)
}

fn enabled(rpc: &Rpc) -> Result<Blobs, ApiError> {
    let text = "this node passes on no blobs; fetch them from their own URL, or ask another node";
    let blobs = rpc.served().blobs.clone();
    blobs.ok_or_else(|| ApiError::new(ErrorCode::RouteNotFound, text))
}

async fn give(
    blobs: &Blobs,
    kind: BlobKind,
    blob: BlobRef,
    request: Request,
) -> Result<Response, ApiError> {
    let slot = blobs.slot().ok_or_else(|| {
        let text = "the node passes on as many blobs as it may; try again later";
        ApiError::new(ErrorCode::Overloaded, text)
    })?;
    let checksum = blob.checksum;
    let blob = blobs.ready(kind, blob).await;
    let blob = blob.map_err(|error| refusal(&error, kind))?;
    let served = ServeFile::new(blob.path()).try_call(request).await;
    let (mut parts, body) = served
        .map_err(ApiError::internal)?
        .map(Body::new)
        .into_parts();
    let octets = HeaderValue::from_static("application/octet-stream");
    parts.headers.insert(header::CONTENT_TYPE, octets);
    // Named by its content, it never changes; the time of its last use means nothing.
    parts.headers.remove(header::LAST_MODIFIED);
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{checksum}\"")) {
        parts.headers.insert(header::ETAG, tag);
    }
    // Its file stays in the cache until it is sent.
    let body = Body::new(Held {
        body,
        held: (blob, slot),
    });
    Ok(Response::from_parts(parts, body).into_response())
}

fn refusal(error: &BlobError, kind: BlobKind) -> ApiError {
    let code = match error {
        BlobError::Unavailable { .. } | BlobError::TooSlow { .. } => match kind {
            BlobKind::Data => ErrorCode::DataUnavailable,
            BlobKind::Weights => ErrorCode::WeightsUnavailable,
        },
        BlobError::SizeMismatch { .. } | BlobError::ChecksumMismatch { .. } => {
            ErrorCode::ChecksumMismatch
        }
        BlobError::InvalidUrl { .. }
        | BlobError::SchemeNotAllowed { .. }
        | BlobError::AddressNotAllowed { .. } => ErrorCode::UrlNotAllowed,
        // The whole text would name a folder of this machine.
        own => {
            tracing::error!(error = %own, "a blob cannot be passed on");
            let text = format!("the node cannot keep the blob: {}", own.name());
            return ApiError::new(ErrorCode::StorageFailed, text).with("cause", own.name());
        }
    };
    ApiError::new(code, error.to_string())
        .with("blob", kind.name())
        .with("cause", error.name())
}
