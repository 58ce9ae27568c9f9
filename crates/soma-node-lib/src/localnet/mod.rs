//! A network on this machine: the node of its first validator, faucet and admin routes, ready at
//! once. Nodes of more validators are started beside it, after [`NodeConfig`]s of their own.
//!
//! The first start makes a genesis with funded accounts and keeps it, with their keys, in the data
//! folder; later starts go on from there. [`LocalnetConfig::force_regenesis`] starts over. The
//! genesis also says where each validator listens, so that nodes from elsewhere find it again.

mod addresses;
mod cluster;
mod config;
mod files;
mod genesis;
mod process;

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use soma_service::{BindError, ServeConfig, Server, bind};
use soma_types::Genesis;
use thiserror::Error;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::admin::{Admin, NotLoopback};
use crate::application::Application;
use crate::faucet::{Faucet, NodePurse};
use crate::node::{Node, NodeError, NodeHandle, NodeKeys};

pub use addresses::Addresses;
pub use cluster::Cluster;
pub use config::LocalnetConfig;
pub use files::{LocalnetAccount, LocalnetKeys};
pub use genesis::localnet_genesis;
pub use process::{NodeProcess, NodeProgram, ProcessError};

/// Why a localnet cannot start, or why it stopped.
#[derive(Debug, Error)]
pub enum LocalnetError {
    /// The node.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The faucet's or admin's address cannot be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// Admin routes for everybody.
    #[error(transparent)]
    Admin(#[from] NotLoopback),
    /// No ports for its validators.
    #[error("no free ports on this machine: {0}")]
    Ports(std::io::Error),
    /// A setting that is fixed by the genesis differs from the stored one.
    #[error(
        "`{setting}` is {stored} on the network in {}, not {asked}; start over with `--force-regenesis`, or leave it out",
        dir.display()
    )]
    Fixed {
        /// The setting.
        setting: &'static str,
        /// Its stored value.
        stored: String,
        /// The value asked for.
        asked: String,
        /// The data folder.
        dir: PathBuf,
    },
}

/// A running localnet.
pub struct Localnet {
    node: NodeHandle,
    servers: Vec<JoinHandle<()>>,
    keys: LocalnetKeys,
    addresses: Addresses,
    data_dir: Option<PathBuf>,
    is_new: bool,
    faucet: Option<SocketAddr>,
    admin: Option<SocketAddr>,
    /// Keeps other processes from the data folder.
    _lock: Option<File>,
}

impl Localnet {
    /// Starts a localnet. Everything answers when this returns.
    ///
    /// # Errors
    /// [`LocalnetError`].
    pub async fn start(config: LocalnetConfig) -> Result<Self, LocalnetError> {
        // Before anything there is read, or removed.
        let lock = config.data_dir.as_deref().map(files::lock).transpose()?;
        let (genesis, keys, is_new) = load_or_make(&config)?;
        let key = NodeKeys::of_validator(keys.first().secret_key.clone());
        let addresses = Addresses::listed(&genesis, &keys).usable().await;
        let addresses = addresses.map_err(LocalnetError::Ports)?;
        let node = Node::start_as(genesis, config.node_config(&addresses), key).await?;
        match Self::add_services(&node, &keys, &config).await {
            Ok((servers, faucet, admin)) => Ok(Self {
                node,
                servers,
                keys,
                addresses,
                data_dir: config.data_dir,
                is_new,
                faucet,
                admin,
                _lock: lock,
            }),
            Err(error) => {
                node.shutdown().await?;
                Err(error)
            }
        }
    }

    async fn add_services(
        node: &NodeHandle,
        keys: &LocalnetKeys,
        config: &LocalnetConfig,
    ) -> Result<Services, LocalnetError> {
        let mut servers = Vec::new();
        let (mut faucet, mut admin) = (None, None);
        if let Some(settings) = &config.faucet {
            let purse = NodePurse::new(
                Arc::clone(node.application()),
                keys.faucet.secret_key.clone(),
                Duration::from_millis(settings.max_wait_ms),
            );
            let service = Faucet::new(purse, settings.clone());
            let (serve, router) = (settings.serve.clone(), service.router());
            let (task, at) = start(settings.address, serve, router, node.stop()).await?;
            servers.push(task);
            faucet = Some(at);
        }
        if let Some(settings) = &config.admin {
            let service = Admin::new(Arc::clone(node.application()), settings.clone())?;
            let (serve, router) = (service.serve_config(), service.router());
            let (task, at) = start(settings.address, serve, router, node.stop()).await?;
            servers.push(task);
            admin = Some(at);
        }
        Ok((servers, faucet, admin))
    }

    /// The chain and its mempool.
    pub fn application(&self) -> &Arc<Application> {
        self.node.application()
    }

    /// URL of the API.
    pub fn rpc_url(&self) -> String {
        url(self.node.rpc_address())
    }

    /// URL of the faucet.
    pub fn faucet_url(&self) -> Option<String> {
        self.faucet.map(url)
    }

    /// URL of the admin routes.
    pub fn admin_url(&self) -> Option<String> {
        self.admin.map(url)
    }

    /// The keys of the network's accounts.
    pub fn keys(&self) -> &LocalnetKeys {
        &self.keys
    }

    /// Where its validators meet other nodes.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Where it keeps its data; nowhere when absent.
    pub fn data_dir(&self) -> Option<&Path> {
        self.data_dir.as_deref()
    }

    /// True when this start made the genesis.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Ends the localnet when cancelled, and is cancelled when the localnet ends.
    pub fn stop(&self) -> &CancellationToken {
        self.node.stop()
    }

    /// Waits until the localnet has ended.
    ///
    /// # Errors
    /// Why it ended, unless it was told to.
    pub async fn wait(self) -> Result<(), LocalnetError> {
        let result = self.node.wait().await;
        for server in self.servers {
            // A panicking server was logged by the runtime; the node's end matters here.
            let _ = server.await;
        }
        Ok(result?)
    }

    /// Ends the localnet.
    ///
    /// # Errors
    /// What went wrong at the end.
    pub async fn shutdown(self) -> Result<(), LocalnetError> {
        self.node.stop().cancel();
        self.wait().await
    }
}

type Services = (Vec<JoinHandle<()>>, Option<SocketAddr>, Option<SocketAddr>);

async fn start(
    address: SocketAddr,
    config: ServeConfig,
    router: axum::Router,
    stop: &CancellationToken,
) -> Result<(JoinHandle<()>, SocketAddr), BindError> {
    let listener = bind(address).await?;
    let at = listener
        .local_addr()
        .map_err(|error| BindError { address, error })?;
    let server = Server {
        listener,
        router,
        config,
    };
    Ok((tokio::spawn(server.run(stop.clone())), at))
}

/// A URL that reaches `address` from this machine.
fn url(address: SocketAddr) -> String {
    match address.ip() {
        ip if ip.is_unspecified() => format!("http://127.0.0.1:{}", address.port()),
        _ => format!("http://{address}"),
    }
}

fn fresh_keys(config: &LocalnetConfig) -> LocalnetKeys {
    LocalnetKeys::generate(config.validators.unwrap_or(1), config.accounts)
}

fn load_or_make(config: &LocalnetConfig) -> Result<(Genesis, LocalnetKeys, bool), LocalnetError> {
    let Some(dir) = &config.data_dir else {
        let keys = fresh_keys(config);
        return Ok((localnet_genesis(config, &keys), keys, true));
    };
    if config.force_regenesis {
        files::clear(dir)?;
    }
    if let Some((genesis, keys)) = files::load(dir)? {
        config.check_against(&genesis, dir)?;
        return Ok((genesis, keys, false));
    }
    let keys = fresh_keys(config);
    let genesis = localnet_genesis(config, &keys);
    files::save(dir, &genesis, &keys)?;
    Ok((genesis, keys, true))
}
