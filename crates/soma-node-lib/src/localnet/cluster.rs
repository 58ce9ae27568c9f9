//! Validators alone, each in a process of its own: for measurements and for tests of what happens
//! when some of them fail.

use std::path::PathBuf;

use soma_types::Genesis;

use super::{
    Addresses, LocalnetConfig, LocalnetKeys, NodeProcess, NodeProgram, ProcessError,
    localnet_genesis,
};
use crate::node::NodeConfig;

/// Validators of one network, each in a process of its own, with no services beside them.
pub struct Cluster {
    program: NodeProgram,
    folder: PathBuf,
    genesis: Genesis,
    keys: LocalnetKeys,
    node: NodeConfig,
    addresses: Addresses,
    nodes: Vec<NodeProcess>,
}

impl Cluster {
    /// Prepares the network that `config` describes: its validators, accounts, parameters, and the
    /// settings of every node. All files are in `folder`. None of the nodes runs yet.
    ///
    /// # Errors
    /// [`ProcessError`].
    pub fn prepare(
        program: NodeProgram,
        folder: PathBuf,
        config: &LocalnetConfig,
    ) -> Result<Self, ProcessError> {
        let count = config.validators.unwrap_or(1);
        let keys = LocalnetKeys::generate(count, config.accounts);
        let genesis = localnet_genesis(config, &keys);
        let addresses = Addresses::listed(&genesis, &keys);
        let mut cluster = Self {
            program,
            folder,
            genesis,
            node: config.node.clone(),
            addresses,
            nodes: Vec::new(),
            keys,
        };
        for index in 0..count {
            cluster.add(index, true)?;
        }
        Ok(cluster)
    }

    fn add(&mut self, index: usize, validates: bool) -> Result<(), ProcessError> {
        let mut config = self.node.clone();
        self.addresses.connect(index, &mut config);
        config.rpc.address.set_port(0);
        let account = self.keys.validators.get(index).filter(|_| validates);
        let node = NodeProcess::prepare(
            self.program.clone(),
            self.folder.join((index + 1).to_string()),
            &self.genesis,
            config,
            account.map(|account| &account.secret_key),
        )?;
        self.nodes.push(node);
        Ok(())
    }

    /// Prepares one more node, which only follows; gives its index.
    ///
    /// # Errors
    /// [`ProcessError`].
    pub fn add_follower(&mut self) -> Result<usize, ProcessError> {
        let index = self.nodes.len();
        self.add(index, false)?;
        Ok(index)
    }

    /// Starts all nodes that do not run.
    ///
    /// # Errors
    /// [`ProcessError`].
    pub async fn start(&mut self) -> Result<(), ProcessError> {
        let starts = self.nodes.iter_mut().map(NodeProcess::start);
        for started in futures::future::join_all(starts).await {
            started?;
        }
        Ok(())
    }

    /// Kills all nodes at once, as a power cut does.
    pub async fn kill(&mut self) {
        futures::future::join_all(self.nodes.iter_mut().map(NodeProcess::kill)).await;
    }

    /// Stops all nodes.
    pub async fn stop(&mut self) {
        futures::future::join_all(self.nodes.iter_mut().map(NodeProcess::stop)).await;
    }

    /// The nodes, validators first.
    pub fn nodes(&self) -> &[NodeProcess] {
        &self.nodes
    }

    /// The nodes, to stop or start some.
    pub fn nodes_mut(&mut self) -> &mut [NodeProcess] {
        &mut self.nodes
    }

    /// What the chain started from.
    pub fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// Keys of validators and funded accounts.
    pub fn keys(&self) -> &LocalnetKeys {
        &self.keys
    }
}
