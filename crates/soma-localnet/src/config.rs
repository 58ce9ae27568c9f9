//! Settings of a network on one machine.

use std::net::{Ipv4Addr, SocketAddr};

use soma_node::LocalnetConfig;
use soma_node::localnet::NodeProgram;
use soma_scoring::{Device, ModelConfig};

/// The size that has the most parameters: that of the main network.
const DEFAULT_SIZE: &str = "v1";

/// Settings of a network on one machine.
#[derive(Clone, Debug)]
pub struct NetworkConfig {
    /// Node of the first validator, faucet and admin routes; how many validators there are. Its `small_model` is the same as `model_size` `small`.
    pub node: LocalnetConfig,
    /// Size of the network's models by name; fixed by the genesis. Default that of the genesis that
    /// is there, `v1` for a new one.
    pub model_size: Option<String>,
    /// The scorer; none when absent, and then no audit either.
    pub scorer: Option<ScorerConfig>,
    /// What runs the other validators' nodes, each in a process of its own; in this process when
    /// absent.
    pub program: Option<NodeProgram>,
    /// Where the blob server listens; none when absent. Default 127.0.0.1:9126.
    pub blobs: Option<SocketAddr>,
}

/// Settings of its scorer.
#[derive(Clone, Debug)]
pub struct ScorerConfig {
    /// Where it listens. Default 127.0.0.1:9124.
    pub address: SocketAddr,
    /// What it computes on. Default the CPU.
    pub device: Device,
}

impl Default for ScorerConfig {
    fn default() -> Self {
        Self {
            address: local(9_124),
            device: Device::Cpu,
        }
    }
}

impl Default for NetworkConfig {
    fn default() -> Self {
        Self {
            node: LocalnetConfig::default(),
            model_size: None,
            scorer: Some(ScorerConfig::default()),
            program: None,
            blobs: Some(local(9_126)),
        }
    }
}

impl NetworkConfig {
    /// In memory, with the small model, on free ports: for tests.
    pub fn for_tests() -> Self {
        Self {
            node: LocalnetConfig::for_tests(),
            model_size: Some("small".to_owned()),
            scorer: Some(ScorerConfig {
                address: local(0),
                ..ScorerConfig::default()
            }),
            program: None,
            blobs: Some(local(0)),
        }
    }
}

pub(crate) fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// The size of models whose embeddings have `dim` numbers; `None` when no size has.
pub(crate) fn size_of_dim(dim: u64) -> Option<(&'static str, ModelConfig)> {
    ModelConfig::presets().find(|(_, model)| u64::try_from(model.embedding_dim) == Ok(dim))
}

/// What the settings ask for, `v1` when they say nothing.
pub(crate) fn wanted_size(config: &NetworkConfig) -> &str {
    match (&config.model_size, config.node.small_model) {
        (Some(size), _) => size,
        (None, true) => "small",
        (None, false) => DEFAULT_SIZE,
    }
}
