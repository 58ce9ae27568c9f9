//! What handlers share, and the way of a request with its body: a place, memory, downloads, the
//! worker.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;
use soma_api::{
    BatchScoreRequest, BatchScoreResponse, DataSource, ErrorCode, PieceView, ScoreRequest,
    ScoreResponse, ScorerInfo, WeightsSource,
};
use soma_blobs::{BlobError, Cache};
use soma_model::TokenizedData;
use soma_service::ApiError;
use soma_types::Embedding;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::config::ServiceConfig;
use super::health::Probe;
use super::metrics::ScorerMetrics;
use super::prepare::{self, Piece};
use super::room::{Extent, Room, Taken};
use super::worker::{Job, Worker};
use crate::error::{LoadError, ScoringError};
use crate::scorer::Scorer;
use crate::scores::PieceScores;

/// How long a success of the device speaks for its health.
const FRESH: Duration = Duration::from_secs(60);
/// Bytes of memory for each byte of a URL: in the request, as a blob's, as it is parsed, and in the
/// download.
const URL: u64 = 4;

/// What handlers share.
pub(super) struct Shared {
    pub(super) config: ServiceConfig,
    pub(super) scorer: Arc<Scorer>,
    pub(super) cache: Cache,
    pub(super) worker: Worker,
    pub(super) metrics: Arc<ScorerMetrics>,
    pub(super) waiting: AtomicUsize,
    pub(super) room: Arc<Room>,
    pub(super) last_success: std::sync::Mutex<Option<Instant>>,
    pub(super) probe: Probe,
    pub(super) stop: CancellationToken,
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
        if self.stop.is_cancelled() {
            return Err(ScoringError::Stopping);
        }
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

    /// Turns the memory of a body into what scoring `data` with `models` needs.
    fn room<'a>(
        &self,
        mut taken: Taken,
        data: impl Iterator<Item = &'a DataSource> + Clone,
        models: &[WeightsSource],
    ) -> Result<Arc<Taken>, ScoringError> {
        let extent = Extent {
            pieces: data.clone().map(prepare::size).collect(),
            models: models.len().min(self.config.max_models),
            dim: self.config.scorer.model.embedding_dim,
        };
        let of_data = data.filter_map(|data| match data {
            DataSource::Url(view) => Some(view.url.len()),
            DataSource::Inline { .. } => None,
        });
        let of_models = models.iter().map(|model| model.url.len());
        let urls = of_data.chain(of_models).map(|length| length as u64 * URL);
        let bytes = urls.fold(extent.bytes(), u64::saturating_add);
        taken.resize(bytes)?;
        Ok(Arc::new(taken))
    }

    /// Scores what came with a body that has `taken` memory.
    pub(super) async fn score(
        self: &Arc<Self>,
        request: ScoreRequest,
        taken: Taken,
    ) -> Result<ScoreResponse, ScoringError> {
        let _place = self.admit()?;
        let target = self.target(request.target_embedding.as_deref())?;
        let data = self.fitting(request.data)?;
        let taken = self.room(taken, std::iter::once(&data), &request.models)?;
        self.in_time(async {
            let prepared =
                async { tokio::try_join!(self.piece(data), self.models(&request.models)) };
            let (piece, models) = self.unless_stopped(prepared).await?;
            let name = piece.name;
            let pieces = vec![piece.tokens];
            let run = self.run(pieces, models, &request.models, request.seed, &taken);
            let mut scores = run.await?;
            let scores = scores.pop().ok_or(ScoringError::Stopping)?;
            Ok(scores.response(name, target.as_ref()))
        })
        .await
    }

    /// As [`Self::score`], for many pieces of data.
    pub(super) async fn score_batch(
        self: &Arc<Self>,
        request: BatchScoreRequest,
        taken: Taken,
    ) -> Result<BatchScoreResponse, ScoringError> {
        let _place = self.admit()?;
        let (count, max) = (request.data.len(), self.config.max_pieces);
        if count == 0 || count > max {
            return Err(ScoringError::PieceCount { count, max });
        }
        let target = self.target(request.target_embedding.as_deref())?;
        let data = request.data.into_iter().map(|data| self.fitting(data));
        let data: Vec<_> = data.collect();
        let taken = self.room(taken, data.iter().flatten(), &request.models)?;
        self.in_time(async {
            let pieces = data.into_iter();
            let pieces = pieces.map(|data| async { self.piece(data?).await });
            let pieces = async { Ok::<_, ScoringError>(join_all(pieces).await) };
            let prepared = async { tokio::try_join!(pieces, self.models(&request.models)) };
            let (pieces, models) = self.unless_stopped(prepared).await?;
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
                let run = self.run(tokens, models, &request.models, request.seed, &taken);
                run.await?
            };
            Ok(answer(named, scores, target.as_ref()))
        })
        .await
    }

    /// Waits for the worker. Weights are downloaded once more when the kept file turns out to be
    /// damaged, which shows only when they are loaded.
    async fn run(
        &self,
        pieces: Vec<TokenizedData>,
        mut models: Vec<Arc<dyn crate::source::ModelSource>>,
        wanted: &[WeightsSource],
        seed: u64,
        taken: &Arc<Taken>,
    ) -> Result<Vec<PieceScores>, ScoringError> {
        let (pieces, mut again) = (Arc::new(pieces), BTreeSet::new());
        loop {
            let (reply, result) = oneshot::channel();
            self.worker.send(Job {
                pieces: Arc::clone(&pieces),
                models,
                seed,
                reply,
                taken: Arc::clone(taken),
            })?;
            let result = result.await.map_err(|_| ScoringError::Stopping)?;
            self.note(&result);
            match result {
                Err(ScoringError::Model {
                    model,
                    error: LoadError::Blob(BlobError::Damaged { .. }),
                }) if again.insert(model) => {
                    models = self.unless_stopped(self.models(wanted)).await?;
                }
                result => return result,
            }
        }
    }

    /// Takes note of what a job says of the device.
    fn note(&self, result: &Result<Vec<PieceScores>, ScoringError>) {
        let now = match result {
            Ok(_) => Some(Instant::now()),
            // It must show that it computes before it counts as working again.
            Err(ScoringError::Model {
                error: LoadError::Device { .. },
                ..
            }) => None,
            Err(_) => return,
        };
        if let Ok(mut last) = self.last_success.lock() {
            *last = now;
        }
    }

    /// What still waits for downloads when the service stops is given up.
    async fn unless_stopped<T>(
        &self,
        prepared: impl Future<Output = Result<T, ScoringError>>,
    ) -> Result<T, ScoringError> {
        tokio::select! {
            result = prepared => result,
            () = self.stop.cancelled() => Err(ScoringError::Stopping),
        }
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

    pub(super) fn info(&self) -> ScorerInfo {
        let (loaded_models, loaded_bytes) = self.scorer.loaded();
        let config = &self.config;
        ScorerInfo {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            contract_version: soma_api::CONTRACT_VERSION,
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

    pub(super) fn encode_metrics(&self) -> String {
        let metrics = &self.metrics;
        metrics
            .queue
            .set(self.waiting.load(Ordering::Relaxed) as i64);
        metrics.loaded_models.set(self.scorer.loaded().0 as i64);
        metrics.loads.set(self.scorer.loads());
        metrics.request_bytes.set(self.room.taken());
        metrics.cache_bytes.set(self.cache.bytes());
        metrics.encode()
    }

    /// A device that scored something lately works; else it must add two numbers.
    pub(super) async fn device_works(&self) -> Result<(), ApiError> {
        let last = self.last_success.lock().ok().and_then(|last| *last);
        if last.is_some_and(|last| last.elapsed() < FRESH) {
            return Ok(());
        }
        let failed = |reason| ApiError::new(ErrorCode::DeviceFailed, reason);
        self.probe.answers().await.map_err(failed)
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

#[cfg(test)]
mod tests {
    use soma_model::{Device, ModelConfig};

    use super::*;
    use crate::service::ScoringService;

    #[tokio::test]
    async fn a_device_that_failed_must_show_again_that_it_works() {
        let folder = tempfile::tempdir().unwrap();
        let mut config =
            ServiceConfig::new("small", ModelConfig::SMALL, Device::Cpu, folder.path());
        config.listen.set_port(0);
        let service = ScoringService::start(config).await.unwrap();
        let shared = service.shared();
        let counts = || shared.last_success.lock().unwrap().is_some();
        shared.note(&Ok(Vec::new()));
        assert!(counts());
        shared.note(&Err(ScoringError::Stopping));
        assert!(counts(), "that says nothing of the device");
        shared.note(&Err(ScoringError::Model {
            model: 0,
            error: LoadError::Device {
                reason: "lost".to_owned(),
            },
        }));
        assert!(!counts());
        service.shutdown().await;
    }
}
