//! Where the nodes of a network on one machine meet.

use crate::node::NodeConfig;
use soma_service::free_ports;

/// Connections of one machine: all nodes are on it.
const CONNECTIONS: usize = 256;

/// Where the nodes of a network on one machine meet: each stays connected with all others.
#[derive(Clone, Debug)]
pub struct Addresses(Vec<String>);

impl Addresses {
    /// A free port of this machine for each of `count` nodes.
    ///
    /// # Errors
    /// When there are none.
    pub fn choose(count: usize) -> std::io::Result<Self> {
        let address = |port| format!("/ip4/127.0.0.1/tcp/{port}");
        Ok(Self(free_ports(count)?.into_iter().map(address).collect()))
    }

    /// The node at `index`, as a multiaddress.
    pub fn get(&self, index: usize) -> Option<&str> {
        self.0.get(index).map(String::as_str)
    }

    /// Connects the node at `index` with all others; a node beyond them with them.
    pub fn connect(&self, index: usize, config: &mut NodeConfig) {
        let consensus = &mut config.consensus;
        let others = self.0.iter().enumerate();
        let others = others.filter(|(other, _)| *other != index);
        consensus.persistent_peers = others.map(|(_, address)| address.clone()).collect();
        if let Some(own) = self.0.get(index) {
            consensus.listen.clone_from(own);
        }
        consensus.name = format!("node-{}", index + 1);
        consensus.discovery = false;
        consensus.max_connections_per_ip = CONNECTIONS;
    }
}
