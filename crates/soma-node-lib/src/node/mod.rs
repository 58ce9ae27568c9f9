//! A whole node: chain, mempool, consensus, API, blobs, snapshots and audit, started and stopped together.

mod bootstrap;
mod config;
mod documented;
mod error;
mod halts;
mod keys;
mod limits;
mod parts;
mod peers;
mod signal;
mod slashed;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use soma_chain::{ChainConfig, SledStore, StoreError};
use soma_consensus::{
    ChainApplication, ChainRules, ConsensusError, Engine, Handle, Identity, NetworkKey,
};
use soma_service::{BindError, Server, bind};
use soma_types::{Address, Genesis};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::application::{Application, NodeChain};
use crate::rpc::{Rpc, RpcConfig};
use crate::store::NodeStore;

pub use bootstrap::{BootstrapError, TrustedBlock};
pub use config::NodeConfig;
pub use documented::DOCUMENTED;
pub use error::NodeError;
pub use keys::{NodeKeys, ValidatorConfig, network_id};
use parts::Parts;
pub use signal::{Until, run, run_on_new_runtime};
pub use soma_consensus::check_peer_address;

/// How often a store that is in use is tried again.
const CLOSING_TRIES: u32 = 20;
/// Time between two tries.
const CLOSING_PAUSE: Duration = Duration::from_millis(100);

/// A node.
pub struct Node;

impl Node {
    /// Starts a node after `config`. It answers when this returns.
    ///
    /// # Errors
    /// [`NodeError`].
    pub async fn start(config: NodeConfig) -> Result<NodeHandle, NodeError> {
        let genesis = config.read_genesis()?;
        Self::start_with(genesis, config).await
    }

    /// Starts a node of the chain of `genesis`, with the keys that `config` names.
    ///
    /// # Errors
    /// [`NodeError`].
    pub async fn start_with(genesis: Genesis, config: NodeConfig) -> Result<NodeHandle, NodeError> {
        let keys = NodeKeys::read(&config.validator)?;
        Self::start_as(genesis, config, keys).await
    }

    /// Starts a node of the chain of `genesis` with these keys; it audits when the settings name a
    /// scorer, too.
    ///
    /// # Errors
    /// [`NodeError`].
    pub async fn start_as(
        genesis: Genesis,
        config: NodeConfig,
        keys: NodeKeys,
    ) -> Result<NodeHandle, NodeError> {
        config.check()?;
        // The port first: a second node must not wait for the store's lock to be told.
        let listener = bind(config.rpc.address).await?;
        bootstrap::bootstrap(&genesis, &config).await?;
        let chain = Arc::new(open_chain(genesis, &config).await?);
        check_limits(&config, chain.parameters().max_block_bytes)?;
        let application = Arc::new(Application::new(chain, config.mempool.clone()));
        tracing::info!(
            chain = %application.chain().genesis().chain,
            chain_id = %application.chain().chain_id(),
            height = application.now().height(),
            epoch = application.now().system.epoch.0,
            validator = keys.validator.as_ref().map(|keys| keys.address.to_string()),
            "node starts"
        );
        let parts = Parts::open(&application, &config, keys.account.clone()).await?;
        let stop = CancellationToken::new();
        let consensus = start_consensus(&application, &config, keys, &stop).await?;
        let observer = consensus.0.observer().clone();
        let watch = peers::Watch::new(&config);
        tokio::spawn(watch.run(Arc::clone(&application), observer, stop.clone()));
        run_parts(application, consensus, parts, listener, config.rpc, stop)
    }
}

/// Refuses to take less of a peer than the chain's blocks may have: no block would ever come.
fn check_limits(config: &NodeConfig, max_block_bytes: u64) -> Result<(), NodeError> {
    let value = config.consensus.limits.max_block_bytes as u64;
    match value > max_block_bytes {
        true => Ok(()),
        false => Err(NodeError::Option {
            name: "consensus.limits.max_block_bytes",
            value,
            range: max_block_bytes + 1..=u64::MAX,
        }),
    }
}

/// A running engine and the folder of its files, where that is a temporary one.
type Consensus = (Handle, Option<TempDir>);

async fn start_consensus(
    application: &Arc<Application>,
    config: &NodeConfig,
    keys: NodeKeys,
    stop: &CancellationToken,
) -> Result<Consensus, NodeError> {
    let file = |path: &Path| {
        let path = path.to_owned();
        move |error| NodeError::File { path, error }
    };
    let (folder, network, temporary) = match &config.data_dir {
        Some(dir) => {
            let folder = dir.join("consensus");
            std::fs::create_dir_all(&folder).map_err(file(&folder))?;
            let network = NetworkKey::load_or_create(&dir.join("network.key"))?;
            (folder, network, None)
        }
        None => {
            let folder = tempfile::tempdir().map_err(file(&std::env::temp_dir()))?;
            let path = folder.path().to_owned();
            (path, NetworkKey::generate(), Some(folder))
        }
    };
    let validator = keys.validator.as_ref().map(|keys| keys.address);
    let chain = ChainApplication::new(
        Arc::clone(application.chain()),
        Arc::clone(application),
        validator.unwrap_or(Address([0; 32])),
        ChainRules {
            max_clock_ahead: Duration::from_millis(config.max_clock_ahead_ms),
            idle_interval: Duration::from_millis(config.idle_block_interval_ms),
            ..ChainRules::default()
        },
    );
    let identity = Identity {
        network,
        validator: keys.validator,
    };
    let (chain, stop) = (Arc::new(chain), stop.clone());
    let handle = Engine::start(&config.consensus, identity, chain, &folder, stop).await?;
    Ok((handle, temporary))
}

async fn open_chain(genesis: Genesis, config: &NodeConfig) -> Result<NodeChain, NodeError> {
    let chain_config = ChainConfig {
        keep_blocks: config.keep_blocks,
        keep_states: config.keep_states,
    };
    let (data_dir, cache_bytes) = (config.data_dir.clone(), config.cache_bytes);
    let open = move || {
        let store = match data_dir {
            Some(dir) => NodeStore::Disk(open_store(&dir.join("chain"), cache_bytes)?),
            None => NodeStore::Memory(soma_chain::MemoryStore::new()),
        };
        Ok(NodeChain::open(store, &genesis, chain_config)?)
    };
    tokio::task::spawn_blocking(open)
        .await
        .map_err(|_| NodeError::Panicked)?
}

/// Opens the store on disk. A node that ended a moment ago may still be closing it.
fn open_store(folder: &Path, cache_bytes: u64) -> Result<SledStore, StoreError> {
    for _ in 0..CLOSING_TRIES {
        match SledStore::open(folder, cache_bytes) {
            Err(StoreError::InUse { .. }) => std::thread::sleep(CLOSING_PAUSE),
            result => return result,
        }
    }
    SledStore::open(folder, cache_bytes)
}

fn run_parts(
    application: Arc<Application>,
    (consensus, temporary): Consensus,
    parts: Parts,
    listener: TcpListener,
    config: RpcConfig,
    stop: CancellationToken,
) -> Result<NodeHandle, NodeError> {
    let address = listener.local_addr().map_err(|error| BindError {
        address: config.address,
        error,
    })?;
    let server = Server {
        listener,
        config: config.serve.clone(),
        router: Rpc::new(
            Arc::clone(&application),
            parts.served(consensus.observer().clone()),
            config,
            stop.clone(),
        )
        .router(),
    };
    let audit = parts.audit.map(|audit| audit.start(stop.clone()));
    let snapshots = parts.snapshots;
    let snapshots = snapshots.map(|all| all.start(Arc::clone(&application), stop.clone()));
    let api = tokio::spawn(server.run(stop.clone()));
    let gossip = Arc::clone(&application).run_gossip(consensus.outbox(), stop.clone());
    let gossip = tokio::spawn(gossip);
    let (chain, stopped) = (Arc::clone(&application), stop.clone());
    let task = tokio::spawn(async move {
        // Consensus ends when it is told to, or because the chain cannot go on.
        let result: Result<(), ConsensusError> = consensus.wait().await;
        if let Err(error) = &result {
            tracing::error!(%error, "consensus failed; the node stops");
        }
        stopped.cancel();
        drop(temporary);
        gossip.await.map_err(|_| NodeError::Panicked)?;
        if let Some(audit) = audit {
            audit.await.map_err(|_| NodeError::Panicked)?;
        }
        if let Some(snapshots) = snapshots {
            snapshots.await.map_err(|_| NodeError::Panicked)?;
        }
        let served = api.await;
        let flushed = tokio::task::spawn_blocking(move || chain.chain().flush()).await;
        result?;
        flushed.map_err(|_| NodeError::Panicked)??;
        served.map_err(|_| NodeError::Panicked)?;
        tracing::info!("node stopped");
        Ok(())
    });
    Ok(NodeHandle {
        application,
        address,
        stop,
        task,
    })
}

/// A running node. Dropping it does not stop the node; [`NodeHandle::stop`] does.
pub struct NodeHandle {
    application: Arc<Application>,
    address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<Result<(), NodeError>>,
}

impl NodeHandle {
    /// The chain and its mempool.
    pub fn application(&self) -> &Arc<Application> {
        &self.application
    }

    /// Where the API listens.
    pub fn rpc_address(&self) -> SocketAddr {
        self.address
    }

    /// Ends the node when cancelled, and is cancelled when the node ends.
    pub fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// Waits until the node has ended.
    ///
    /// # Errors
    /// Why it ended, unless it was told to.
    pub async fn wait(self) -> Result<(), NodeError> {
        self.task.await.unwrap_or(Err(NodeError::Panicked))
    }

    /// Ends the node: the block at hand is finished, open requests are answered, the store is
    /// flushed.
    ///
    /// # Errors
    /// What went wrong at the end.
    pub async fn shutdown(self) -> Result<(), NodeError> {
        self.stop.cancel();
        self.wait().await
    }
}
