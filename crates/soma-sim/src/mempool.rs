//! A node's waiting transactions and its wall clock.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use soma_chain::CommittedBlock;
use soma_consensus::application::{Nonces, PickLimits};
use soma_consensus::{BlockSource, Fault, Publisher};
use soma_crypto::transaction::{TransactionError, VerifiedTransaction, transaction_digest, verify};
use soma_types::{Address, Digest, SignedTransaction, TimestampMs};
use tokio::sync::Notify;

use crate::time::{Clock, MS};

/// Transactions whose signature was checked, by any node of a run: each is checked once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Checked(Arc<Mutex<BTreeMap<Digest, VerifiedTransaction>>>);

impl Checked {
    fn verify(&self, signed: &SignedTransaction) -> Result<VerifiedTransaction, TransactionError> {
        let digest = transaction_digest(&signed.transaction);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(&digest)
            && **found == *signed
        {
            return Ok(found.clone());
        }
        let verified = verify(signed.clone())?;
        known.insert(digest, verified.clone());
        Ok(verified)
    }
}

#[derive(Debug, Default)]
struct Waiting {
    /// By sender and nonce.
    transactions: BTreeMap<(Address, u64), VerifiedTransaction>,
    /// The next nonce of each sender on chain.
    next: BTreeMap<Address, u64>,
}

impl Waiting {
    fn next(&self, sender: &Address) -> u64 {
        self.next.get(sender).copied().unwrap_or_default()
    }
}

/// What a node builds blocks from.
#[derive(Debug)]
pub(crate) struct Mempool {
    waiting: Mutex<Waiting>,
    checked: Checked,
    clock: Clock,
    /// The node's wall clock at the start of the run.
    start_ms: TimestampMs,
    wake: Arc<Notify>,
    /// Somebody wants the epoch to end.
    is_forced: AtomicBool,
}

impl Mempool {
    /// An empty one; `next` has the next nonce of each sender on chain.
    pub(crate) fn new(
        clock: Clock,
        start_ms: TimestampMs,
        checked: Checked,
        next: BTreeMap<Address, u64>,
    ) -> Self {
        let waiting = Waiting {
            transactions: BTreeMap::new(),
            next,
        };
        Self {
            waiting: Mutex::new(waiting),
            checked,
            clock,
            start_ms,
            wake: Arc::default(),
            is_forced: AtomicBool::new(false),
        }
    }

    /// Asks for the end of the epoch with the next block of this node.
    pub(crate) fn force_epoch(&self) {
        self.is_forced.store(true, Ordering::Relaxed);
    }

    /// Takes transactions; false when one of them is not signed by its sender.
    pub(crate) fn take(&self, transactions: Vec<SignedTransaction>) -> bool {
        let mut are_signed = true;
        for signed in transactions {
            let Ok(verified) = self.checked.verify(&signed) else {
                are_signed = false;
                continue;
            };
            let key = (signed.transaction.sender, signed.transaction.nonce);
            let mut waiting = self.waiting();
            if key.1 >= waiting.next(&key.0) {
                waiting.transactions.entry(key).or_insert(verified);
            }
        }
        are_signed
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The nonce for the next transaction of `sender`.
    pub(crate) fn next_nonce(&self, sender: &Address) -> u64 {
        let waiting = self.waiting();
        let mut nonce = waiting.next(sender);
        while waiting.transactions.contains_key(&(*sender, nonce)) {
            nonce += 1;
        }
        nonce
    }
}

impl BlockSource for Mempool {
    fn pick(&self, limits: PickLimits, nonces: Nonces<'_>) -> Vec<VerifiedTransaction> {
        let waiting = self.waiting();
        let mut next = BTreeMap::new();
        let mut picked = Vec::new();
        for ((sender, nonce), transaction) in &waiting.transactions {
            let next = next
                .entry(*sender)
                .or_insert_with(|| nonces(sender).unwrap_or_default());
            if nonce == next && picked.len() < limits.transactions {
                *next += 1;
                picked.push(transaction.clone());
            }
        }
        picked
    }

    fn has_transactions(&self) -> bool {
        let waiting = self.waiting();
        let mut keys = waiting.transactions.keys();
        keys.any(|(sender, nonce)| *nonce == waiting.next(sender))
    }

    fn wake(&self) -> Arc<Notify> {
        Arc::clone(&self.wake)
    }

    fn is_epoch_to_end(&self) -> bool {
        self.is_forced.load(Ordering::Relaxed)
    }

    fn now_ms(&self) -> TimestampMs {
        self.start_ms.saturating_add(self.clock.now() / MS)
    }

    fn now(&self) -> Instant {
        self.clock.instant()
    }

    fn verify(&self, signed: &SignedTransaction) -> Result<VerifiedTransaction, TransactionError> {
        self.checked.verify(signed)
    }

    fn receive(&self, transactions: Vec<SignedTransaction>, publisher: Publisher) {
        if !self.take(transactions) {
            publisher.blame(Fault::Transaction);
        }
    }

    fn drop_failed(&self, transactions: &[Digest]) {
        let mut waiting = self.waiting();
        let waiting = &mut waiting.transactions;
        waiting.retain(|_, transaction| !transactions.contains(&transaction.digest()));
    }

    fn on_commit(&self, block: &Arc<CommittedBlock>) {
        if block.block.end_epoch {
            self.is_forced.store(false, Ordering::Relaxed);
        }
        let mut waiting = self.waiting();
        let waiting = &mut *waiting;
        for signed in block.block.transactions.iter() {
            let transaction = &signed.transaction;
            let next = waiting.next.entry(transaction.sender).or_default();
            *next = (*next).max(transaction.nonce.saturating_add(1));
        }
        let next = &waiting.next;
        let next_of = |sender: &Address| next.get(sender).copied().unwrap_or_default();
        let transactions = &mut waiting.transactions;
        transactions.retain(|(sender, nonce), _| *nonce >= next_of(sender));
    }
}
