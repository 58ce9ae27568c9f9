//! A peer that speaks the network's language and sends what no honest node sends.

use std::time::Duration;

use bytes::Bytes;
use malachite::app::metrics::SharedRegistry;
use malachite::app::types::codec::Codec as _;
use malachite::app::types::core::SignedMessage;
use malachite::app::types::{Keypair, SignedConsensusMsg};
use malachite_network::handle::CtrlHandle;
use malachite_network::{
    Channel, ChannelNames, Config, DiscoveryConfig, Event, GossipSubConfig, NetworkIdentity,
    ProtocolNames, PubSubMaxSizePerTopic, PubSubProtocol, TransportProtocol,
};
use soma_consensus::Fault;
use soma_consensus::codec::WireCodec;
use soma_consensus::context::{SomaContext, Vote};
use soma_consensus::peers::protocol;
use soma_tests::world::{self, Setup};
use soma_types::consensus::{Vote as PlainVote, VoteKind};
use soma_types::{ChainId, Digest, Height};
use tokio::sync::watch;

use crate::net::{BAN, MAX_FAULTS, Network};

/// The engine's network without an engine, which says what the test tells it to say.
struct Hostile {
    id: String,
    mouth: CtrlHandle,
    /// Connected peers.
    peers: watch::Receiver<usize>,
}

impl Hostile {
    /// Connects to all nodes of a network.
    async fn start(network: &Network) -> Self {
        Self::of_chain(network, network.running(0).chain.chain_id()).await
    }

    /// Calls all nodes of a network, as a node of this chain.
    async fn of_chain(network: &Network, chain_id: ChainId) -> Self {
        let listen = "/ip4/127.0.0.1/tcp/0".parse().unwrap();
        let addresses = network.nodes.iter().map(|node| node.address());
        let config = Config {
            transport: TransportProtocol::from_multiaddr(&listen).unwrap(),
            listen_addr: listen,
            persistent_peers: addresses.map(|address| address.parse().unwrap()).collect(),
            persistent_peers_only: false,
            discovery: DiscoveryConfig {
                enabled: false,
                ..DiscoveryConfig::default()
            },
            idle_connection_timeout: Duration::from_secs(60),
            gossipsub: GossipSubConfig::default(),
            pubsub_protocol: PubSubProtocol::GossipSub,
            channel_names: ChannelNames::default(),
            rpc_max_size: 10 << 20,
            pubsub_max_size: 4 << 20,
            pubsub_max_size_per_topic: PubSubMaxSizePerTopic::default(),
            sync_request_timeout: Duration::from_secs(5),
            sync_max_request_size: 1 << 20,
            sync_parallel_requests: 5,
            enable_consensus: true,
            enable_sync: true,
            protocol_names: ProtocolNames {
                consensus: protocol(chain_id),
                ..ProtocolNames::default()
            },
        };
        let identity = NetworkIdentity::new("hostile".into(), Keypair::generate_ed25519(), None);
        let registry = SharedRegistry::global().with_moniker("hostile");
        let handle = malachite_network::spawn(identity, config, registry);
        let (mut ears, mouth) = handle.await.unwrap().split();
        let (count, peers) = watch::channel(0_usize);
        tokio::spawn(async move {
            while let Some(event) = ears.recv().await {
                count.send_modify(|count| match event {
                    Event::PeerConnected(_) => *count += 1,
                    Event::PeerDisconnected(_) => *count = count.saturating_sub(1),
                    _ => {}
                });
            }
        });
        Self {
            id: mouth.peer_id().to_string(),
            mouth,
            peers,
        }
    }

    /// Waits until it is connected with so many nodes.
    async fn has_peers(&mut self, count: usize) {
        let peers = self.peers.wait_for(|peers| *peers == count);
        let patience = tokio::time::timeout(Duration::from_secs(60), peers);
        patience.await.expect("peers in time").unwrap();
    }

    async fn say(&self, channel: Channel, bytes: Bytes) {
        self.mouth.publish(channel, bytes).await.unwrap();
    }
}

/// A vote of a real validator for `height`, signed by somebody else.
fn forged_vote(network: &Network, height: Height, round: u32) -> Bytes {
    let vote = Vote::from(PlainVote {
        kind: VoteKind::Prevote,
        height,
        round,
        block: Some(Digest([7; 32])),
        validator: network.world.validators[0],
    });
    let signature = world::key(99).sign_digest(&[9; 32]);
    let message = SignedConsensusMsg::<SomaContext>::Vote(SignedMessage::new(vote, signature));
    WireCodec.encode(&message).unwrap()
}

/// Waits until all nodes have banned `hostile` for `fault`, and nobody else.
async fn banned(network: &Network, hostile: &Hostile, fault: Fault) {
    network
        .wait("bans", |network| {
            (0..4).all(|place| {
                let bans = network.running(place).handle.observer().bans();
                bans.iter()
                    .any(|ban| ban.peer == hostile.id && ban.fault == fault)
            })
        })
        .await;
    for place in 0..4 {
        let observer = network.running(place).handle.observer();
        assert_eq!(observer.bans().len(), 1, "{:?}", observer.bans());
        let counts = observer.peer_counts();
        assert!(counts.faults[&fault] >= u64::from(MAX_FAULTS), "{counts:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_sends_garbage_is_banned_for_a_while_and_the_others_go_on() {
    let mut network = Network::new(Setup::default(), 0);
    network.start_all().await;
    network.advance(0, 3).await;
    let mut hostile = Hostile::start(&network).await;
    hostile.has_peers(4).await;
    // Gossip needs a moment to know who listens to what.
    tokio::time::sleep(Duration::from_secs(2)).await;
    for number in 0..2 * MAX_FAULTS {
        let channel = match number % 2 {
            0 => Channel::Consensus,
            _ => Channel::ProposalParts,
        };
        let garbage = Bytes::from(number.to_be_bytes().repeat(100));
        hostile.say(channel, garbage).await;
    }
    banned(&network, &hostile, Fault::Undecodable).await;
    // What it says now is not looked at, and it is sent away.
    let dropped = || {
        let counts = |place| network.running(place).handle.observer().peer_counts();
        (0..4).all(|place| counts(place).dropped_messages > 0)
    };
    for number in 0..100u32 {
        let garbage = Bytes::from(number.to_le_bytes().repeat(100));
        hostile.say(Channel::Consensus, garbage).await;
    }
    network.wait("dropped messages", |_| dropped()).await;
    hostile.has_peers(0).await;
    network.advance(0, 5).await;
    for place in 0..4 {
        let peers = network.running(place).handle.observer().peers().await;
        assert!(peers.iter().all(|peer| peer.id != hostile.id));
        assert_eq!(peers.len(), 3);
    }
    // Once the ban is over it may come again.
    tokio::time::sleep(BAN).await;
    hostile.has_peers(4).await;
    network.advance(1, 3).await;
    network.check_agreement();
    network.stop_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_of_another_chain_is_sent_away() {
    let mut network = Network::new(Setup::default(), 0);
    network.start_all().await;
    network.advance(0, 3).await;
    let stranger = Hostile::of_chain(&network, ChainId([9; 32])).await;
    // It called before this one, which all of them take.
    let mut known = Hostile::start(&network).await;
    known.has_peers(4).await;
    assert_eq!(*stranger.peers.borrow(), 0);
    for place in 0..4 {
        let observer = network.running(place).handle.observer();
        let mut peers = observer.peers().await;
        // The other end may know it a moment earlier.
        while !peers.iter().any(|peer| peer.id == known.id) {
            tokio::time::sleep(Duration::from_millis(20)).await;
            peers = observer.peers().await;
        }
        assert!(peers.iter().all(|peer| peer.id != stranger.id));
    }
    network.stop_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_forges_votes_is_banned() {
    let mut network = Network::new(Setup::default(), 0);
    network.start_all().await;
    network.advance(0, 3).await;
    let mut hostile = Hostile::start(&network).await;
    hostile.has_peers(4).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let next = network.height(0) + 1;
    network.reach(next - 1).await;
    for round in 0..2 * MAX_FAULTS {
        let forged = forged_vote(&network, next, round);
        hostile.say(Channel::Consensus, forged).await;
    }
    banned(&network, &hostile, Fault::Signature).await;
    network.advance(0, 5).await;
    network.check_agreement();
    network.stop_all().await;
}
