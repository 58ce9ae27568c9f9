//! Transactions to and from the other nodes.
//!
//! What a client sends to this node goes out at once, many in one message under load. What could
//! be in a block and stays without one goes out again, in turns: a message may have found no peer.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use soma_consensus::{Fault, Outbox, Publisher};
use soma_types::SignedTransaction;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Application, SubmitError};

/// Transactions of clients that wait to go out. More are sent again later.
const OUTGOING: usize = 4_096;
/// Messages of peers that wait to be checked. More are dropped: their senders send again.
const INCOMING: usize = 64;
/// Transactions in one message.
const BATCH: usize = 256;
/// Least time between two messages with clients' transactions: under load they travel together,
/// because each message is signed, checked and passed on by itself. The first of a burst goes at once.
const PACE: Duration = Duration::from_millis(20);
/// How often some of what stays without a block goes out again.
const AGAIN: Duration = Duration::from_secs(5);

/// The node's side of both directions.
#[derive(Debug)]
pub(crate) struct Gossip {
    outgoing: mpsc::Sender<SignedTransaction>,
    incoming: mpsc::Sender<Incoming>,
    ends: Mutex<Option<Ends>>,
}

/// A peer's message, and who published it.
type Incoming = (Vec<SignedTransaction>, Publisher);

#[derive(Debug)]
struct Ends {
    outgoing: mpsc::Receiver<SignedTransaction>,
    incoming: mpsc::Receiver<Incoming>,
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
    pub(super) fn receive(&self, transactions: Vec<SignedTransaction>, publisher: Publisher) {
        let _ = self.incoming.try_send((transactions, publisher));
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
        let mut next = Instant::now();
        loop {
            let room = BATCH - batch.len();
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ends.outgoing.recv_many(&mut batch, room), if room > 0 => {}
                () = tokio::time::sleep_until(next), if !batch.is_empty() => {
                    next = Instant::now() + PACE;
                    outbox.broadcast(std::mem::take(&mut batch));
                }
                Some((transactions, publisher)) = ends.incoming.recv() => {
                    self.take(transactions, publisher).await;
                }
                _ = again.tick() => {
                    let waiting = self.mempool.resend(BATCH);
                    if !waiting.is_empty() {
                        outbox.broadcast(waiting);
                    }
                }
            }
        }
    }

    /// Takes what a peer passed on, as far as it is of use. An honest one has checked who signed.
    async fn take(self: &Arc<Self>, transactions: Vec<SignedTransaction>, publisher: Publisher) {
        let application = Arc::clone(self);
        let admit = move || {
            for signed in transactions {
                let admitted = application.admit_from_peer(signed);
                if let Err(error) = admitted {
                    tracing::debug!(%error, "a peer's transaction is of no use");
                    if matches!(error, SubmitError::Invalid(_)) {
                        publisher.blame(Fault::Transaction);
                    }
                }
            }
        };
        // It ends with an error only when the runtime does.
        let _ = tokio::task::spawn_blocking(admit).await;
    }
}
