//! For those who run the node: health, metrics, the description of the API.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use soma_api::{ErrorBody, ErrorCode};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::rpc::{Rpc, openapi_json};
use soma_service::{ApiError, metrics_response};

pub(super) fn routes() -> OpenApiRouter<Rpc> {
    OpenApiRouter::new()
        .routes(routes!(health))
        .routes(routes!(metrics))
        .routes(routes!(description))
}

/// 200 while the node works, 503 while it stops.
#[utoipa::path(get, path = "/health", tag = "chain", responses(
    (status = 200, body = String), (status = "default", body = ErrorBody)))]
async fn health(State(rpc): State<Rpc>) -> Result<&'static str, ApiError> {
    if rpc.shared.stop.is_cancelled() {
        return Err(ApiError::new(
            ErrorCode::Unavailable,
            "the node is stopping",
        ));
    }
    Ok("ok")
}

/// The node's numbers as OpenMetrics text.
#[utoipa::path(get, path = "/metrics", tag = "chain", responses(
    (status = 200, body = String), (status = "default", body = ErrorBody)))]
async fn metrics(State(rpc): State<Rpc>) -> Response {
    metrics_response(rpc.application().metrics().encode())
}

/// This description.
#[utoipa::path(get, path = "/v1/openapi.json", tag = "chain", responses(
    (status = 200, body = Object), (status = "default", body = ErrorBody)))]
async fn description() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], openapi_json()).into_response()
}
