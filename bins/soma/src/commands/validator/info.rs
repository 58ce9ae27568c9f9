//! `soma validator make-info`.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use soma_ceremony::{ValidatorInfo, genesis_json};
use soma_crypto::key_file;
use soma_crypto::keystore::KeyIdentity;
use soma_node::NodeConfig;
use soma_node::node::network_id;
use soma_sdk::SecretKey;
use soma_sdk::types::genesis::ChainName;
use soma_sdk::types::validator::MetadataText;
use soma_sdk::types::{Address, Bps, ChainId, PublicKey, ValidatorMetadata};

use super::host::{in_url, peer_address};
use super::metadata::check_url;
use super::show;
use crate::commands::node_file;
use crate::context::Context;
use crate::error::CliError;
use crate::output::{Fields, Output};

/// Make the keys of a validator, its `validator.info` and the settings of its node
#[derive(Clone, Debug, Args)]
pub struct MakeInfo {
    /// Where others reach the validator: a name or an IP address
    #[arg(value_name = "HOST")]
    pub host: String,
    /// Commission in basis points, at most 10000
    #[arg(value_name = "BPS", default_value_t = 200, value_parser = clap::value_parser!(u16).range(..=10_000))]
    pub commission_rate: u16,
    /// Folder for everything: it becomes the data folder of the node. What is there is kept
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
    /// For the genesis of a new chain of this name; default: to join the environment's chain
    #[arg(long, value_name = "CHAIN")]
    pub genesis: Option<ChainName>,
    /// For the running chain of this id, without asking a node
    #[arg(long, value_name = "ID", conflicts_with = "genesis")]
    pub chain_id: Option<ChainId>,
    /// Be this account of the wallet, the active one without a value; default that of `account.key`
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, require_equals = true)]
    pub account: Option<Option<KeyIdentity>>,
    /// A name to show; default the host
    #[arg(long)]
    pub name: Option<MetadataText>,
    /// Port for other validators
    #[arg(long, value_name = "PORT", default_value_t = 8_084, value_parser = clap::value_parser!(u16).range(1..))]
    pub p2p_port: u16,
    /// Port of the API
    #[arg(long, value_name = "PORT", default_value_t = 9_000)]
    pub rpc_port: u16,
    /// URL of the API that clients see, `""` for none; default http://HOST:PORT
    #[arg(long, value_name = "URL")]
    pub rpc_address: Option<MetadataText>,
    /// URL where weights and data are served that clients see; default none
    #[arg(long, value_name = "URL")]
    pub proxy_address: Option<MetadataText>,
}

/// Who the validator is.
enum Account {
    /// The key in a file, and whether it was made now.
    File(SecretKey, bool),
    /// An account of the wallet.
    Wallet(Address),
}

impl Account {
    fn address(&self) -> Address {
        match self {
            Self::File(key, _) => key.address(),
            Self::Wallet(address) => *address,
        }
    }
}

/// What is known of the running chain.
#[derive(Default)]
struct Running {
    chain_id: Option<ChainId>,
    genesis: Option<String>,
    peers: Vec<String>,
}

impl MakeInfo {
    pub(super) async fn run(self, context: &Context) -> Result<Output, CliError> {
        let p2p_address = peer_address(&self.host, self.p2p_port)?;
        let metadata = self.metadata(&p2p_address)?;
        let commission = Bps::new(self.commission_rate).unwrap_or(Bps::ZERO);
        let running = self.running(context, &p2p_address).await?;
        let dir = std::path::absolute(&self.dir).map_err(CliError::file(&self.dir))?;
        std::fs::create_dir_all(&dir).map_err(CliError::file(&dir))?;
        let account = self.account(context, &dir)?;
        let (consensus, new_consensus) = key_file::read_or_create(&dir.join("consensus.key"))?;
        let new_network = !dir.join("network.key").exists();
        let peer_id = network_id(&dir)?;
        let info = match (running.chain_id, &self.genesis) {
            (Some(chain), _) => {
                let address = account.address();
                ValidatorInfo::for_chain(chain, address, metadata, commission, &consensus)
            }
            (None, Some(chain)) => {
                let key = match &account {
                    Account::File(key, _) => key.clone(),
                    Account::Wallet(address) => context.secret_key(*address)?,
                };
                ValidatorInfo::for_genesis(chain.clone(), &key, metadata, commission, &consensus)
            }
            // Without the name of a new chain, a running one was asked for.
            (None, None) => return Err(CliError::Usage("no chain".to_owned())),
        };
        let path = dir.join("validator.info");
        info.write(&path)?;
        if let Some(genesis) = &running.genesis {
            let path = dir.join("genesis.json");
            std::fs::write(&path, genesis).map_err(CliError::file(&path))?;
        }
        let config = self.config(&dir, &account, p2p_address, running.peers)?;
        let new_config = node_file::write_new(&dir.join("node.toml"), &config)?;
        let new_account = matches!(account, Account::File(_, true));
        let made = [
            ("account.key", new_account),
            ("consensus.key", new_consensus),
            ("network.key", new_network),
            ("node.toml", new_config),
        ];
        Ok(self.output(&dir, &info, &peer_id, &made))
    }

    fn metadata(&self, p2p_address: &str) -> Result<ValidatorMetadata, CliError> {
        let text = |text: &str| {
            let text: Result<MetadataText, _> = text.parse();
            text.map_err(|error| CliError::Usage(format!("the host is too long: {error}")))
        };
        let default_url = format!("http://{}:{}", in_url(&self.host), self.rpc_port);
        let rpc_address = match &self.rpc_address {
            Some(url) => url.clone(),
            None => text(&default_url)?,
        };
        let proxy_address = self.proxy_address.clone().unwrap_or_default();
        check_url(rpc_address.as_str())?;
        check_url(proxy_address.as_str())?;
        Ok(ValidatorMetadata {
            name: match &self.name {
                Some(name) => name.clone(),
                None => text(&self.host)?,
            },
            // Set to that of the key when the proof is made.
            consensus_key: PublicKey([0; 33]),
            p2p_address: text(p2p_address)?,
            rpc_address,
            proxy_address,
        })
    }

    /// The chain to join, with its genesis and the addresses of its validators.
    async fn running(&self, context: &Context, own: &str) -> Result<Running, CliError> {
        if self.genesis.is_some() {
            return Ok(Running::default());
        }
        if let Some(chain_id) = self.chain_id {
            return Ok(Running {
                chain_id: Some(chain_id),
                ..Running::default()
            });
        }
        let client = context.client()?;
        let chain_id = client.chain_id().await?;
        let genesis = crate::commands::genesis::genuine(&client, chain_id).await?;
        let members = show::all(&client).await?.into_iter();
        let members = members.filter(|validator| validator.voting_power > 0);
        let peers = members.map(|validator| validator.metadata.p2p_address);
        Ok(Running {
            chain_id: Some(chain_id),
            genesis: genesis_json(&genesis).ok(),
            peers: peers
                .filter(|peer| !peer.is_empty() && peer != own)
                .collect(),
        })
    }

    fn account(&self, context: &Context, dir: &Path) -> Result<Account, CliError> {
        match &self.account {
            Some(who) => Ok(Account::Wallet(context.address(who.as_ref())?)),
            None => {
                let (key, is_new) = key_file::read_or_create(&dir.join("account.key"))?;
                Ok(Account::File(key, is_new))
            }
        }
    }

    fn config(
        &self,
        dir: &Path,
        account: &Account,
        p2p_address: String,
        peers: Vec<String>,
    ) -> Result<NodeConfig, CliError> {
        let mut config = NodeConfig {
            data_dir: Some(dir.to_owned()),
            ..NodeConfig::default()
        };
        config.validator.consensus_key = Some(dir.join("consensus.key"));
        match account {
            Account::File(..) => config.validator.account_key = Some(dir.join("account.key")),
            Account::Wallet(address) => config.validator.address = Some(*address),
        }
        config.consensus.name = self.host.clone();
        config.consensus.persistent_peers = peers;
        let host: Option<IpAddr> = self.host.parse().ok();
        if host.is_some_and(|ip| ip.is_loopback()) {
            // All nodes are on this machine, and nobody else is to reach them.
            node_file::only_this_machine(&mut config);
            config.consensus.listen = p2p_address;
            config.rpc.address = SocketAddr::from(([127, 0, 0, 1], self.rpc_port));
        } else {
            config.consensus.listen = format!("/ip4/0.0.0.0/tcp/{}", self.p2p_port);
            config.rpc.address.set_port(self.rpc_port);
        }
        Ok(config)
    }

    fn output(
        &self,
        dir: &Path,
        info: &ValidatorInfo,
        peer_id: &str,
        made: &[(&str, bool)],
    ) -> Output {
        let file = |name: &str| dir.join(name).display().to_string();
        let info_file = file("validator.info");
        let json = json!({
            "address": info.address,
            "consensus_key": info.metadata.consensus_key,
            "p2p_address": info.metadata.p2p_address,
            "peer_id": peer_id,
            "dir": dir,
            "info": info_file,
            "config": file("node.toml"),
            "purpose": info.proof.purpose(),
        });
        let mut fields = Fields::new()
            .with("Validator", info.address)
            .with("Consensus key", info.metadata.consensus_key)
            .with("P2P address", &info.metadata.p2p_address)
            .with("Peer id", peer_id)
            .with("For", info.proof.purpose())
            .with("Written", &info_file);
        for (name, is_new) in made {
            let path = dir.join(name);
            fields = match is_new {
                true => fields.with("Written", path.display()),
                false if path.exists() => fields.with("Kept", path.display()),
                false => fields,
            };
        }
        let import = match &self.account {
            Some(_) => String::new(),
            None => format!("`soma wallet import - < {}`; ", file("account.key")),
        };
        let next = match &self.genesis {
            Some(_) => format!("give {info_file} to the coordinator of the genesis"),
            None => format!(
                "{import}start the node with `soma start validator --config {}`; once it has caught up, \
                 apply with `soma validator join {info_file} --stake AMOUNT`",
                file("node.toml")
            ),
        };
        Output::new(&json, fields.with("Next", next).text())
    }
}
