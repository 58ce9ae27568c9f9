//! The scoring service: JSON over HTTP under `/v1`, described by `/v1/openapi.json`.
//!
//! Reading order: [`ServiceConfig`], `check` (of settings), `routes`, `body` (what arrives), `shared`
//! (the way of a request), `room` (memory), `prepare` (downloads), `worker` (the device), `health`.

mod body;
mod check;
mod config;
mod health;
mod metrics;
mod prepare;
mod room;
mod routes;
mod shared;
mod worker;

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use soma_api::ScorerInfo;
use soma_blobs::{BlobError, Cache, Fetcher};
use soma_service::{BindError, Server, bind, guarded};
use thiserror::Error;
use tokio::sync::oneshot;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

pub use check::SettingError;
pub use config::ServiceConfig;
use health::Probe;
use metrics::ScorerMetrics;
pub use prepare::largest_sealed;
use room::Room;
use shared::Shared;
use worker::{Stop, Worker};

use crate::error::ScoringError;
use crate::memory::HostMemory;
use crate::scorer::{Scorer, ScorerConfig};

/// Why the service cannot start.
#[derive(Debug, Error)]
pub enum StartError {
    /// Nothing could be scored with such settings.
    #[error(transparent)]
    Setting(#[from] SettingError),
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

/// Time for refusals to reach clients once the stop time is over, in milliseconds.
const LAST_ANSWERS_MS: u64 = 1_000;

/// How long the device has to show that it computes.
const PROBE: Duration = Duration::from_secs(10);

/// A running scoring service.
pub struct ScoringService {
    shared: Arc<Shared>,
    address: std::net::SocketAddr,
    server: tokio::task::JoinHandle<()>,
    stop: Stop,
}

impl ScoringService {
    /// Checks the settings, starts the device, opens the cache and listens.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(config: ServiceConfig) -> Result<Self, StartError> {
        let device = config.scorer.device;
        let ask = move || match device.probe() {
            Ok(_) => Ok(()),
            Err(error) => Err(error.to_string()),
        };
        Self::start_with(config, Probe::new(PROBE, ask)).await
    }

    /// Starts with a way to ask how the device is.
    async fn start_with(mut config: ServiceConfig, probe: Probe) -> Result<Self, StartError> {
        config.check()?;
        config.check_there(HostMemory::now().total, config.scorer.device.memory())?;
        // One budget for all that is in this machine's memory.
        let for_requests = config.waiting_bytes();
        let room = Room::new(for_requests);
        let host = &mut config.scorer.host_memory_bytes;
        *host = host.saturating_sub(for_requests);
        let listener = bind(config.listen).await?;
        let address = listener.local_addr()?;
        let scorer = Arc::new(start_device(config.scorer).await?);
        let cache = Cache::open(config.cache.clone(), Fetcher::new(config.downloads())?)?;
        let metrics = Arc::new(ScorerMetrics::default());
        let stop = Stop::default();
        let worker = Worker::start(
            Arc::clone(&scorer),
            Arc::clone(&metrics),
            config.max_sequences,
            stop.clone(),
        )?;
        let shared = Arc::new(Shared {
            scorer,
            cache,
            worker,
            metrics,
            waiting: AtomicUsize::new(0),
            room,
            last_success: std::sync::Mutex::new(None),
            probe,
            stop: stop.begun.clone(),
            config,
        });
        let mut serve = shared.config.serve.clone();
        serve.stop_timeout_ms = serve.stop_timeout_ms.saturating_add(LAST_ANSWERS_MS);
        let server = Server {
            listener,
            router: router(&shared, &stop),
            config: serve,
        };
        tracing::info!(%address, device = shared.scorer.device_name(), "scorer is ready");
        Ok(Self {
            server: tokio::spawn(server.run(stop.begun.clone())),
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

    #[cfg(test)]
    fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Ends: what is on the device has the stop time to end and is answered, whatever waits for it
    /// is refused as unavailable at once, and so is what still runs after that time.
    pub async fn shutdown(mut self) {
        self.stop.begun.cancel();
        let limit = Duration::from_millis(self.shared.config.serve.stop_timeout_ms);
        let ended = tokio::time::timeout(limit, &mut self.server).await;
        self.stop.over.cancel();
        if ended.is_err() {
            // An error means that the task panicked; it is over either way.
            let _ = self.server.await;
        }
    }
}

/// Starts the device on a thread of its own: the end of the program does not wait for one that hangs.
async fn start_device(config: ScorerConfig) -> Result<Scorer, StartError> {
    let (sender, receiver) = oneshot::channel();
    let thread = std::thread::Builder::new().name("start".to_owned());
    // Nobody may wait for it any more.
    thread.spawn(move || sender.send(Scorer::new(config)).ok())?;
    Ok(receiver.await.map_err(std::io::Error::other)??)
}

fn router(shared: &Arc<Shared>, stop: &Stop) -> Router {
    let (router, _) = documented().split_for_parts();
    let requests = shared.metrics.requests.clone();
    let until_over = from_fn_with_state(stop.over.clone(), routes::until_over);
    let router = router.with_state(Arc::clone(shared)).layer(until_over);
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
