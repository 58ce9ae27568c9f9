//! Where consensus gets the content of blocks from, and what it tells.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use soma_chain::CommittedBlock;
use soma_consensus::application::{Nonces, PickLimits};
use soma_consensus::{BlockSource, Publisher};
use soma_crypto::transaction::{TransactionError, VerifiedTransaction};
use soma_types::{Digest, SignedTransaction, TimestampMs};
use tokio::sync::Notify;

use super::{Application, wall_clock_ms};

impl BlockSource for Application {
    fn pick(&self, limits: PickLimits, nonces: Nonces<'_>) -> Vec<VerifiedTransaction> {
        // Before the look: what arrives meanwhile counts.
        self.starved.store(true, Ordering::Relaxed);
        let picked = self.mempool.pick(limits, nonces);
        if !picked.is_empty() {
            self.starved.store(false, Ordering::Relaxed);
        }
        picked
    }

    fn has_transactions(&self) -> bool {
        !self.starved.load(Ordering::Relaxed) && self.size().ready > 0
    }

    fn is_epoch_to_end(&self) -> bool {
        Self::is_epoch_to_end(self)
    }

    fn wake(&self) -> Arc<Notify> {
        Arc::clone(&self.wake)
    }

    fn now_ms(&self) -> TimestampMs {
        wall_clock_ms()
    }

    fn verify(&self, signed: &SignedTransaction) -> Result<VerifiedTransaction, TransactionError> {
        match self.mempool.verified(signed) {
            Some(verified) => Ok(verified),
            None => self.check(signed.clone()),
        }
    }

    fn receive(&self, transactions: Vec<SignedTransaction>, publisher: Publisher) {
        self.gossip.receive(transactions, publisher);
    }

    fn drop_failed(&self, transactions: &[Digest]) {
        self.unexecutable(transactions);
    }

    fn on_commit(&self, block: &Arc<CommittedBlock>) {
        if !block.receipts.is_empty() {
            self.starved.store(false, Ordering::Relaxed);
        }
        self.committed(block);
    }
}
