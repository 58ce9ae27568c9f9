//! The routes.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt as _};
use soma_api::{
    BatchScoreRequest, BatchScoreResponse, DownloadView, ErrorBody, ErrorCode, ScoreRequest,
    ScoreResponse, ScorerInfo,
};
use soma_blobs::{Progress, ProgressState};
use soma_service::{ApiError, metrics_response};
use tokio_stream::wrappers::BroadcastStream;
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::body::Counted;
use super::openapi_json;
use super::shared::Shared;
use crate::error::ScoringError;

pub(super) fn all() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::new()
        .routes(routes!(score))
        .routes(routes!(score_batch))
        .routes(routes!(info))
        .routes(routes!(downloads))
        .routes(routes!(health))
        .routes(routes!(metrics))
        .routes(routes!(description))
}

/// A scoring error as HTTP answers it.
pub(super) struct Failed(pub(super) ScoringError);

impl From<ScoringError> for Failed {
    fn from(error: ScoringError) -> Self {
        Self(error)
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let code = self.0.code();
        let status = StatusCode::from_u16(code.http_status());
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self.0.body())).into_response();
        let seconds = match &self.0 {
            ScoringError::Busy { retry_after_s, .. } => Some(*retry_after_s),
            _ => code.is_retryable().then_some(1),
        };
        if let Some(seconds) = seconds {
            let headers = response.headers_mut();
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// What still runs when the stop time is over is answered before its connection is cut.
pub(super) async fn until_over(
    State(over): State<CancellationToken>,
    request: Request,
    next: Next,
) -> Response {
    tokio::select! {
        response = next.run(request) => response,
        () = over.cancelled() => Failed(ScoringError::Stopping).into_response(),
    }
}

/// Scores one piece of data with models.
#[utoipa::path(post, path = "/v1/score", tag = "score", request_body = ScoreRequest, responses(
    (status = 200, body = ScoreResponse), (status = "default", body = ErrorBody)))]
async fn score(
    State(shared): State<Arc<Shared>>,
    Counted { request, taken }: Counted<ScoreRequest>,
) -> Result<Json<ScoreResponse>, Failed> {
    Ok(Json(shared.score(request, taken).await?))
}

/// Scores many pieces of data with the same models. A piece that cannot be scored does not hurt
/// the others.
#[utoipa::path(post, path = "/v1/score/batch", tag = "score", request_body = BatchScoreRequest,
    responses((status = 200, body = BatchScoreResponse), (status = "default", body = ErrorBody)))]
async fn score_batch(
    State(shared): State<Arc<Shared>>,
    Counted { request, taken }: Counted<BatchScoreRequest>,
) -> Result<Json<BatchScoreResponse>, Failed> {
    Ok(Json(shared.score_batch(request, taken).await?))
}

/// What this scorer is and has.
#[utoipa::path(get, path = "/v1/info", tag = "service", responses(
    (status = 200, body = ScorerInfo), (status = "default", body = ErrorBody)))]
async fn info(State(shared): State<Arc<Shared>>) -> Json<ScorerInfo> {
    Json(shared.info())
}

/// Progress of downloads as server-sent events: each is a `DownloadView`.
#[utoipa::path(get, path = "/v1/downloads", tag = "service", responses(
    (status = 200, description = "`text/event-stream` of downloads", body = String),
    (status = "default", body = ErrorBody)))]
async fn downloads(
    State(shared): State<Arc<Shared>>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let stop = shared.stop.clone().cancelled_owned();
    // Who falls behind misses some: each event says how far a download is, so nothing is lost.
    let progress = BroadcastStream::new(shared.cache.progress());
    let events = progress.filter_map(|progress| async {
        let event = Event::default().event("download");
        event.json_data(download(&progress.ok()?)).ok().map(Ok)
    });
    let alive = KeepAlive::new().interval(Duration::from_secs(15));
    Sse::new(events.take_until(stop)).keep_alive(alive)
}

fn download(progress: &Progress) -> DownloadView {
    let state = match progress.state {
        ProgressState::Running => "running",
        ProgressState::Done => "done",
        ProgressState::Failed => "failed",
    };
    DownloadView {
        checksum: progress.checksum,
        bytes: progress.bytes,
        total: progress.total,
        state: state.to_owned(),
    }
}

/// 200 when requests can be scored: the device computes and the disk can be written.
#[utoipa::path(get, path = "/health", tag = "service", responses(
    (status = 200, body = String), (status = "default", body = ErrorBody)))]
async fn health(State(shared): State<Arc<Shared>>) -> Result<&'static str, ApiError> {
    shared.is_ready().await?;
    Ok("ok")
}

/// The scorer's numbers as OpenMetrics text.
#[utoipa::path(get, path = "/metrics", tag = "service", responses(
    (status = 200, body = String), (status = "default", body = ErrorBody)))]
async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    metrics_response(shared.encode_metrics())
}

/// This description.
#[utoipa::path(get, path = "/v1/openapi.json", tag = "service", responses(
    (status = 200, body = Object), (status = "default", body = ErrorBody)))]
async fn description() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], openapi_json()).into_response()
}

impl Shared {
    async fn is_ready(&self) -> Result<(), ApiError> {
        if self.stop.is_cancelled() {
            let text = "the scorer is stopping";
            return Err(ApiError::new(ErrorCode::Unavailable, text));
        }
        let cache = self.cache.clone();
        let disk = tokio::task::spawn_blocking(move || cache.try_disk());
        let disk = disk.await.map_err(ApiError::internal)?;
        disk.map_err(|error| ApiError::new(ErrorCode::StorageFailed, error.to_string()))?;
        self.device_works().await
    }
}
