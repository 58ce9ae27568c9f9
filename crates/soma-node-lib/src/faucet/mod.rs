//! The faucet: gives a little money to whoever asks, on a port of its own.
//!
//! `POST /v1/faucet {"address": "0x…"}` answers once the money is on the account. Nonces are
//! given out one after the other, so concurrent requests never collide; when something else signs
//! with the faucet's key, the faucet looks up its nonce and tries again.

mod config;
mod send;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, State};
use axum::routing::post;
use axum::{Extension, Json};
use soma_api::{ErrorCode, FaucetRequest, FaucetResponse};
use soma_crypto::SecretKey;
use soma_service::{ApiError, Body, RateLimit, guarded, rate_key};
use soma_types::Address;
use tokio::sync::Mutex;

use crate::application::Application;

pub use config::FaucetConfig;

/// A faucet over a node of the same process.
#[derive(Clone)]
pub struct Faucet {
    shared: Arc<Shared>,
}

struct Shared {
    application: Arc<Application>,
    config: FaucetConfig,
    key: SecretKey,
    by_address: RateLimit<Address>,
    by_client: RateLimit<std::net::IpAddr>,
    /// Held from looking up a nonce until the transaction with it waits in the mempool.
    turn: Mutex<()>,
}

impl Faucet {
    /// A faucet that pays from the account of `key`.
    pub fn new(application: Arc<Application>, key: SecretKey, config: FaucetConfig) -> Self {
        Self {
            shared: Arc::new(Shared {
                application,
                by_address: RateLimit::new(config.rate_by_address),
                by_client: RateLimit::new(config.rate_by_client),
                key,
                config,
                turn: Mutex::new(()),
            }),
        }
    }

    /// The account that it pays from.
    pub fn address(&self) -> Address {
        self.shared.key.address()
    }

    /// The routes with all limits around them.
    pub fn router(self) -> Router {
        let guard = self.shared.config.guard.clone();
        let router = Router::new()
            .route("/v1/faucet", post(ask))
            .route("/health", axum::routing::get(async || "ok"))
            .with_state(self);
        guarded(router, &guard, None)
    }
}

async fn ask(
    State(faucet): State<Faucet>,
    client: Option<Extension<ConnectInfo<SocketAddr>>>,
    Body(request): Body<FaucetRequest>,
) -> Result<Json<FaucetResponse>, ApiError> {
    let client = client.map(|Extension(client)| client);
    let limited = |who: &str| {
        let text = format!("{who} was given as much as this faucet gives for now; wait a minute");
        ApiError::new(ErrorCode::RateLimited, text)
    };
    if !faucet.shared.by_client.allows(&rate_key(client.as_ref())) {
        return Err(limited("your network address"));
    }
    if !faucet.shared.by_address.allows(&request.address) {
        return Err(limited("this account"));
    }
    faucet.send(request.address).await.map(Json)
}
