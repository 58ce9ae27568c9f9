//! A network of one validator with load, and nodes that join it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use soma_node::localnet::Addresses;
use soma_node::{Application, Localnet, LocalnetConfig, Node, NodeConfig, NodeError, NodeHandle};
use soma_sdk::types::{Address, Epoch, Genesis, Height, Shannons};
use soma_sdk::{Account, Client};
use soma_service::RateConfig;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A limit that nothing here comes near.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// Small, so that a small state has several.
pub(crate) const CHUNK_BYTES: usize = 400;

/// A running network of one validator.
pub(crate) struct Net {
    pub(crate) localnet: Localnet,
    pub(crate) addresses: Addresses,
    _folder: TempDir,
}

/// Transfers, one after the other, until it is dropped.
pub(crate) struct Load {
    stop: CancellationToken,
    _task: JoinHandle<()>,
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Net {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// A network whose validator's settings `change` has changed.
    pub(crate) async fn start_with(change: impl FnOnce(&mut NodeConfig)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = LocalnetConfig::for_tests();
        config.data_dir = Some(folder.path().to_owned());
        (config.faucet, config.admin) = (None, None);
        config.node.snapshots.chunk_bytes = CHUNK_BYTES;
        change(&mut config.node);
        let localnet = Localnet::start(config).await.unwrap();
        Self {
            addresses: localnet.addresses().clone(),
            localnet,
            _folder: folder,
        }
    }

    pub(crate) fn url(&self) -> String {
        self.localnet.rpc_url()
    }

    pub(crate) fn client(&self) -> Client {
        client(&self.url())
    }

    pub(crate) fn genesis(&self) -> Genesis {
        self.localnet.application().chain().genesis().clone()
    }

    /// The account of one of the funded keys.
    pub(crate) fn account(&self, index: usize, client: &Client) -> Account {
        client.account(self.localnet.keys().accounts[index].secret_key.clone())
    }

    /// Sends transfers to ever new addresses, so that every chunk of the state changes.
    pub(crate) fn load(&self) -> Load {
        let (account, stop) = (self.account(0, &self.client()), CancellationToken::new());
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            for n in 0_u64.. {
                let to = soma_crypto::hash(soma_crypto::Domain::StateKey, n.to_le_bytes());
                tokio::select! {
                    () = stopped.cancelled() => return,
                    sent = account.transfer(Address(to), Shannons(1_000)) => { sent.unwrap(); }
                }
            }
        });
        Load { stop, _task: task }
    }

    /// Makes blocks with transfers.
    pub(crate) async fn blocks(&self, count: u64) {
        let account = self.account(1, &self.client());
        for _ in 0..count {
            account
                .transfer(account.address(), Shannons(1))
                .await
                .unwrap();
        }
    }

    /// Ends epochs, one after the other; gives the last that has ended.
    pub(crate) async fn end_epochs(&self, count: u64) -> Epoch {
        let application = self.localnet.application();
        let mut now = application.watch();
        for _ in 0..count {
            let epoch = application.now().system.epoch;
            application.end_epoch(epoch);
            let ended = now.wait_for(|now| now.system.epoch > epoch);
            tokio::time::timeout(LONG, ended).await.unwrap().unwrap();
            // So that every epoch has changed something.
            self.blocks(2).await;
        }
        application.now().system.epoch.minus(1).unwrap()
    }

    /// Ends epochs, and waits for the snapshot of the last.
    pub(crate) async fn snapshot(&self, epochs: u64) -> Epoch {
        let epoch = self.end_epochs(epochs).await;
        has_snapshot(&self.client(), epoch).await;
        epoch
    }

    /// Settings of a node that joins, with its data in `folder`.
    pub(crate) fn joining(&self, folder: &Path, sources: &[String]) -> NodeConfig {
        let mut config = NodeConfig {
            data_dir: Some(folder.to_owned()),
            snapshot_urls: sources.to_vec(),
            ..NodeConfig::default()
        };
        config.snapshots.chunk_bytes = CHUNK_BYTES;
        config.rpc.address = "127.0.0.1:0".parse().unwrap();
        config.rpc.guard.rate = RateConfig {
            per_minute: 0,
            burst: 0,
        };
        config.consensus.min_interval_ms = 1;
        config.consensus.sync_interval_ms = 200;
        self.addresses.connect(1, &mut config);
        config
    }

    /// Starts a node that joins.
    pub(crate) async fn join(&self, config: NodeConfig) -> Result<NodeHandle, NodeError> {
        Node::start_with(self.genesis(), config).await
    }

    /// Waits until `node` has the newest block of now; it must be the same.
    pub(crate) async fn followed_by(&self, node: &NodeHandle) {
        let head = self.localnet.application().now().head;
        reached(node.application(), head.header.height).await;
        let block = node.application().block(head.header.height).unwrap();
        match block {
            Some(block) => assert_eq!(block.digest, head.digest),
            // The snapshot's own block.
            None => assert_eq!(node.application().now().head, head),
        }
    }
}

/// A client that does not try for long.
pub(crate) fn client(url: &str) -> Client {
    Client::builder().rpc_url(url).build().unwrap()
}

/// The URL of a node's API.
pub(crate) fn url(node: &NodeHandle) -> String {
    format!("http://{}", node.rpc_address())
}

/// Waits for a height.
pub(crate) async fn reached(application: &Arc<Application>, height: Height) {
    let mut now = application.watch();
    let reached = now.wait_for(|now| now.height() >= height);
    let reached = tokio::time::timeout(LONG, reached).await;
    assert!(
        reached.is_ok(),
        "height {} instead of {height}",
        application.now().height()
    );
}

/// Waits until `holds`.
pub(crate) async fn wait<F: Future<Output = bool>>(what: &str, holds: impl Fn() -> F) {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let waited = tokio::time::timeout(LONG, waiting).await;
    assert!(waited.is_ok(), "{what} does not happen");
}

/// Waits until a node gives the snapshot of `epoch`.
pub(crate) async fn has_snapshot(client: &Client, epoch: Epoch) {
    wait("a snapshot", || async {
        let snapshots = client.snapshots().await.unwrap().snapshots;
        snapshots.iter().any(|snapshot| snapshot.epoch == epoch)
    })
    .await;
}
