//! Configuration of consensus: every field has a default.

use std::net::IpAddr;
use std::time::Duration;

use bytesize::ByteSize;
use malachite::app::config::{
    ConsensusConfig as EngineConsensus, DiscoveryConfig, NodeConfig, P2pConfig, ValuePayload,
    ValueSyncConfig,
};
use malachite::app::net::Multiaddr;
use malachite::app::types::core::LinearTimeouts;
use serde::{Deserialize, Serialize};

use crate::error::ConsensusError;
use crate::parts::StreamLimits;

/// How a node takes part in consensus.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConsensusConfig {
    /// A name for logs and metrics; it is shown to peers. Default `soma-node`.
    pub name: String,
    /// Where peers connect: a multiaddress with `tcp` or `udp/…/quic-v1`. Default
    /// `/ip4/127.0.0.1/tcp/0`: this machine only, any free port.
    pub listen: String,
    /// Peers to stay connected with, as multiaddresses. Default none.
    pub persistent_peers: Vec<String>,
    /// Refuse all other peers, as a validator behind its own full nodes does. Default false.
    pub persistent_peers_only: bool,
    /// Find more peers through the ones that are known. Default true.
    pub discovery: bool,
    /// Peers to connect to, and peers to let in, each. Default 50.
    pub max_peers: usize,
    /// Connections from one IP address. A network on one machine needs more. Default 5.
    pub max_connections_per_ip: usize,
    /// Timeouts of a round.
    pub timeouts: Timeouts,
    /// The least time between the starts of two heights in milliseconds. Default 50.
    pub min_interval_ms: u64,
    /// Time between two announcements of this node's height, by which others see that they are
    /// behind, in milliseconds. Default 2,000.
    pub sync_interval_ms: u64,
    /// What peers may take of this node.
    pub limits: Limits,
    /// When peers are not heard any more.
    pub bans: Bans,
}

impl Default for ConsensusConfig {
    fn default() -> Self {
        Self {
            name: "soma-node".to_owned(),
            listen: "/ip4/127.0.0.1/tcp/0".to_owned(),
            persistent_peers: Vec::new(),
            persistent_peers_only: false,
            discovery: true,
            max_peers: 50,
            max_connections_per_ip: 5,
            timeouts: Timeouts::default(),
            min_interval_ms: 50,
            sync_interval_ms: 2_000,
            limits: Limits::default(),
            bans: Bans::default(),
        }
    }
}

/// The most peers that a node may be told to have.
const MOST_PEERS: u64 = 10_000;

/// The longest pause or wait that may be set: an hour, in milliseconds.
const LONGEST_WAIT_MS: u64 = 3_600_000;

impl ConsensusConfig {
    /// Refuses a zero where no block could be made, no peer be reached, or no ban last with it, and
    /// what no network is made for.
    ///
    /// # Errors
    /// [`ConsensusError::Config`].
    pub fn check(&self) -> Result<(), ConsensusError> {
        let (limits, timeouts, bans) = (&self.limits, &self.timeouts, &self.bans);
        let zeros = [
            ("consensus.max_peers", self.max_peers == 0),
            (
                "consensus.max_connections_per_ip",
                self.max_connections_per_ip == 0,
            ),
            ("consensus.sync_interval_ms", self.sync_interval_ms == 0),
            ("consensus.timeouts.propose_ms", timeouts.propose_ms == 0),
            ("consensus.timeouts.prevote_ms", timeouts.prevote_ms == 0),
            (
                "consensus.timeouts.precommit_ms",
                timeouts.precommit_ms == 0,
            ),
            ("consensus.timeouts.max_ms", timeouts.max_ms == 0),
            (
                "consensus.timeouts.rebroadcast_ms",
                timeouts.rebroadcast_ms == 0,
            ),
            (
                "consensus.limits.max_block_bytes",
                limits.max_block_bytes == 0,
            ),
            ("consensus.limits.sync_batch", limits.sync_batch == 0),
            (
                "consensus.limits.peer_messages_per_second",
                limits.peer_messages_per_second == 0,
            ),
            (
                "consensus.limits.peer_bytes_per_second",
                limits.peer_bytes_per_second == 0,
            ),
            ("consensus.limits.peer_streams", limits.peer_streams == 0),
            (
                "consensus.limits.gossip_messages_per_second",
                limits.gossip_messages_per_second == 0,
            ),
            (
                "consensus.limits.gossip_bytes_per_second",
                limits.gossip_bytes_per_second == 0,
            ),
            (
                "consensus.limits.sync_requests_per_second",
                limits.sync_requests_per_second == 0,
            ),
            (
                "consensus.limits.sync_bytes_per_second",
                limits.sync_bytes_per_second == 0,
            ),
            ("consensus.bans.fault_memory_ms", bans.fault_memory_ms == 0),
            ("consensus.bans.ban_ms", bans.ban_ms == 0),
        ];
        if let Some((field, _)) = zeros.into_iter().find(|(_, is_zero)| *is_zero) {
            return Err(ConsensusError::Config {
                field,
                value: "0".to_owned(),
                hint: "it must be at least 1",
            });
        }
        self.check_most()
    }

    fn check_most(&self) -> Result<(), ConsensusError> {
        let timeouts = &self.timeouts;
        let peers = |count: usize| (count as u64, MOST_PEERS, "it must be at most 10000");
        let wait = |ms: u64| (ms, LONGEST_WAIT_MS, "it must be at most 3600000");
        let values = [
            ("consensus.max_peers", peers(self.max_peers)),
            (
                "consensus.max_connections_per_ip",
                peers(self.max_connections_per_ip),
            ),
            ("consensus.min_interval_ms", wait(self.min_interval_ms)),
            ("consensus.sync_interval_ms", wait(self.sync_interval_ms)),
            ("consensus.timeouts.propose_ms", wait(timeouts.propose_ms)),
            ("consensus.timeouts.prevote_ms", wait(timeouts.prevote_ms)),
            (
                "consensus.timeouts.precommit_ms",
                wait(timeouts.precommit_ms),
            ),
            ("consensus.timeouts.delta_ms", wait(timeouts.delta_ms)),
            ("consensus.timeouts.max_ms", wait(timeouts.max_ms)),
        ];
        for (field, (value, most, hint)) in values {
            if value > most {
                let value = value.to_string();
                return Err(ConsensusError::Config { field, value, hint });
            }
        }
        Ok(())
    }
}

/// How long a round waits, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Timeouts {
    /// For the proposal. Default 500.
    pub propose_ms: u64,
    /// For more prevotes, once there is a quorum that does not agree. Default 200.
    pub prevote_ms: u64,
    /// For more precommits, once there is a quorum that does not agree. Default 200.
    pub precommit_ms: u64,
    /// Added to each of them with every round of a height. Default 250.
    pub delta_ms: u64,
    /// The longest that any may become. Default 30,000.
    pub max_ms: u64,
    /// Time without progress after which votes are sent again. Default 1,000.
    pub rebroadcast_ms: u64,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            propose_ms: 500,
            prevote_ms: 200,
            precommit_ms: 200,
            delta_ms: 250,
            max_ms: 30_000,
            rebroadcast_ms: 1_000,
        }
    }
}

impl Timeouts {
    pub(crate) fn to_engine(self) -> LinearTimeouts {
        let ms = Duration::from_millis;
        let delta = ms(self.delta_ms);
        LinearTimeouts {
            propose: ms(self.propose_ms),
            propose_delta: delta,
            prevote: ms(self.prevote_ms),
            prevote_delta: delta,
            precommit: ms(self.precommit_ms),
            precommit_delta: delta,
            rebroadcast: ms(self.rebroadcast_ms),
            max_timeout: ms(self.max_ms),
        }
    }
}

/// What peers may take of a node's memory and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Bytes of a block with its evidence; must be above the chain's own limit on blocks. Default
    /// 8 MiB.
    pub max_block_bytes: usize,
    /// Bytes of unfinished blocks by one publisher. Default 24 MiB.
    pub peer_bytes: usize,
    /// Unfinished and recent streams of one publisher. Default 32.
    pub peer_streams: usize,
    /// Bytes of all unfinished blocks. Default 128 MiB.
    pub total_bytes: usize,
    /// Bytes of undecided blocks of one height that are ready in memory; older ones are read from
    /// the disk, which has all. Default 512 MiB.
    pub undecided_bytes: u64,
    /// Messages of all kinds that one peer may send of its own in a second, and as many that it may
    /// pass on of others. Default 10,000.
    pub peer_messages_per_second: u32,
    /// Their bytes. Default 32 MiB.
    pub peer_bytes_per_second: usize,
    /// Messages with transactions among them, likewise. Default 5,000.
    pub gossip_messages_per_second: u32,
    /// Their bytes. Default 8 MiB.
    pub gossip_bytes_per_second: usize,
    /// Requests for blocks that one peer may make in a second. Default 50.
    pub sync_requests_per_second: u32,
    /// Bytes of answers to one peer in a second, after which its requests are refused until the
    /// next. Default 64 MiB.
    pub sync_bytes_per_second: usize,
    /// Blocks in one answer to a peer that catches up. Default 64.
    pub sync_batch: usize,
}

/// When a peer that sends what no honest node sends is not heard any more: it is disconnected, and
/// nothing that it published is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bans {
    /// Faults within [`Bans::fault_memory_ms`] that ban a peer; 0 never does. Default 50.
    pub max_faults: u32,
    /// How long faults are remembered, in milliseconds. Default 600,000.
    pub fault_memory_ms: u64,
    /// How long a ban lasts, in milliseconds. Default 600,000.
    pub ban_ms: u64,
}

impl Default for Bans {
    fn default() -> Self {
        Self {
            max_faults: 50,
            fault_memory_ms: 600_000,
            ban_ms: 600_000,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        const MIB: usize = 1024 * 1024;
        Self {
            max_block_bytes: 8 * MIB,
            peer_bytes: 24 * MIB,
            peer_streams: 32,
            total_bytes: 128 * MIB,
            undecided_bytes: 512 * MIB as u64,
            peer_messages_per_second: 10_000,
            peer_bytes_per_second: 32 * MIB,
            gossip_messages_per_second: 5_000,
            gossip_bytes_per_second: 8 * MIB,
            sync_requests_per_second: 50,
            sync_bytes_per_second: 64 * MIB,
            sync_batch: 64,
        }
    }
}

impl Limits {
    pub(crate) fn streams(&self) -> StreamLimits {
        StreamLimits {
            block_bytes: self.max_block_bytes,
            peer_bytes: self.peer_bytes.max(self.max_block_bytes),
            peer_streams: self.peer_streams.max(1),
            total_bytes: self.total_bytes.max(self.max_block_bytes),
        }
    }

    /// The most bytes of an answer to a peer that catches up: room for a block and its certificate.
    pub(crate) fn response_bytes(&self) -> usize {
        self.max_block_bytes.saturating_add(2 * 1024 * 1024)
    }
}

/// The configuration in the engine's terms.
#[derive(Clone, Debug)]
pub(crate) struct EngineConfig {
    name: String,
    consensus: EngineConsensus,
    sync: ValueSyncConfig,
}

fn address(field: &'static str, text: &str) -> Result<Multiaddr, ConsensusError> {
    let refuse = |hint| ConsensusError::Config {
        field,
        value: text.to_owned(),
        hint,
    };
    let parsed: Multiaddr = text
        .parse()
        .map_err(|_| refuse("give a multiaddress, such as /ip4/10.0.0.1/tcp/27000"))?;
    let mut transports = parsed.protocol_stack();
    if !transports.any(|name| name == "tcp" || name == "quic-v1") {
        return Err(refuse("its transport must be tcp or quic-v1"));
    }
    Ok(parsed)
}

/// Why nobody can connect to an address with this part, such as `/tcp/0`.
fn fault(part: &str) -> Option<&'static str> {
    let no_host = "it names no host; name the address or DNS name that others reach the node at";
    let (kind, value) = part.strip_prefix('/')?.split_once('/')?;
    match kind {
        "tcp" | "udp" if value == "0" => {
            Some("nobody can connect to port 0; name the port that the node listens on")
        }
        "ip4" | "ip6" => {
            let ip: IpAddr = value.parse().ok()?;
            (ip.is_unspecified() || ip.is_multicast()).then_some(no_host)
        }
        "dns" | "dns4" | "dns6" => value.is_empty().then_some(no_host),
        _ => None,
    }
}

/// Checks that `text` is an address that peers can connect to, such as `/ip4/10.0.0.1/tcp/8084`.
///
/// # Errors
/// [`ConsensusError::Config`].
pub fn check_peer_address(text: &str) -> Result<(), ConsensusError> {
    let field = "the peer address";
    let parsed = address(field, text)?;
    let hint = parsed.iter().find_map(|part| fault(&part.to_string()));
    match hint {
        None => Ok(()),
        Some(hint) => Err(ConsensusError::Config {
            field,
            value: text.to_owned(),
            hint,
        }),
    }
}

impl EngineConfig {
    /// Checks and translates a configuration.
    pub(crate) fn new(config: &ConsensusConfig) -> Result<Self, ConsensusError> {
        config.check()?;
        let limits = &config.limits;
        let peers = config.persistent_peers.iter();
        let peers: Result<Vec<_>, _> = peers.map(|p| address("persistent_peers", p)).collect();
        let response = ByteSize::b(limits.response_bytes() as u64);
        let p2p = P2pConfig {
            listen_addr: address("listen", &config.listen)?,
            persistent_peers: peers?,
            persistent_peers_only: config.persistent_peers_only,
            discovery: DiscoveryConfig {
                enabled: config.discovery,
                num_outbound_peers: config.max_peers,
                num_inbound_peers: config.max_peers,
                max_connections_per_ip: config.max_connections_per_ip,
                ..DiscoveryConfig::default()
            },
            rpc_max_size: response,
            ..P2pConfig::default()
        };
        let consensus = EngineConsensus {
            enabled: true,
            p2p,
            value_payload: ValuePayload::ProposalAndParts,
            ..EngineConsensus::default()
        };
        let sync = ValueSyncConfig {
            enabled: true,
            status_update_interval: Duration::from_millis(config.sync_interval_ms),
            max_response_size: response,
            batch_size: limits.sync_batch,
            ..ValueSyncConfig::default()
        };
        Ok(Self {
            name: config.name.clone(),
            consensus,
            sync,
        })
    }
}

impl NodeConfig for EngineConfig {
    fn moniker(&self) -> &str {
        &self.name
    }

    fn consensus(&self) -> &EngineConsensus {
        &self.consensus
    }

    fn consensus_mut(&mut self) -> &mut EngineConsensus {
        &mut self.consensus
    }

    fn value_sync(&self) -> &ValueSyncConfig {
        &self.sync
    }

    fn value_sync_mut(&mut self) -> &mut ValueSyncConfig {
        &mut self.sync
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_are_not_sent_where_no_node_can_be() {
        check_peer_address("/dns4/node.example/tcp/8084").unwrap();
        for text in ["/ip4/1.2.3.4/tcp/0", "/ip4/1.2.3.4/udp/0/quic-v1"] {
            let refused = check_peer_address(text).unwrap_err().to_string();
            assert!(refused.contains("port 0"), "{refused}");
        }
        for text in [
            "/ip4/0.0.0.0/tcp/8084",
            "/ip6/::/tcp/8084",
            "/ip4/224.0.0.1/tcp/8084",
            "/dns4//tcp/8084",
        ] {
            let refused = check_peer_address(text).unwrap_err().to_string();
            assert!(refused.contains("no host"), "{refused}");
        }
    }

    #[test]
    fn defaults_are_usable_and_bad_addresses_are_named() {
        EngineConfig::new(&ConsensusConfig::default()).unwrap();
        for listen in ["", "nowhere", "/ip4/127.0.0.1", "/ip4/127.0.0.1/udp/1"] {
            let config = ConsensusConfig {
                listen: listen.to_owned(),
                ..ConsensusConfig::default()
            };
            let refused = EngineConfig::new(&config).unwrap_err();
            assert!(matches!(
                refused,
                ConsensusError::Config {
                    field: "listen",
                    ..
                }
            ));
        }
    }
}
