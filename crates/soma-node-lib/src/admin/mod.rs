//! Admin routes, on a loopback port of their own: ending an epoch by hand.
//!
//! Whoever can reach the port may use it, so it never listens on other addresses, and it refuses
//! requests that a web page made.

mod routes;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn;
use serde::{Deserialize, Serialize};
use soma_api::{AdvanceEpochResponse, ErrorCode};
use soma_service::{ApiError, GuardConfig, ServeConfig, guarded};
use soma_types::Epoch;
use thiserror::Error;
use tokio::sync::{Mutex, watch};

use crate::application::{Application, Now};

pub use routes::openapi_json;

/// Settings of the admin routes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdminConfig {
    /// Where they listen; a loopback address. Default `127.0.0.1:9125`.
    pub address: SocketAddr,
    /// Time for an epoch to change in milliseconds. Default 30,000.
    pub advance_timeout_ms: u64,
    /// Time for the new epoch's targets to be drawn in milliseconds. Default 5,000.
    pub draw_timeout_ms: u64,
}

impl Default for AdminConfig {
    fn default() -> Self {
        Self {
            address: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9_125),
            advance_timeout_ms: 30_000,
            draw_timeout_ms: 5_000,
        }
    }
}

/// An address that others could reach.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("admin routes may listen on loopback addresses only, not on {0}; use 127.0.0.1")]
pub struct NotLoopback(pub SocketAddr);

/// The admin routes of a node.
#[derive(Clone)]
pub struct Admin {
    application: Arc<Application>,
    config: AdminConfig,
    /// One change at a time: each request ends an epoch of its own.
    turn: Arc<Mutex<()>>,
}

impl Admin {
    /// Admin routes over `application`.
    ///
    /// # Errors
    /// [`NotLoopback`].
    pub fn new(application: Arc<Application>, config: AdminConfig) -> Result<Self, NotLoopback> {
        if !config.address.ip().is_loopback() {
            return Err(NotLoopback(config.address));
        }
        Ok(Self {
            application,
            config,
            turn: Arc::new(Mutex::new(())),
        })
    }

    /// Limits of connections.
    pub fn serve_config(&self) -> ServeConfig {
        ServeConfig {
            max_connections: 64,
            ..ServeConfig::default()
        }
    }

    /// The routes.
    pub fn router(self) -> Router {
        let guard = GuardConfig {
            max_body_bytes: 4_096,
            ..GuardConfig::default()
        };
        let (router, _) = routes::documented().split_for_parts();
        let router = router
            .with_state(self)
            .layer(from_fn(routes::refuse_web_pages));
        guarded(router, &guard, None)
    }

    /// Ends the current epoch, and waits until the targets of the next are drawn where there are
    /// active models.
    ///
    /// # Errors
    /// [`ErrorCode::ForcedEpochsNotAllowed`], [`ErrorCode::Timeout`].
    pub async fn advance_epoch(&self) -> Result<AdvanceEpochResponse, ApiError> {
        if !self.application.chain().genesis().allow_forced_epochs {
            return Err(ApiError::new(
                ErrorCode::ForcedEpochsNotAllowed,
                "this chain's genesis does not allow an epoch to be ended before its time",
            ));
        }
        let _turn = self.turn.lock().await;
        let mut blocks = self.application.watch();
        let before = blocks.borrow_and_update().system.epoch;
        self.application.end_epoch(before);
        let limit = Duration::from_millis(self.config.advance_timeout_ms);
        let changed = wait_until(&mut blocks, limit, |now| now.system.epoch > before).await;
        let changed = changed.ok_or_else(|| timeout(before))?;
        // Targets of a new epoch are drawn at the start of the block after its first.
        let limit = Duration::from_millis(self.config.draw_timeout_ms);
        let now = wait_until(&mut blocks, limit, |now| {
            now.active_models == 0 || now.height() > changed.height()
        });
        let now = now.await.unwrap_or_else(|| Arc::clone(&changed));
        Ok(AdvanceEpochResponse {
            epoch: changed.system.epoch,
            height: changed.height(),
            targets_drawn: now.system.targets.drawn,
        })
    }
}

fn timeout(epoch: Epoch) -> ApiError {
    let text = format!("epoch {epoch} did not end in time; see the node's log");
    ApiError::new(ErrorCode::Timeout, text).with("epoch", epoch.0)
}

/// The first state that fulfils `is_done`; none when it does not come within `limit`.
async fn wait_until(
    blocks: &mut watch::Receiver<Arc<Now>>,
    limit: Duration,
    mut is_done: impl FnMut(&Now) -> bool,
) -> Option<Arc<Now>> {
    let found = blocks.wait_for(|now| is_done(now));
    let found = tokio::time::timeout(limit, found).await.ok()?;
    found.ok().map(|now| Arc::clone(&now))
}
