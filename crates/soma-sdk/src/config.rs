//! What a client needs to know: URLs, deadlines, retries.

use std::fmt;
use std::time::Duration;

use soma_types::ChainId;

use crate::client::Client;
use crate::error::SdkError;

/// A service of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// The node's API.
    Rpc,
    /// The faucet.
    Faucet,
    /// The scorer.
    Scoring,
    /// The admin routes of a localnet.
    Admin,
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rpc => "node",
            Self::Faucet => "faucet",
            Self::Scoring => "scorer",
            Self::Admin => "admin service",
        })
    }
}

/// A service's URL without a slash at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) service: Service,
    pub(crate) url: String,
}

impl Endpoint {
    fn new(service: Service, text: &str) -> Result<Self, SdkError> {
        let refuse = |reason: String| SdkError::InvalidUrl {
            service,
            url: text.chars().take(200).collect(),
            reason,
        };
        let url = reqwest::Url::parse(text).map_err(|error| refuse(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refuse("it must begin with http:// or https://".to_owned()));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refuse("it must not have `?` or `#`".to_owned()));
        }
        Ok(Self {
            service,
            url: url.as_str().trim_end_matches('/').to_owned(),
        })
    }
}

/// Settings of a [`Client`]. All have defaults but the node's URL.
#[derive(Clone, Debug)]
pub struct ClientBuilder {
    rpc: Option<String>,
    faucet: Option<String>,
    scoring: Option<String>,
    admin: Option<String>,
    pub(crate) chain_id: Option<ChainId>,
    pub(crate) timeout: Duration,
    pub(crate) execution_timeout: Duration,
    pub(crate) scoring_timeout: Duration,
    pub(crate) retries: u32,
    pub(crate) expiry_blocks: u64,
}

impl Default for ClientBuilder {
    fn default() -> Self {
        Self {
            rpc: None,
            faucet: None,
            scoring: None,
            admin: None,
            chain_id: None,
            timeout: Duration::from_secs(30),
            execution_timeout: Duration::from_secs(30),
            scoring_timeout: Duration::from_secs(600),
            retries: 3,
            expiry_blocks: 10_000,
        }
    }
}

/// Checked URLs.
#[derive(Clone, Debug)]
pub(crate) struct Endpoints {
    pub(crate) rpc: Endpoint,
    pub(crate) faucet: Option<Endpoint>,
    pub(crate) scoring: Option<Endpoint>,
    pub(crate) admin: Option<Endpoint>,
}

impl ClientBuilder {
    /// The services of a localnet with its usual ports: node 9000, faucet 9123, scorer 9124,
    /// admin 9125. What is set later wins.
    #[must_use]
    pub fn localnet(self) -> Self {
        self.rpc_url("http://127.0.0.1:9000")
            .faucet_url("http://127.0.0.1:9123")
            .scoring_url("http://127.0.0.1:9124")
            .admin_url("http://127.0.0.1:9125")
    }

    /// URL of the node.
    #[must_use]
    pub fn rpc_url(mut self, url: impl Into<String>) -> Self {
        self.rpc = Some(url.into());
        self
    }

    /// URL of the faucet.
    #[must_use]
    pub fn faucet_url(mut self, url: impl Into<String>) -> Self {
        self.faucet = Some(url.into());
        self
    }

    /// URL of the scorer.
    #[must_use]
    pub fn scoring_url(mut self, url: impl Into<String>) -> Self {
        self.scoring = Some(url.into());
        self
    }

    /// URL of the admin routes.
    #[must_use]
    pub fn admin_url(mut self, url: impl Into<String>) -> Self {
        self.admin = Some(url.into());
        self
    }

    /// The chain that the node must be of: for another, nothing is signed. Default: the one that it
    /// is of when it is first asked.
    #[must_use]
    pub fn chain_id(mut self, chain_id: ChainId) -> Self {
        self.chain_id = Some(chain_id);
        self
    }

    /// Deadline of each call, its retries included. Default 30 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long to wait until a transaction is in a block. Default 30 s.
    #[must_use]
    pub fn execution_timeout(mut self, timeout: Duration) -> Self {
        self.execution_timeout = timeout;
        self
    }

    /// How long the scorer may take: it downloads weights first. Default 600 s.
    #[must_use]
    pub fn scoring_timeout(mut self, timeout: Duration) -> Self {
        self.scoring_timeout = timeout;
        self
    }

    /// How often a harmless request is repeated after a failure that may pass. Default 3.
    #[must_use]
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// For at least how many blocks a transaction can be executed after it was built; some thousand
    /// random ones are added. Default 10,000.
    #[must_use]
    pub fn expiry_blocks(mut self, blocks: u64) -> Self {
        self.expiry_blocks = blocks;
        self
    }

    /// The client. Connects to nothing yet.
    ///
    /// # Errors
    /// No URL of the node, or a text that is no URL.
    pub fn build(self) -> Result<Client, SdkError> {
        let rpc = self.rpc.as_deref().ok_or(SdkError::NotConfigured {
            service: Service::Rpc,
            setting: "rpc_url",
        })?;
        let optional = |service, url: &Option<String>| {
            url.as_deref()
                .map(|url| Endpoint::new(service, url))
                .transpose()
        };
        let endpoints = Endpoints {
            rpc: Endpoint::new(Service::Rpc, rpc)?,
            faucet: optional(Service::Faucet, &self.faucet)?,
            scoring: optional(Service::Scoring, &self.scoring)?,
            admin: optional(Service::Admin, &self.admin)?,
        };
        Client::new(endpoints, self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_needs_the_url_of_a_node() {
        let error = ClientBuilder::default().build().unwrap_err();
        assert!(matches!(error, SdkError::NotConfigured { .. }), "{error}");
    }

    #[test]
    fn bad_urls_are_refused_by_service() {
        for bad in ["", "localhost:9000", "ftp://a", "http://", "http://a?b=c"] {
            let build = ClientBuilder::default().localnet().faucet_url(bad).build();
            let error = build.unwrap_err();
            assert!(error.to_string().contains("faucet"), "{bad}: {error}");
        }
    }

    #[test]
    fn the_localnet_preset_can_be_overridden() {
        let client = ClientBuilder::default()
            .localnet()
            .rpc_url("http://127.0.0.1:9999/")
            .build()
            .unwrap();
        assert_eq!(client.rpc_url(), "http://127.0.0.1:9999");
        assert_eq!(client.admin_url(), Some("http://127.0.0.1:9125"));
    }
}
