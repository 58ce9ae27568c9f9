//! Transactions to and from the other nodes.
//!
//! What a client sends to this node goes out at once, many in one message under load. What stays
//! without a block goes out again now and then: a message may have found no peer.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use soma_consensus::Outbox;
use soma_types::SignedTransaction;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::Application;

/// Transactions of clients that wait to go out. More are sent again later.
const OUTGOING: usize = 4_096;
/// Messages of peers that wait to be checked. More are dropped: their senders send again.
const INCOMING: usize = 64;
/// Transactions in one message.
const BATCH: usize = 256;
/// How often what stays without a block goes out again.
const AGAIN: Duration = Duration::from_secs(5);

/// The node's side of both directions.
#[derive(Debug)]
pub(crate) struct Gossip {
    outgoing: mpsc::Sender<SignedTransaction>,
    incoming: mpsc::Sender<Vec<SignedTransaction>>,
    ends: Mutex<Option<Ends>>,
}

#[derive(Debug)]
struct Ends {
    outgoing: mpsc::Receiver<SignedTransaction>,
    incoming: mpsc::Receiver<Vec<SignedTransaction>>,
}

impl Default for Gossip {
    fn default() -> Self {
        let (outgoing, outgoing_end) = mpsc::channel(OUTGOING);
        let (incoming, incoming_end) = mpsc::channel(INCOMING);
        Self {
            outgoing,
            incoming,
            ends: Mutex::new(Some(Ends {
                outgoing: outgoing_end,
                incoming: incoming_end,
            })),
        }
    }
}

impl Gossip {
    /// Passes a client's transaction on.
    pub(super) fn send(&self, signed: SignedTransaction) {
        // A full channel: it goes out again while it waits.
        let _ = self.outgoing.try_send(signed);
    }

    /// Takes a peer's message. Returns at once.
    pub(super) fn receive(&self, transactions: Vec<SignedTransaction>) {
        let _ = self.incoming.try_send(transactions);
    }
}

impl Application {
    /// Carries transactions between this node and the others until `stop`.
    pub(crate) async fn run_gossip(self: Arc<Self>, outbox: Outbox, stop: CancellationToken) {
        let ends = self.gossip.ends.lock();
        let Some(mut ends) = ends.unwrap_or_else(PoisonError::into_inner).take() else {
            return;
        };
        let mut again = tokio::time::interval(AGAIN);
        let mut batch = Vec::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                count = ends.outgoing.recv_many(&mut batch, BATCH) => {
                    if count > 0 {
                        outbox.broadcast(std::mem::take(&mut batch));
                    }
                }
                Some(transactions) = ends.incoming.recv() => self.take(transactions).await,
                _ = again.tick() => {
                    let waiting = self.mempool.resend(BATCH);
                    if !waiting.is_empty() {
                        outbox.broadcast(waiting);
                    }
                }
            }
        }
    }

    /// Takes what a peer passed on, as far as it is of use.
    async fn take(self: &Arc<Self>, transactions: Vec<SignedTransaction>) {
        let application = Arc::clone(self);
        let admit = move || {
            for signed in transactions {
                if let Err(error) = application.admit_from_peer(signed) {
                    tracing::debug!(%error, "a peer's transaction is of no use");
                }
            }
        };
        // It ends with an error only when the runtime does.
        let _ = tokio::task::spawn_blocking(admit).await;
    }
}
