//! A running engine, from outside.

use std::sync::Arc;
use std::time::Instant;

use malachite::app::engine::network::NetworkStateDump;
use malachite::{NetworkRequest, app::net::Multiaddr};
use soma_types::{Address, Height, SignedTransaction};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::histories::{Histories, MissingHistory};
use crate::error::ConsensusError;
use crate::host::Status;
use crate::peers::{Ban, Guard, PeerCounts};

/// A peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its id on the network.
    pub id: String,
    /// Its name, as it says.
    pub name: String,
    /// Where it is connected.
    pub address: String,
    /// The validator that it has proven to be, when that is in the committee.
    pub validator: Option<String>,
}

/// Shows a running engine. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Observer {
    pub(super) status: watch::Receiver<Status>,
    pub(super) network: mpsc::Sender<NetworkRequest>,
    pub(super) address: Option<Address>,
    pub(super) histories: Histories,
    pub(super) guard: Arc<Guard>,
}

impl Observer {
    /// Where consensus is; changes with every round.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// The validator that this node is.
    pub fn validator(&self) -> Option<Address> {
        self.address
    }

    /// What is missing to a node that has needed the block at `needed` for a while, when most
    /// connected peers have gone on from there and none of them can give it, as far as they say.
    pub fn missing_history(&self, needed: Height) -> Option<MissingHistory> {
        self.histories.missing(Instant::now(), needed)
    }

    /// Peers that are not heard now, in order of id.
    pub fn bans(&self) -> Vec<Ban> {
        self.guard.bans(Instant::now())
    }

    /// What peers sent that was dropped, and what they were blamed for.
    pub fn peer_counts(&self) -> PeerCounts {
        self.guard.counts()
    }

    /// The connected peers, in order of id; none when the engine has stopped.
    pub async fn peers(&self) -> Vec<Peer> {
        match NetworkRequest::dump_state(&self.network).await {
            Ok(Some(state)) => peers_of(state),
            Ok(None) | Err(_) => Vec::new(),
        }
    }
}

/// A running engine. It goes on when this is dropped; cancel its stop token to end it.
#[derive(Debug)]
pub struct Handle {
    pub(super) task: JoinHandle<Result<(), ConsensusError>>,
    pub(super) outbox: Outbox,
    pub(super) observer: Observer,
}

/// Sends transactions to the other nodes. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Outbox(pub(super) mpsc::Sender<Vec<SignedTransaction>>);

impl Outbox {
    /// Passes transactions on to all nodes. False when too many wait already: the sender's client
    /// may try again.
    pub fn broadcast(&self, transactions: Vec<SignedTransaction>) -> bool {
        self.0.try_send(transactions).is_ok()
    }
}

impl Handle {
    /// Waits for the end: after the stop token, or with the error that made it end.
    ///
    /// # Errors
    /// Why consensus could not go on. The node must stop: it would be silent from now on.
    pub async fn wait(self) -> Result<(), ConsensusError> {
        match self.task.await {
            Ok(result) => result,
            Err(error) => Err(ConsensusError::Panicked(error.to_string())),
        }
    }

    /// True when it has ended.
    pub fn is_finished(&self) -> bool {
        self.task.is_finished()
    }

    /// Where transactions of this node's clients go out.
    pub fn outbox(&self) -> Outbox {
        self.outbox.clone()
    }

    /// What shows it.
    pub fn observer(&self) -> &Observer {
        &self.observer
    }

    /// Connects to one more peer and stays connected. False when the address is not usable, known
    /// already, or the engine has stopped.
    pub async fn add_peer(&self, address: &str) -> bool {
        let Ok(address) = address.parse::<Multiaddr>() else {
            return false;
        };
        let added = NetworkRequest::add_persistent_peer(&self.observer.network, address).await;
        matches!(added, Ok(Ok(())))
    }
}

fn peers_of(state: NetworkStateDump) -> Vec<Peer> {
    let peers = state.peers.into_iter().map(|(id, info)| Peer {
        id: id.to_string(),
        name: info.moniker,
        address: info.address.to_string(),
        validator: info.consensus_address,
    });
    let mut peers: Vec<_> = peers.collect();
    peers.sort_by(|a, b| a.id.cmp(&b.id));
    peers
}
