//! Snapshots of the state, for nodes that start.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use soma_api::{ErrorBody, ErrorCode, SnapshotManifest, SnapshotView};
use soma_service::{ApiError, Held, PathText, parse};
use soma_types::Epoch;
use tower_http::services::ServeFile;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::rpc::{Rpc, RpcError};
use crate::snapshots::Snapshots;

pub(super) fn routes() -> OpenApiRouter<Rpc> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(manifest))
        .routes(routes!(chunk))
}

/// The snapshots of the state that this node gives, newest first.
#[utoipa::path(get, path = "/v1/snapshots", tag = "snapshots", responses(
    (status = 200, body = soma_api::Snapshots), (status = "default", body = ErrorBody)))]
async fn list(State(rpc): State<Rpc>) -> Json<soma_api::Snapshots> {
    let snapshots = rpc.served().snapshots.as_ref().map(Snapshots::list);
    let snapshots = snapshots.unwrap_or_default();
    Json(soma_api::Snapshots {
        snapshots: snapshots
            .iter()
            .map(|one| SnapshotView::from(&**one))
            .collect(),
    })
}

/// What the snapshot of the end of an epoch consists of.
#[utoipa::path(get, path = "/v1/snapshots/{epoch}", tag = "snapshots",
    params(("epoch" = u64, Path, description = "Number of an epoch that is over")), responses(
    (status = 200, body = SnapshotManifest), (status = "default", body = ErrorBody)))]
async fn manifest(
    State(rpc): State<Rpc>,
    PathText(epoch): PathText,
) -> Result<Json<SnapshotManifest>, RpcError> {
    let (_, manifest) = find(&rpc, parse("epoch", &epoch)?)?;
    Ok(Json(SnapshotManifest::clone(&manifest)))
}

/// A chunk of a snapshot: compressed entries of the state. Ranges are answered.
#[utoipa::path(get, path = "/v1/snapshots/{epoch}/chunks/{index}", tag = "snapshots",
    params(
        ("epoch" = u64, Path, description = "Number of an epoch that is over"),
        ("index" = u64, Path, description = "Place of the chunk in the manifest, from 0")),
    responses(
    (status = 200, body = Vec<u8>, content_type = "application/octet-stream"),
    (status = "default", body = ErrorBody)))]
async fn chunk(
    State(rpc): State<Rpc>,
    path: Result<Path<(String, String)>, PathRejection>,
    request: Request,
) -> Result<Response, RpcError> {
    let Path((epoch, index)) =
        path.map_err(|rejection| ApiError::invalid(rejection.body_text()))?;
    let (snapshots, manifest) = find(&rpc, parse("epoch", &epoch)?)?;
    let index: usize = parse("index", &index)?;
    let chunk = manifest.chunks.get(index);
    let chunk = chunk.ok_or_else(|| ApiError::not_found("chunk", index))?;
    let slot = snapshots.slot().ok_or_else(|| {
        let text = "the node sends as many chunks as it may; try again later";
        ApiError::new(ErrorCode::Overloaded, text)
    })?;
    let file = snapshots.chunk(manifest.epoch, index);
    let served = ServeFile::new(file).try_call(request).await;
    let (mut parts, body) = served
        .map_err(ApiError::internal)?
        .map(Body::new)
        .into_parts();
    if parts.status.as_u16() == 404 {
        // It was removed in this moment.
        return Err(ApiError::not_found("snapshot of epoch", manifest.epoch).into());
    }
    let octets = HeaderValue::from_static("application/octet-stream");
    parts.headers.insert(header::CONTENT_TYPE, octets);
    parts.headers.remove(header::LAST_MODIFIED);
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{}\"", chunk.checksum)) {
        parts.headers.insert(header::ETAG, tag);
    }
    let body = Body::new(Held { body, held: slot });
    Ok(Response::from_parts(parts, body).into_response())
}

fn find(rpc: &Rpc, epoch: Epoch) -> Result<(Snapshots, Arc<SnapshotManifest>), ApiError> {
    let snapshots = rpc.served().snapshots.clone();
    let found = snapshots.and_then(|all| all.manifest(epoch).map(|one| (all, one)));
    found.ok_or_else(|| ApiError::not_found("snapshot of epoch", epoch))
}
