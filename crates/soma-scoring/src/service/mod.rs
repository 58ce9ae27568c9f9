//! The scoring service: JSON over HTTP under `/v1`, described by `/v1/openapi.json`.
//!
//! Reading order: [`ServiceConfig`], `routes`, `prepare` (downloads), `worker` (the device).

mod config;
mod metrics;
mod prepare;
mod routes;
mod worker;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use axum::Router;
use futures::future::join_all;
use soma_api::{
    BatchScoreRequest, BatchScoreResponse, ErrorCode, PieceView, ScoreRequest, ScoreResponse,
    ScorerInfo,
};
use soma_blobs::{BlobError, Cache, Fetcher};
use soma_model::TokenizedData;
use soma_service::{ApiError, BindError, Server, bind, guarded};
use soma_types::Embedding;
use thiserror::Error;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

pub use config::ServiceConfig;
use metrics::ScorerMetrics;
use prepare::Piece;
use worker::{Job, Worker};

use crate::error::ScoringError;
use crate::scorer::Scorer;
use crate::scores::PieceScores;

/// How long a success of the device speaks for its health.
const FRESH: Duration = Duration::from_secs(60);
/// How long the device has to show that it computes.
const PROBE: Duration = Duration::from_secs(10);

/// Why the service cannot start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The device or the models' size.
    #[error(transparent)]
    Scorer(#[from] ScoringError),
    /// The folder of downloads.
    #[error(transparent)]
    Cache(#[from] BlobError),
    /// The address.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The system gives no thread.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// What handlers share.
struct Shared {
    config: ServiceConfig,
    scorer: Arc<Scorer>,
    cache: Cache,
    worker: Worker,
    metrics: Arc<ScorerMetrics>,
    waiting: AtomicUsize,
    last_success: std::sync::Mutex<Option<Instant>>,
    stop: CancellationToken,
}

/// A running scoring service.
pub struct ScoringService {
    shared: Arc<Shared>,
    address: std::net::SocketAddr,
    server: tokio::task::JoinHandle<()>,
    stop: CancellationToken,
}

impl ScoringService {
    /// Starts the device, opens the cache and listens.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(config: ServiceConfig) -> Result<Self, StartError> {
        let listener = bind(config.listen).await?;
        let address = listener.local_addr()?;
        let scorer_config = config.scorer;
        let scorer = tokio::task::spawn_blocking(move || Scorer::new(scorer_config));
        let scorer = Arc::new(scorer.await.map_err(std::io::Error::other)??);
        let cache = Cache::open(config.cache.clone(), Fetcher::new(config.fetch.clone())?)?;
        let metrics = Arc::new(ScorerMetrics::default());
        let worker = Worker::start(
            Arc::clone(&scorer),
            Arc::clone(&metrics),
            config.max_sequences,
        )?;
        let stop = CancellationToken::new();
        let shared = Arc::new(Shared {
            scorer,
            cache,
            worker,
            metrics,
            waiting: AtomicUsize::new(0),
            last_success: std::sync::Mutex::new(None),
            stop: stop.clone(),
            config,
        });
        let server = Server {
            listener,
            router: router(&shared),
            config: shared.config.serve.clone(),
        };
        tracing::info!(%address, device = shared.scorer.device_name(), "scorer is ready");
        Ok(Self {
            server: tokio::spawn(server.run(stop.clone())),
            shared,
            address,
            stop,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> std::net::SocketAddr {
        self.address
    }

    /// What it is and has.
    pub fn info(&self) -> ScorerInfo {
        self.shared.info()
    }

    /// Answers open requests, and ends.
    pub async fn shutdown(self) {
        self.stop.cancel();
        // An error means that the task panicked; it is over either way.
        let _ = self.server.await;
    }
}

fn router(shared: &Arc<Shared>) -> Router {
    let (router, _) = documented().split_for_parts();
    let requests = shared.metrics.requests.clone();
    let router = router.with_state(Arc::clone(shared));
    guarded(router, &shared.config.guard, Some(requests))
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "SOMA scorer API",
        description = "Loss, embedding and distance of data, by models of the network. Whatever \
                       goes wrong is answered with `{code, message, details}`; `details.blob` says \
                       whether data or weights are at fault.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    tags(
        (name = "score", description = "Scoring"),
        (name = "service", description = "The service itself"),
    ),
    components(schemas(soma_api::DownloadView))
)]
struct Document;

fn documented() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::with_openapi(Document::openapi()).merge(routes::all())
}

/// The description of the API as JSON, made once.
pub fn openapi_json() -> &'static str {
    static TEXT: OnceLock<String> = OnceLock::new();
    TEXT.get_or_init(|| {
        let document = documented().into_openapi();
        document.to_pretty_json().unwrap_or_default()
    })
}

/// A place in the queue; free again when dropped.
struct Place<'a>(&'a Shared);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Shared {
    fn admit(&self) -> Result<Place<'_>, ScoringError> {
        let waiting = self.waiting.fetch_add(1, Ordering::Relaxed);
        let place = Place(self);
        if waiting >= self.config.queue {
            return Err(ScoringError::Busy {
                waiting,
                retry_after_s: 1,
            });
        }
        Ok(place)
    }

    async fn score(self: &Arc<Self>, request: ScoreRequest) -> Result<ScoreResponse, ScoringError> {
        let _place = self.admit()?;
        let target = self.target(request.target_embedding.as_deref())?;
        self.in_time(async {
            let (piece, models) =
                tokio::try_join!(self.piece(&request.data), self.models(&request.models))?;
            let name = piece.name;
            let mut scores = self.run(vec![piece.tokens], models, request.seed).await?;
            let scores = scores.pop().ok_or(ScoringError::Stopping)?;
            Ok(scores.response(name, target.as_ref()))
        })
        .await
    }

    async fn score_batch(
        self: &Arc<Self>,
        request: BatchScoreRequest,
    ) -> Result<BatchScoreResponse, ScoringError> {
        let _place = self.admit()?;
        let (count, max) = (request.data.len(), self.config.max_pieces);
        if count == 0 || count > max {
            return Err(ScoringError::PieceCount { count, max });
        }
        let target = self.target(request.target_embedding.as_deref())?;
        self.in_time(async {
            let pieces = join_all(request.data.iter().map(|data| self.piece(data)));
            let pieces = async { Ok::<_, ScoringError>(pieces.await) };
            let (pieces, models) = tokio::try_join!(pieces, self.models(&request.models))?;
            let (mut tokens, mut named) = (Vec::new(), Vec::new());
            for piece in pieces {
                named.push(piece.map(|Piece { name, tokens: cut }| {
                    tokens.push(cut);
                    name
                }));
            }
            let scores = if tokens.is_empty() {
                Vec::new()
            } else {
                self.run(tokens, models, request.seed).await?
            };
            Ok(answer(named, scores, target.as_ref()))
        })
        .await
    }

    /// Waits for the worker.
    async fn run(
        &self,
        pieces: Vec<TokenizedData>,
        models: Vec<Arc<dyn crate::source::ModelSource>>,
        seed: u64,
    ) -> Result<Vec<PieceScores>, ScoringError> {
        let (reply, result) = oneshot::channel();
        self.worker.send(Job {
            pieces,
            models,
            seed,
            reply,
        })?;
        let result = result.await.map_err(|_| ScoringError::Stopping)?;
        if result.is_ok()
            && let Ok(mut last) = self.last_success.lock()
        {
            *last = Some(Instant::now());
        }
        result
    }

    async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, ScoringError>>,
    ) -> Result<T, ScoringError> {
        let limit = Duration::from_millis(self.config.request_timeout_ms);
        let timeout = ScoringError::Timeout {
            seconds: limit.as_secs(),
        };
        tokio::time::timeout(limit, work)
            .await
            .unwrap_or(Err(timeout))
    }

    fn info(&self) -> ScorerInfo {
        let (loaded_models, loaded_bytes) = self.scorer.loaded();
        let config = &self.config;
        ScorerInfo {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            contract_version: crate::CONTRACT_VERSION,
            device: config.scorer.device.to_string(),
            device_name: self.scorer.device_name().to_owned(),
            precision: config.scorer.precision.to_string(),
            model_size: config.model_size.clone(),
            embedding_dim: config.scorer.model.embedding_dim as u64,
            parameters: config.scorer.model.parameter_count(),
            memory_bytes: config.scorer.memory_bytes(),
            loaded_bytes,
            loaded_models: loaded_models as u64,
            cache_max_bytes: self.cache.max_bytes(),
            cache_bytes: self.cache.bytes(),
            queue_max: config.queue as u64,
            queue: self.waiting.load(Ordering::Relaxed) as u64,
            max_data_bytes: config.scorer.max_data_bytes,
        }
    }

    fn encode_metrics(&self) -> String {
        let metrics = &self.metrics;
        metrics
            .queue
            .set(self.waiting.load(Ordering::Relaxed) as i64);
        metrics.loaded_models.set(self.scorer.loaded().0 as i64);
        metrics.loads.set(self.scorer.loads());
        metrics.cache_bytes.set(self.cache.bytes());
        metrics.encode()
    }

    /// A device that scored something lately works; else it must add two numbers.
    async fn device_works(&self) -> Result<(), ApiError> {
        let last = self.last_success.lock().ok().and_then(|last| *last);
        if last.is_some_and(|last| last.elapsed() < FRESH) {
            return Ok(());
        }
        let device = self.config.scorer.device;
        let probe = tokio::task::spawn_blocking(move || device.probe());
        let failed = |reason: String| ApiError::new(ErrorCode::DeviceFailed, reason);
        match tokio::time::timeout(PROBE, probe).await {
            Ok(Ok(Ok(_))) => Ok(()),
            Ok(Ok(Err(error))) => Err(failed(error.to_string())),
            Ok(Err(error)) => Err(failed(error.to_string())),
            Err(_) => Err(failed(format!("device `{device}` does not answer"))),
        }
    }
}

/// Puts scores and errors back into the order of the pieces.
fn answer(
    named: Vec<Result<crate::scores::DataName, ScoringError>>,
    scores: Vec<PieceScores>,
    target: Option<&Embedding>,
) -> BatchScoreResponse {
    let mut scores = scores.into_iter();
    let results = named.into_iter().map(|named| {
        let scored = named.and_then(|name| {
            let scores = scores.next().ok_or(ScoringError::Stopping)?;
            Ok(scores.response(name, target))
        });
        match scored {
            Ok(response) => PieceView::Scores(response),
            Err(error) => PieceView::Error(error.body()),
        }
    });
    BatchScoreResponse {
        results: results.collect(),
    }
}
