//! Where the nodes of a network on one machine meet.

use std::net::TcpListener;
use std::time::Duration;

use soma_service::free_ports;
use soma_types::{Genesis, GenesisValidator};
use tokio::time::Instant;

use super::{LocalnetAccount, LocalnetKeys};
use crate::node::NodeConfig;

/// Connections of one machine: all nodes are on it.
const CONNECTIONS: usize = 256;

/// What precedes the port.
const HOST: &str = "/ip4/127.0.0.1/tcp/";

/// Time for a network that ended a moment ago to leave its ports.
const LEAVING: Duration = Duration::from_secs(2);
/// Time between two looks at a port.
const PAUSE: Duration = Duration::from_millis(50);

/// Where the nodes of a network on one machine meet: each stays connected with all others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses(Vec<String>);

impl Addresses {
    /// A free port of this machine for each of `count` nodes.
    ///
    /// # Errors
    /// When there are none.
    pub fn choose(count: usize) -> std::io::Result<Self> {
        let address = |port| format!("{HOST}{port}");
        Ok(Self(free_ports(count)?.into_iter().map(address).collect()))
    }

    /// The validators' addresses in `genesis`, in the order of `keys`; empty for one without.
    pub fn listed(genesis: &Genesis, keys: &LocalnetKeys) -> Self {
        let listed = |account: &LocalnetAccount| {
            let is_it = |validator: &&GenesisValidator| validator.address == account.address;
            let found = genesis.validators.iter().find(is_it);
            found.map_or_else(String::new, |found| found.metadata.p2p_address.to_string())
        };
        Self(keys.validators.iter().map(listed).collect())
    }

    /// The same with a free port of this machine for each that another program listens on.
    ///
    /// # Errors
    /// When there are none.
    pub async fn usable(mut self) -> std::io::Result<Self> {
        let deadline = Instant::now() + LEAVING;
        for (number, address) in (1..).zip(&mut self.0) {
            while !is_free(address) {
                if Instant::now() < deadline {
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
                let instead = Self::choose(1)?.0.concat();
                tracing::warn!(
                    validator = number,
                    taken = %address,
                    %instead,
                    "another program listens at the validator's address in the genesis; until the \
                     next start it listens elsewhere, where nodes outside this network do not find it"
                );
                *address = instead;
            }
        }
        Ok(self)
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

/// True for an address of this machine that nothing listens on.
fn is_free(address: &str) -> bool {
    let port = address.strip_prefix(HOST);
    let port: Option<u16> = port.and_then(|port| port.parse().ok());
    port.is_some_and(|port| TcpListener::bind(("127.0.0.1", port)).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_that_is_taken_is_replaced_and_the_others_stay() {
        let listed = Addresses::choose(3).unwrap();
        let port = listed.get(1).unwrap().rsplit('/').next().unwrap();
        let taken = TcpListener::bind(format!("127.0.0.1:{port}")).unwrap();
        let usable = listed.clone().usable().await.unwrap();
        for index in [0, 2] {
            assert_eq!(usable.get(index), listed.get(index));
        }
        assert_ne!(usable.get(1), listed.get(1));
        assert!(is_free(usable.get(1).unwrap()));
        drop(taken);
        assert_eq!(listed.clone().usable().await.unwrap(), listed);
    }
}
