//! Settings of the faucet.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde::{Deserialize, Serialize};
use soma_types::Shannons;

use soma_service::{GuardConfig, RateConfig, ServeConfig};

/// Settings of the faucet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FaucetConfig {
    /// Where it listens. Default `0.0.0.0:9123`.
    pub address: SocketAddr,
    /// What each request is given, in shannons. Default 2 SOMA: a model's first stake and fees.
    pub amount: Shannons,
    /// Requests for one account. Default 30 a minute, 30 at once.
    pub rate_by_address: RateConfig,
    /// Requests from one network address. Default 300 a minute, 300 at once.
    pub rate_by_client: RateConfig,
    /// Time to wait for the receipt in milliseconds. Default 15,000.
    pub max_wait_ms: u64,
    /// Limits of requests.
    pub guard: GuardConfig,
    /// Limits of connections.
    pub serve: ServeConfig,
}

impl Default for FaucetConfig {
    fn default() -> Self {
        let rate = |per_minute| RateConfig {
            per_minute,
            burst: per_minute,
        };
        Self {
            address: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 9_123),
            amount: Shannons(2_000_000_000),
            rate_by_address: rate(30),
            rate_by_client: rate(300),
            max_wait_ms: 15_000,
            guard: GuardConfig {
                max_body_bytes: 4_096,
                ..GuardConfig::default()
            },
            serve: ServeConfig::default(),
        }
    }
}
