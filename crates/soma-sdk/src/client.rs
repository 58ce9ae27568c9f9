//! The client: what all calls share.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use soma_api::ChainInfo;
use soma_crypto::SecretKey;
use soma_types::{Address, ChainId};
use tokio::sync::{Mutex, OnceCell};

use crate::account::Account;
use crate::config::{ClientBuilder, Endpoint, Endpoints, Service};
use crate::error::SdkError;
use crate::http::Http;

/// A client of one network. Cloning is cheap; clones share connections and the order of nonces.
#[derive(Clone)]
pub struct Client {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) endpoints: Endpoints,
    pub(crate) settings: ClientBuilder,
    pub(crate) http: Http,
    /// The chain that this client first met; it refuses to go on with another.
    chain: OnceCell<ChainInfo>,
    /// Held per address from looking up a nonce until the node has the transaction with it.
    turns: std::sync::Mutex<HashMap<Address, Arc<Mutex<()>>>>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Client of {}", self.rpc_url())
    }
}

impl Client {
    /// Settings of a new client.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    pub(crate) fn new(endpoints: Endpoints, settings: ClientBuilder) -> Result<Self, SdkError> {
        let http = Http::new(&endpoints, &settings)?;
        Ok(Self {
            shared: Arc::new(Shared {
                endpoints,
                settings,
                http,
                chain: OnceCell::new(),
                turns: std::sync::Mutex::default(),
            }),
        })
    }

    /// An account whose transactions this client signs and sends.
    pub fn account(&self, key: SecretKey) -> Account {
        Account::new(self.clone(), key)
    }

    /// URL of the node.
    pub fn rpc_url(&self) -> &str {
        &self.shared.endpoints.rpc.url
    }

    /// URL of the faucet.
    pub fn faucet_url(&self) -> Option<&str> {
        let endpoint = self.shared.endpoints.faucet.as_ref();
        endpoint.map(|endpoint| endpoint.url.as_str())
    }

    /// URL of the scorer.
    pub fn scoring_url(&self) -> Option<&str> {
        let endpoint = self.shared.endpoints.scoring.as_ref();
        endpoint.map(|endpoint| endpoint.url.as_str())
    }

    /// URL of the admin routes.
    pub fn admin_url(&self) -> Option<&str> {
        let endpoint = self.shared.endpoints.admin.as_ref();
        endpoint.map(|endpoint| endpoint.url.as_str())
    }

    /// The chain that this client works with: asked for once.
    ///
    /// # Errors
    /// When the node does not answer, or is of another chain than
    /// [`ClientBuilder::chain_id`] says.
    pub async fn chain_id(&self) -> Result<ChainId, SdkError> {
        let info = self.shared.chain.get_or_try_init(|| self.chain_info());
        let got = info.await?.chain_id;
        match self.shared.settings.chain_id {
            Some(expected) if expected != got => Err(SdkError::WrongChain { expected, got }),
            _ => Ok(got),
        }
    }

    pub(crate) fn http(&self) -> &Http {
        &self.shared.http
    }

    pub(crate) fn rpc(&self) -> &Endpoint {
        &self.shared.endpoints.rpc
    }

    pub(crate) fn faucet(&self) -> Result<&Endpoint, SdkError> {
        let endpoint = self.shared.endpoints.faucet.as_ref();
        endpoint.ok_or(SdkError::NotConfigured {
            service: Service::Faucet,
            setting: "faucet_url",
        })
    }

    pub(crate) fn admin(&self) -> Result<&Endpoint, SdkError> {
        let endpoint = self.shared.endpoints.admin.as_ref();
        endpoint.ok_or(SdkError::NotConfigured {
            service: Service::Admin,
            setting: "admin_url",
        })
    }

    pub(crate) fn scorer(&self) -> Result<&Endpoint, SdkError> {
        let endpoint = self.shared.endpoints.scoring.as_ref();
        endpoint.ok_or(SdkError::NotConfigured {
            service: Service::Scoring,
            setting: "scoring_url",
        })
    }

    /// The turn of `address`.
    pub(crate) fn turn(&self, address: Address) -> Arc<Mutex<()>> {
        // A panic while locked leaves a map that is whole.
        let turns = self.shared.turns.lock();
        let mut turns = turns.unwrap_or_else(PoisonError::into_inner);
        // Turns that nobody holds or waits for need not be remembered.
        if turns.len() > 1_024 {
            turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        }
        Arc::clone(turns.entry(address).or_default())
    }
}
