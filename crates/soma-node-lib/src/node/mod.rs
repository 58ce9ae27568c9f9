//! A whole node: chain, mempool, producer, API, blobs and audit, started and stopped together.

mod config;
mod error;
mod parts;
mod signal;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use soma_chain::{ChainConfig, SledStore, StoreError};
use soma_crypto::SecretKey;
use soma_service::{BindError, Server, bind};
use soma_types::{Address, Genesis};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::application::{Application, NodeChain, ProduceError};
use crate::producer::{Consensus, LoneSequencer};
use crate::rpc::{Rpc, RpcConfig};
use crate::store::NodeStore;

pub use config::NodeConfig;
pub use error::NodeError;
use parts::Parts;
pub use signal::run_until_signal;

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

    /// Starts a node of the chain of `genesis`.
    ///
    /// # Errors
    /// [`NodeError`].
    pub async fn start_with(genesis: Genesis, config: NodeConfig) -> Result<NodeHandle, NodeError> {
        let key = config.read_validator_key()?;
        Self::start_as(genesis, config, key).await
    }

    /// Starts a node of the chain of `genesis`, which audits as the validator with this key when
    /// the settings name a scorer.
    ///
    /// # Errors
    /// [`NodeError`].
    pub async fn start_as(
        genesis: Genesis,
        config: NodeConfig,
        key: Option<SecretKey>,
    ) -> Result<NodeHandle, NodeError> {
        // The port first: a second node must not wait for the store's lock to be told.
        let listener = bind(config.rpc.address).await?;
        let chain = open_chain(genesis, &config).await?;
        let first = chain.genesis().validators.first().map(|v| v.address);
        let proposer = config.proposer.or(first).unwrap_or(Address([0; 32]));
        let application = Arc::new(Application::new(chain, proposer, config.mempool.clone()));
        tracing::info!(
            chain = %application.chain().genesis().chain,
            chain_id = %application.chain().chain_id(),
            height = application.now().height(),
            epoch = application.now().system.epoch.0,
            "node starts"
        );
        let parts = Parts::open(&application, &config, key).await?;
        let sequencer = LoneSequencer::new(config.producer.clone());
        run(application, sequencer, parts, listener, config.rpc)
    }
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

fn run(
    application: Arc<Application>,
    consensus: impl Consensus,
    parts: Parts,
    listener: TcpListener,
    config: RpcConfig,
) -> Result<NodeHandle, NodeError> {
    let address = listener.local_addr().map_err(|error| BindError {
        address: config.address,
        error,
    })?;
    let stop = CancellationToken::new();
    let server = Server {
        listener,
        config: config.serve.clone(),
        router: Rpc::new(
            Arc::clone(&application),
            parts.served(),
            config,
            stop.clone(),
        )
        .router(),
    };
    let audit = parts.audit.map(|audit| audit.start(stop.clone()));
    let api = tokio::spawn(server.run(stop.clone()));
    let producer = tokio::spawn(consensus.run(Arc::clone(&application), stop.clone()));
    let (chain, stopped) = (Arc::clone(&application), stop.clone());
    let task = tokio::spawn(async move {
        // The producer ends when it is told to, or because the chain cannot go on.
        let result = producer.await.unwrap_or(Err(ProduceError::Panicked));
        if let Err(error) = &result {
            tracing::error!(%error, "block production failed; the node stops");
        }
        stopped.cancel();
        if let Some(audit) = audit {
            audit.await.map_err(|_| NodeError::Panicked)?;
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
