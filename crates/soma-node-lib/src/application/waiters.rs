//! Those who wait for the receipt of a transaction.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use soma_types::{Digest, Receipt};
use tokio::sync::oneshot;

/// Waiting receivers by transaction. Who stops waiting is swept when the transaction arrives or
/// another starts to wait for it.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    by_digest: Mutex<HashMap<Digest, Vec<oneshot::Sender<Receipt>>>>,
}

impl Waiters {
    /// Starts to wait. Wait first and look into the chain afterwards: then nothing is missed.
    pub(super) fn wait(&self, digest: Digest) -> oneshot::Receiver<Receipt> {
        let (sender, receiver) = oneshot::channel();
        let mut waiting = self.lock();
        let list = waiting.entry(digest).or_default();
        list.retain(|sender| !sender.is_closed());
        list.push(sender);
        receiver
    }

    /// Forgets the receivers of `digest` that nobody listens to any more.
    pub(super) fn sweep(&self, digest: &Digest) {
        let mut waiting = self.lock();
        if let Some(list) = waiting.get_mut(digest) {
            list.retain(|sender| !sender.is_closed());
            if list.is_empty() {
                waiting.remove(digest);
            }
        }
    }

    /// Hands out the receipts of a block.
    pub(super) fn on_block(&self, receipts: &[Receipt]) {
        let mut waiting = self.lock();
        if waiting.is_empty() {
            return;
        }
        for receipt in receipts {
            for sender in waiting.remove(&receipt.transaction).unwrap_or_default() {
                // Who stopped waiting does not need it.
                let _ = sender.send(receipt.clone());
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Digest, Vec<oneshot::Sender<Receipt>>>> {
        self.by_digest
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
