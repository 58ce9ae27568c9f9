//! The faucet: gives a little money to whoever asks, on a port of its own.
//!
//! `POST /v1/faucet {"address": "0x…"}` answers once the money is on the account. What it pays from
//! is a [`Purse`]: an account used through the node of this process, or through any other.

mod config;
mod node_purse;
mod routes;

use std::sync::Arc;

use axum::Router;
use futures::future::BoxFuture;
use soma_api::{ErrorCode, FaucetResponse};
use soma_service::{ApiError, RateLimit, guarded};
use soma_types::time::Height;
use soma_types::{Address, Digest, Shannons};

pub use config::FaucetConfig;
pub use node_purse::NodePurse;
pub use routes::openapi_json;

/// What a faucet pays from.
pub trait Purse: Send + Sync + 'static {
    /// The account.
    fn address(&self) -> Address;

    /// Pays, and waits until the money is there.
    fn pay(&self, recipient: Address, amount: Shannons) -> BoxFuture<'_, Result<Paid, PurseError>>;
}

/// A payment that is in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paid {
    /// The transaction.
    pub transaction: Digest,
    /// Its block.
    pub height: Height,
}

/// Why a payment was not made.
#[derive(Clone, Debug)]
pub enum PurseError {
    /// So much is left, which is not enough.
    Empty(Shannons),
    /// Anything else, as it is told to who asked.
    Failed(ApiError),
}

/// A faucet.
#[derive(Clone)]
pub struct Faucet {
    shared: Arc<Shared>,
}

struct Shared {
    purse: Box<dyn Purse>,
    config: FaucetConfig,
    by_address: RateLimit<Address>,
    by_client: RateLimit<std::net::IpAddr>,
}

impl Faucet {
    /// A faucet that pays from `purse`.
    pub fn new(purse: impl Purse, config: FaucetConfig) -> Self {
        Self {
            shared: Arc::new(Shared {
                purse: Box::new(purse),
                by_address: RateLimit::new(config.rate_by_address),
                by_client: RateLimit::new(config.rate_by_client),
                config,
            }),
        }
    }

    /// The account that it pays from.
    pub fn address(&self) -> Address {
        self.shared.purse.address()
    }

    /// The routes with all limits around them.
    pub fn router(self) -> Router {
        let guard = self.shared.config.guard.clone();
        let (router, _) = routes::documented().split_for_parts();
        guarded(router.with_state(self), &guard, None)
    }

    /// Pays `recipient` and waits until the money is there.
    ///
    /// # Errors
    /// [`ErrorCode::FaucetEmpty`], or why the payment was not taken or not executed in time.
    pub async fn send(&self, recipient: Address) -> Result<FaucetResponse, ApiError> {
        let amount = self.shared.config.amount;
        match self.shared.purse.pay(recipient, amount).await {
            Ok(paid) => Ok(FaucetResponse {
                address: recipient,
                amount,
                transaction: paid.transaction,
                height: paid.height,
            }),
            Err(PurseError::Empty(left)) => Err(self.empty(left)),
            Err(PurseError::Failed(error)) => Err(error),
        }
    }

    fn empty(&self, left: Shannons) -> ApiError {
        let text = format!(
            "the faucet has {left} left, which does not pay {} and the fee; fund {}",
            self.shared.config.amount,
            self.address()
        );
        tracing::warn!(%left, "faucet is empty");
        ApiError::new(ErrorCode::FaucetEmpty, text).with("left", left.0)
    }
}
