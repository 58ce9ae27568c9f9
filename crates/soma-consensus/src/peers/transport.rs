//! The network in the engine's terms, and its start.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use malachite::app::config::{
    ConsensusConfig as EngineConsensus, NodeConfig as _, ValueSyncConfig,
};
use malachite::app::engine::network::{Args, NetworkRef};
use malachite::app::metrics::SharedRegistry;
use malachite::{NetworkIdentity, NetworkMsg};
use malachite_network::{
    BootstrapProtocol, ChannelNames, Config, DiscoveryConfig, GossipSubConfig, ProtocolNames,
    PubSubMaxSizePerTopic, PubSubProtocol, Selector, TransportProtocol,
};
use ractor::Actor as _;
use soma_types::ChainId;
use tokio::sync::mpsc;

use super::gate::Gate;
use super::guard::Guard;
use crate::config::EngineConfig;
use crate::context::SomaContext;
use crate::engine::Histories;
use crate::error::ConsensusError;
use crate::signing::ChainVerifier;

/// A connection that nobody uses ends after this time.
const IDLE_CONNECTION: Duration = Duration::from_secs(15 * 60);

/// Time for a node that ended a moment ago in this process to leave its port.
const LEAVING: Duration = Duration::from_secs(2);
/// Time between two looks at a port.
const LOOK: Duration = Duration::from_millis(50);

type Started = (
    NetworkRef<SomaContext>,
    mpsc::Sender<NetworkMsg<SomaContext>>,
);

/// Starts the network with `guard` in front of the engine. `histories` hears what peers say of their
/// blocks.
pub(crate) async fn start(
    config: &EngineConfig,
    identity: NetworkIdentity,
    histories: Histories,
    guard: Arc<Guard>,
    verifier: ChainVerifier,
) -> Result<Started, ConsensusError> {
    check_free(&config.consensus().p2p.listen_addr.to_string()).await?;
    let args = Args {
        identity,
        config: network(config.consensus(), config.value_sync(), verifier.chain_id())?,
        metrics: SharedRegistry::global().with_moniker(config.moniker()),
    };
    let gate = Gate::new(histories, guard, verifier);
    let (network, _) = Gate::spawn(None, gate, args)
        .await
        .map_err(|error| ConsensusError::Start(error.to_string()))?;
    let (outbox, mut messages) = mpsc::channel::<NetworkMsg<SomaContext>>(1);
    let outlet = network.clone();
    tokio::spawn(async move {
        while let Some(message) = messages.recv().await {
            // The network is ending when this fails, and the engine with it.
            if outlet.cast(message.into()).is_err() {
                return;
            }
        }
    });
    Ok((network, outbox))
}

/// Checks that this program can listen at a multiaddress. The engine would go on without a word where
/// it cannot, and share a port with another node where the system lets it.
async fn check_free(address: &str) -> Result<(), ConsensusError> {
    let Some(at) = socket_of(address) else {
        return Ok(());
    };
    let begin = Instant::now();
    loop {
        match TcpListener::bind(at) {
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::AddrInUse && begin.elapsed() < LEAVING => {
                tokio::time::sleep(LOOK).await;
            }
            Err(error) => {
                let address = address.to_owned();
                return Err(ConsensusError::Listen { address, error });
            }
        }
    }
}

/// The socket of `/ip4/…/tcp/…` and `/ip6/…/tcp/…`.
fn socket_of(address: &str) -> Option<SocketAddr> {
    let mut words = address.split('/').skip(1);
    let ip = match (words.next()?, words.next()?) {
        ("ip4" | "ip6", ip) => ip.parse().ok()?,
        _ => return None,
    };
    match (words.next()?, words.next()?) {
        ("tcp", port) => Some(SocketAddr::new(ip, port.parse().ok()?)),
        _ => None,
    }
}

/// What peers say that they speak. Those that say something else are sent away, as nodes of another
/// chain do.
pub fn protocol(chain_id: ChainId) -> String {
    format!("/soma/{chain_id}/1")
}

fn network(
    consensus: &EngineConsensus,
    sync: &ValueSyncConfig,
    chain_id: ChainId,
) -> Result<Config, ConsensusError> {
    let p2p = &consensus.p2p;
    let transport = TransportProtocol::from_multiaddr(&p2p.listen_addr);
    let transport = transport
        .ok_or_else(|| ConsensusError::Start(format!("{} has no transport", p2p.listen_addr)))?;
    let bytes = |size: bytesize::ByteSize| usize::try_from(size.as_u64()).unwrap_or(usize::MAX);
    let discovery = &p2p.discovery;
    Ok(Config {
        listen_addr: p2p.listen_addr.clone(),
        persistent_peers: p2p.persistent_peers.clone(),
        persistent_peers_only: p2p.persistent_peers_only,
        discovery: DiscoveryConfig {
            enabled: discovery.enabled,
            persistent_peers_only: p2p.persistent_peers_only,
            bootstrap_protocol: BootstrapProtocol::Full,
            selector: Selector::Random,
            num_outbound_peers: discovery.num_outbound_peers,
            num_inbound_peers: discovery.num_inbound_peers,
            max_connections_per_ip: discovery.max_connections_per_ip,
            ip_throttle_duration: discovery.ip_throttle_duration,
            max_connections_per_peer: discovery.max_connections_per_peer,
            ephemeral_connection_timeout: discovery.ephemeral_connection_timeout,
            dial_max_retries: discovery.dial_max_retries,
            request_max_retries: discovery.request_max_retries,
            connect_request_max_retries: discovery.connect_request_max_retries,
            max_peers_per_response: discovery.max_peers_per_response,
        },
        idle_connection_timeout: IDLE_CONNECTION,
        transport,
        // Few validators: everyone sends to everyone. Many: six of them at a time.
        gossipsub: GossipSubConfig {
            mesh_n: 6,
            mesh_n_high: 12,
            mesh_n_low: 4,
            mesh_outbound_min: 2,
            enable_peer_scoring: true,
            enable_explicit_peering: true,
            enable_flood_publish: true,
        },
        pubsub_protocol: PubSubProtocol::GossipSub,
        channel_names: ChannelNames::default(),
        rpc_max_size: bytes(p2p.rpc_max_size),
        pubsub_max_size: bytes(p2p.pubsub_max_size),
        pubsub_max_size_per_topic: PubSubMaxSizePerTopic::default(),
        sync_request_timeout: sync.request_timeout,
        sync_max_request_size: bytes(sync.max_request_size),
        sync_parallel_requests: sync.parallel_requests,
        enable_consensus: true,
        enable_sync: true,
        protocol_names: ProtocolNames {
            consensus: protocol(chain_id),
            ..ProtocolNames::default()
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_that_cannot_be_listened_on_is_refused() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = listener.local_addr().unwrap().port();
        let address = format!("/ip4/0.0.0.0/tcp/{taken}");
        let text = check_free(&address).await.unwrap_err().to_string();
        assert!(text.contains(&address), "{text}");
        // An address of documentation: no machine has it.
        let refused = check_free("/ip4/192.0.2.1/tcp/0").await.unwrap_err();
        let text = refused.to_string();
        assert!(text.contains("consensus.listen"), "{text}");
        for free in ["/ip4/127.0.0.1/tcp/0", "/dns4/here/tcp/1"] {
            check_free(free).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_port_that_gets_free_in_a_moment_is_waited_for() {
        let leaving = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = leaving.local_addr().unwrap().port();
        let address = format!("/ip4/127.0.0.1/tcp/{port}");
        let free = tokio::spawn(async move { check_free(&address).await });
        tokio::time::sleep(3 * LOOK).await;
        assert!(!free.is_finished());
        drop(leaving);
        free.await.unwrap().unwrap();
    }
}
