//! Settings of the API.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde::{Deserialize, Serialize};

use soma_service::{GuardConfig, ServeConfig};

/// Settings of the API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RpcConfig {
    /// Where it listens. Default `0.0.0.0:9000`.
    pub address: SocketAddr,
    /// Limits of requests.
    pub guard: GuardConfig,
    /// Limits of connections.
    pub serve: ServeConfig,
    /// The longest wait for a receipt in milliseconds. Default 30,000.
    pub max_wait_ms: u64,
    /// Requests that wait for a receipt at the same time, besides those that are worked on. Default
    /// 8,192.
    pub max_waiting: usize,
    /// The most of them of one IP address, or of the /64 network of an IPv6 address, but not of this
    /// machine's own; 0 turns the limit off. Default 1,024.
    pub max_waiting_per_ip: usize,
    /// Open event streams. Default 256.
    pub max_event_streams: usize,
    /// The most items of a page. Default 1,000.
    pub max_page: usize,
    /// The most items of a page with embeddings, which have some 20 kB each. Default 100.
    pub max_page_with_embeddings: usize,
}

impl Default for RpcConfig {
    fn default() -> Self {
        Self {
            address: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 9_000),
            guard: GuardConfig::default(),
            serve: ServeConfig::default(),
            max_wait_ms: 30_000,
            max_waiting: 8_192,
            max_waiting_per_ip: 1_024,
            max_event_streams: 256,
            max_page: soma_api::MAX_PAGE,
            max_page_with_embeddings: 100,
        }
    }
}
