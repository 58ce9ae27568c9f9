//! Those who wait for the end of a transaction: its receipt, or why there will be none.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use soma_types::{Digest, Receipt};
use tokio::sync::oneshot;

use crate::mempool::{DropReason, Dropped};

/// How the wait for a transaction ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is in a block.
    Executed(Receipt),
    /// It left the mempool without a block.
    Dropped(DropReason),
}

type ByDigest = HashMap<Digest, Vec<oneshot::Sender<Outcome>>>;

/// Waiting receivers by transaction.
#[derive(Clone, Debug, Default)]
pub(super) struct Waiters {
    by_digest: Arc<Mutex<ByDigest>>,
}

impl Waiters {
    /// Starts to wait. Wait first and look into mempool and chain afterwards: then nothing is
    /// missed.
    pub(super) fn wait(&self, digest: Digest) -> Waiter {
        let (sender, receiver) = oneshot::channel();
        self.lock().entry(digest).or_default().push(sender);
        Waiter {
            waiters: self.clone(),
            digest,
            receiver,
        }
    }

    /// Hands out the receipts of a block.
    pub(super) fn on_block(&self, receipts: &[Receipt]) {
        let mut waiting = self.lock();
        if waiting.is_empty() {
            return;
        }
        for receipt in receipts {
            let outcome = || Outcome::Executed(receipt.clone());
            tell(&mut waiting, &receipt.transaction, outcome);
        }
    }

    /// Tells that there will be no receipt.
    pub(super) fn on_dropped(&self, dropped: &[Dropped]) {
        if dropped.is_empty() {
            return;
        }
        let mut waiting = self.lock();
        for Dropped { digest, reason } in dropped {
            tell(&mut waiting, digest, || Outcome::Dropped(*reason));
        }
    }

    fn lock(&self) -> MutexGuard<'_, ByDigest> {
        self.by_digest
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn tell(waiting: &mut ByDigest, digest: &Digest, outcome: impl Fn() -> Outcome) {
    for sender in waiting.remove(digest).unwrap_or_default() {
        // Who stopped waiting does not need it.
        let _ = sender.send(outcome());
    }
}

/// One who waits. Dropping it, for example because the client went away, leaves nothing behind.
#[derive(Debug)]
pub(super) struct Waiter {
    waiters: Waiters,
    digest: Digest,
    receiver: oneshot::Receiver<Outcome>,
}

impl Waiter {
    /// The outcome; none when the node ended before there was one.
    pub(super) async fn outcome(&mut self) -> Option<Outcome> {
        (&mut self.receiver).await.ok()
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.receiver.close();
        let mut waiting = self.waiters.lock();
        if let Some(list) = waiting.get_mut(&self.digest) {
            list.retain(|sender| !sender.is_closed());
            if list.is_empty() {
                waiting.remove(&self.digest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: Digest = Digest([7; 32]);

    #[tokio::test]
    async fn everybody_who_waits_for_a_transaction_is_told_that_it_was_dropped() {
        let waiters = Waiters::default();
        let (mut first, mut second) = (waiters.wait(DIGEST), waiters.wait(DIGEST));
        let reason = DropReason::NonceUsed { nonce: 3 };
        let digest = Digest([8; 32]);
        let dropped = [
            Dropped { digest, reason },
            Dropped {
                digest: DIGEST,
                reason,
            },
        ];
        waiters.on_dropped(&dropped);
        for waiter in [&mut first, &mut second] {
            assert_eq!(waiter.outcome().await, Some(Outcome::Dropped(reason)));
        }
    }

    #[tokio::test]
    async fn who_stops_waiting_leaves_nothing_behind() {
        let waiters = Waiters::default();
        let (first, second) = (waiters.wait(DIGEST), waiters.wait(DIGEST));
        drop(first);
        assert_eq!(waiters.lock()[&DIGEST].len(), 1);
        drop(second);
        assert!(waiters.lock().is_empty());
    }
}
