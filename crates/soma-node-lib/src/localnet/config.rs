//! Settings of a localnet.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use soma_service::RateConfig;
use soma_types::{Address, Genesis, ParameterOverrides, ParameterTable, Shannons};

use super::{Addresses, LocalnetError, files};
use crate::admin::AdminConfig;
use crate::faucet::FaucetConfig;
use crate::node::NodeConfig;

/// Embedding dimension of the small model.
pub(super) const SMALL_MODEL_DIM: u64 = 16;

/// Settings of a localnet. Everything listens on this machine only, on the usual ports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LocalnetConfig {
    /// Where genesis, keys and chain are kept; in memory when absent.
    pub data_dir: Option<PathBuf>,
    /// Starts over: removes genesis, keys and chain from the data folder first.
    pub force_regenesis: bool,
    /// Length of an epoch in milliseconds. Default 24 hours. Fixed by the genesis.
    pub epoch_duration_ms: Option<u64>,
    /// Uses the dimension of the small model, 16. Fixed by the genesis.
    pub small_model: bool,
    /// Validators, with the same stake each; the localnet itself runs the first. Default 1. Fixed
    /// by the genesis.
    pub validators: Option<usize>,
    /// Funded accounts to make keys for. Default 5.
    pub accounts: usize,
    /// What each of them holds. Default 300,000 SOMA.
    pub account_balance: Shannons,
    /// More accounts to fund alike, for example those of a wallet.
    pub fund: Vec<Address>,
    /// More parameters that differ from the protocol version's. Fixed by the genesis.
    pub parameters: ParameterOverrides,
    /// The faucet; none when absent.
    pub faucet: Option<FaucetConfig>,
    /// The admin routes; none when absent.
    pub admin: Option<AdminConfig>,
    /// The node. Its `data_dir` and `genesis` are not used, nor where it meets other nodes: the
    /// genesis says that.
    pub node: NodeConfig,
}

impl Default for LocalnetConfig {
    fn default() -> Self {
        let local = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        let mut node = NodeConfig::default();
        node.rpc.address = local(9_000);
        // Scripts of one developer should not be slowed down.
        node.rpc.guard.rate = RateConfig {
            per_minute: 0,
            burst: 0,
        };
        node.rpc.guard.cors_origins = vec!["*".to_owned()];
        // Blobs lie on this machine, and only it asks for them.
        node.blobs.local = true;
        node.blobs.serve = true;
        Self {
            data_dir: None,
            force_regenesis: false,
            epoch_duration_ms: None,
            small_model: false,
            validators: None,
            accounts: 5,
            account_balance: Shannons(300_000_000_000_000),
            fund: Vec::new(),
            parameters: ParameterOverrides::new(),
            faucet: Some(FaucetConfig {
                address: local(9_123),
                ..FaucetConfig::default()
            }),
            admin: Some(AdminConfig::default()),
            node,
        }
    }
}

impl LocalnetConfig {
    /// A localnet in memory on free ports, for tests.
    pub fn for_tests() -> Self {
        let mut config = Self {
            small_model: true,
            ..Self::default()
        };
        config.node.rpc.address.set_port(0);
        config.node.consensus.min_interval_ms = 1;
        if let Some(faucet) = &mut config.faucet {
            faucet.address.set_port(0);
        }
        if let Some(admin) = &mut config.admin {
            admin.address.set_port(0);
        }
        config
    }

    /// The genesis that a start goes on from, and its folder; `None` where a start makes a new one.
    ///
    /// # Errors
    /// When it cannot be read, or differs from these settings in what a genesis fixes.
    pub fn stored_genesis(&self) -> Result<Option<(Genesis, PathBuf)>, LocalnetError> {
        match &self.data_dir {
            Some(dir) if !self.force_regenesis => {
                let Some((genesis, _)) = files::load(dir)? else {
                    return Ok(None);
                };
                self.check_against(&genesis, dir)?;
                Ok(Some((genesis, dir.clone())))
            }
            _ => Ok(None),
        }
    }

    /// Settings of the first validator's node.
    pub(super) fn node_config(&self, addresses: &Addresses) -> NodeConfig {
        let mut config = NodeConfig {
            data_dir: self.data_dir.clone(),
            ..self.node.clone()
        };
        addresses.connect(0, &mut config);
        config
    }

    /// Refuses settings that differ from a genesis that is there already.
    pub(super) fn check_against(&self, genesis: &Genesis, dir: &Path) -> Result<(), LocalnetError> {
        let mut wanted: Vec<(&'static str, &str, u64)> = Vec::new();
        if let Some(duration) = self.epoch_duration_ms {
            wanted.push(("epoch-duration-ms", "epoch_duration_ms", duration));
        }
        if self.small_model {
            wanted.push(("small-model", "target_embedding_dim", SMALL_MODEL_DIM));
        }
        for (name, value) in &self.parameters {
            wanted.push(("parameters", name, *value));
        }
        let table = ParameterTable::new(genesis.parameters.clone());
        let parameters = table.and_then(|table| table.at(genesis.protocol_version));
        let parameters = parameters.ok();
        let fixed = |setting, stored, asked| LocalnetError::Fixed {
            setting,
            stored,
            asked,
            dir: dir.to_owned(),
        };
        for (setting, name, value) in wanted {
            let stored = parameters.as_ref().and_then(|stored| stored.get(name));
            if stored != Some(value) {
                let show = |value: Option<u64>| match value {
                    Some(value) => format!("{name} = {value}"),
                    None => format!("no {name}"),
                };
                return Err(fixed(setting, show(stored), show(Some(value))));
            }
        }
        let stored = genesis.validators.len();
        match self.validators {
            Some(asked) if asked != stored => {
                let (stored, asked) = (stored.to_string(), asked.to_string());
                Err(fixed("validators", stored, asked))
            }
            _ => Ok(()),
        }
    }
}
