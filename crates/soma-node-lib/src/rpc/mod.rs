//! The node's API: JSON over HTTP under `/v1`, described by `/v1/openapi.json`.
//!
//! Handlers parse their input, read the committed chain on a blocking thread, and turn what they
//! find into the shapes of `soma-api`. They hold no state of their own.
//!
//! Reading order: [`RpcConfig`], `routes` (one file for each group), `views` (from the chain's
//! values to the API's), `paging`, `events` (the stream).

mod config;
mod error;
mod events;
mod openapi;
mod paging;
mod routes;
mod views;

use std::sync::Arc;

use axum::Router;
use soma_api::ErrorCode;
use soma_consensus::Observer;
use soma_service::{ApiError, Shares, guarded};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::application::Application;
use crate::audit::AuditReader;
use crate::blobs::Blobs;
use crate::snapshots::Snapshots;

pub use config::RpcConfig;
pub use error::RpcError;
pub use openapi::{openapi, openapi_json};

/// Parts of a node that it may have or not.
#[derive(Clone, Default)]
pub struct Served {
    /// What its audit found out.
    pub audit: Option<AuditReader>,
    /// Blobs that it passes on.
    pub blobs: Option<Blobs>,
    /// Snapshots that it gives.
    pub snapshots: Option<Snapshots>,
    /// Its place in the network.
    pub network: Option<Observer>,
}

/// What handlers work with.
#[derive(Clone)]
pub struct Rpc {
    shared: Arc<Shared>,
}

struct Shared {
    application: Arc<Application>,
    served: Served,
    config: RpcConfig,
    streams: Arc<Semaphore>,
    /// Those who wait for a receipt: in all, and by address.
    waiting: Semaphore,
    waiting_by_ip: Arc<Shares>,
    stop: CancellationToken,
}

impl Rpc {
    /// The API over `application` and what else is `served`. Event streams end with `stop`.
    pub fn new(
        application: Arc<Application>,
        served: Served,
        config: RpcConfig,
        stop: CancellationToken,
    ) -> Self {
        let streams = Arc::new(Semaphore::new(config.max_event_streams));
        Self {
            shared: Arc::new(Shared {
                application,
                served,
                streams,
                waiting: Semaphore::new(config.max_waiting),
                waiting_by_ip: Shares::new(config.max_waiting_per_ip),
                config,
                stop,
            }),
        }
    }

    fn application(&self) -> &Arc<Application> {
        &self.shared.application
    }

    fn served(&self) -> &Served {
        &self.shared.served
    }

    fn config(&self) -> &RpcConfig {
        &self.shared.config
    }

    /// Runs `read` on a blocking thread: chain reads wait for commits and for the disk.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Application) -> Result<T, RpcError> + Send + 'static,
    ) -> Result<T, RpcError> {
        let application = Arc::clone(self.application());
        tokio::task::spawn_blocking(move || read(&application))
            .await
            .map_err(|error| {
                if error.is_panic() {
                    ApiError::internal(error)
                } else {
                    ApiError::new(ErrorCode::Unavailable, "the node is stopping")
                }
            })?
    }

    /// The routes with all limits around them.
    pub fn router(self) -> Router {
        let metrics = self.application().metrics().requests.clone();
        let config = self.config().guard.clone();
        let (router, _) = openapi::documented().split_for_parts();
        guarded(router.with_state(self), &config, Some(metrics))
    }
}
