//! Validators in processes of their own, with a client for each.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use soma_node::LocalnetConfig;
use soma_node::localnet::{Cluster, NodeProgram};
use soma_sdk::api::Status;
use soma_sdk::{Account, BlockName, Client};
use soma_types::{Digest, Epoch, Height, Shannons};

/// What waits so long never comes.
pub const PATIENCE: Duration = Duration::from_secs(90);
/// Time between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// A network of validators in processes of their own.
pub struct Arena {
    cluster: Cluster,
    clients: Vec<Client>,
}

impl Arena {
    /// Settings for a network of `validators` with `accounts` funded accounts.
    pub fn settings(validators: usize, accounts: usize) -> LocalnetConfig {
        let mut config = LocalnetConfig::for_tests();
        config.validators = Some(validators);
        config.accounts = accounts;
        config.account_balance = Shannons(10_000_000_000_000);
        config.node.log.filter = "warn".to_owned();
        config
    }

    /// Prepares the network of `config` with all its files in `folder`; none of the nodes runs.
    ///
    /// # Errors
    /// Files or ports.
    pub fn prepare(program: PathBuf, folder: &Path, config: &LocalnetConfig) -> Result<Self> {
        let program = NodeProgram::from(program);
        let cluster = Cluster::prepare(program, folder.to_owned(), config)?;
        let client = |url: &str| {
            let builder = Client::builder().rpc_url(url);
            builder.execution_timeout(PATIENCE).build()
        };
        let nodes = cluster.nodes().iter();
        let clients = nodes.map(|node| client(node.rpc_url()));
        let clients = clients.collect::<Result<_, _>>()?;
        Ok(Self { cluster, clients })
    }

    /// The processes.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// The processes, to add some.
    pub fn cluster_mut(&mut self) -> &mut Cluster {
        &mut self.cluster
    }

    /// A client of the node at `place`.
    pub fn client(&self, place: usize) -> &Client {
        &self.clients[place]
    }

    /// Number of nodes.
    pub fn len(&self) -> usize {
        self.clients.len()
    }

    /// True without nodes.
    pub fn is_empty(&self) -> bool {
        self.clients.is_empty()
    }

    /// Funded account number `number`, which sends through the node at `place`.
    pub fn account(&self, number: usize, place: usize) -> Account {
        let key = &self.cluster.keys().accounts[number].secret_key;
        self.clients[place].account(key.clone())
    }

    /// The account of the validator at `of`, which sends through the node at `place`.
    pub fn validator(&self, of: usize, place: usize) -> Account {
        let key = &self.cluster.keys().validators[of].secret_key;
        self.clients[place].account(key.clone())
    }

    /// Starts all nodes that do not run; gives the time until all answered.
    ///
    /// # Errors
    /// A node that ends or does not answer.
    pub async fn start(&mut self) -> Result<Duration> {
        let since = Instant::now();
        self.cluster.start().await?;
        Ok(since.elapsed())
    }

    /// Kills some nodes at once, as power cuts do.
    pub async fn kill(&mut self, places: &[usize]) {
        let nodes = self.cluster.nodes_mut().iter_mut().enumerate();
        let hit = nodes.filter(|(place, _)| places.contains(place));
        futures::future::join_all(hit.map(|(_, node)| node.kill())).await;
    }

    /// How the node at `place` is.
    ///
    /// # Errors
    /// A node that does not answer.
    pub async fn status(&self, place: usize) -> Result<Status> {
        let status = self.clients[place].status().await;
        status.with_context(|| format!("the status of node {place}"))
    }

    /// Waits until the nodes at `places` are at `height` at least; gives the time that took.
    ///
    /// # Errors
    /// A node that does not answer, or does not get there.
    pub async fn reach(&self, places: &[usize], height: Height) -> Result<Duration> {
        let since = Instant::now();
        for place in places {
            loop {
                let at = self.status(*place).await?.height;
                if at >= height {
                    break;
                }
                ensure!(
                    since.elapsed() < PATIENCE,
                    "node {place} is at height {at}, not at {height}"
                );
                tokio::time::sleep(LOOK).await;
            }
        }
        Ok(since.elapsed())
    }

    /// Waits until the nodes at `places` are in `epoch` at least.
    ///
    /// # Errors
    /// A node that does not answer, or does not get there.
    pub async fn reach_epoch(&self, places: &[usize], epoch: Epoch) -> Result<()> {
        let since = Instant::now();
        for place in places {
            loop {
                let at = self.status(*place).await?.epoch;
                if at >= epoch {
                    break;
                }
                ensure!(
                    since.elapsed() < PATIENCE,
                    "node {place} is in epoch {at}, not in {epoch}"
                );
                tokio::time::sleep(LOOK).await;
            }
        }
        Ok(())
    }

    /// The digest of the block at `height`, as the node at `place` has it.
    ///
    /// # Errors
    /// A node that does not answer, or does not have it.
    pub async fn digest(&self, place: usize, height: Height) -> Result<Digest> {
        let block = self.clients[place].block(BlockName::Height(height), false);
        let block = block
            .await
            .with_context(|| format!("the block of height {height} as node {place} has it"))?;
        Ok(block.digest)
    }

    /// Asks all nodes to end, and waits.
    pub async fn stop(&mut self) {
        self.cluster.stop().await;
    }
}
