//! The faucet: gives a little money to whoever asks, on a port of its own.
//!
//! `POST /v1/faucet {"address": "0x…"}` answers once the money is on the account. Nonces are
//! given out one after the other, so concurrent requests never collide; when something else signs
//! with the faucet's key, the faucet looks up its nonce and tries again.

mod config;
mod routes;
mod send;

use std::sync::Arc;

use axum::Router;
use soma_crypto::SecretKey;
use soma_service::{RateLimit, guarded};
use soma_types::Address;
use tokio::sync::Mutex;

use crate::application::Application;

pub use config::FaucetConfig;
pub use routes::openapi_json;

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
        let (router, _) = routes::documented().split_for_parts();
        guarded(router.with_state(self), &guard, None)
    }
}
