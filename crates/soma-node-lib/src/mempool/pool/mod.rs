//! All queues together: what waits, by sender, digest and expiry.

mod admission;
mod leave;
mod pick;

use std::collections::{BTreeSet, HashMap};

use soma_crypto::transaction::VerifiedTransaction;
use soma_types::time::Height;
use soma_types::{Address, Digest, SignedTransaction};

use super::queue::{Entry, Queue};
use super::{
    ChainFacts, DropReason, Dropped, Inserted, MempoolConfig, MempoolError, MempoolSize,
    SenderFacts,
};

/// The mempool's content. Invariant: `transactions`, `ready` and `bytes` are the sums over the
/// queues, every entry is in `by_digest` and `by_expiry`, and no queue is empty.
#[derive(Debug)]
pub(super) struct Pool {
    config: MempoolConfig,
    queues: HashMap<Address, Queue>,
    by_digest: HashMap<Digest, (Address, u64)>,
    by_expiry: BTreeSet<(Height, Address, u64)>,
    /// What was picked for which height and may still be undecided.
    proposed: Vec<(Height, Address, u64)>,
    /// Nonces by digest of what left because the chain was ahead of this pool: executed, or
    /// overtaken by another transaction, as the next block will say.
    overtaken: HashMap<Digest, u64>,
    ready: usize,
    bytes: usize,
    /// Arrivals, and turns to be sent again.
    turns: u64,
    /// Their number after the last look for what to send again.
    resent: u64,
    height: Height,
}

impl Pool {
    pub(super) fn new(config: MempoolConfig) -> Self {
        Self {
            config,
            queues: HashMap::new(),
            by_digest: HashMap::new(),
            by_expiry: BTreeSet::new(),
            proposed: Vec::new(),
            overtaken: HashMap::new(),
            ready: 0,
            bytes: 0,
            turns: 0,
            resent: 0,
            height: 0,
        }
    }

    /// The newest block that the pool was told of.
    pub(super) fn height(&self) -> Height {
        self.height
    }

    pub(super) fn contains(&self, digest: &Digest) -> bool {
        self.by_digest.contains_key(digest)
    }

    pub(super) fn get(&self, digest: &Digest) -> Option<VerifiedTransaction> {
        let (sender, nonce) = self.by_digest.get(digest)?;
        let entry = self.queues.get(sender)?.get(*nonce)?;
        Some(entry.transaction.clone())
    }

    /// As [`Mempool::resend`](crate::mempool::Mempool::resend).
    pub(super) fn resend(&mut self, count: usize) -> Vec<SignedTransaction> {
        let ready = self.queues.values_mut().flat_map(Queue::ready_entries);
        let mut old: Vec<_> = ready.filter(|entry| entry.turn <= self.resent).collect();
        old.sort_unstable_by_key(|entry| entry.turn);
        old.truncate(count);
        let mut resent = Vec::with_capacity(old.len());
        for entry in old {
            self.turns += 1;
            entry.turn = self.turns;
            resent.push(SignedTransaction::clone(&entry.transaction));
        }
        self.resent = self.turns;
        resent
    }

    pub(super) fn size(&self) -> MempoolSize {
        MempoolSize {
            transactions: self.by_digest.len(),
            ready: self.ready,
            bytes: self.bytes,
            senders: self.queues.len(),
        }
    }

    pub(super) fn next_nonce(&self, sender: &Address, account_nonce: u64) -> u64 {
        self.queues
            .get(sender)
            .map_or(account_nonce, |queue| queue.next_nonce(account_nonce))
    }

    /// Takes a transaction that is not here yet.
    pub(super) fn insert(
        &mut self,
        transaction: VerifiedTransaction,
        sender: &SenderFacts,
        chain: &ChainFacts,
    ) -> Result<Inserted, MempoolError> {
        let (address, nonce) = (
            transaction.transaction.sender,
            transaction.transaction.nonce,
        );
        self.check(&transaction, sender, chain)?;
        let queue = self.queues.get(&address);
        let before = queue.and_then(|queue| queue.get(nonce));
        let replaced = before.map_or(0, |before| before.replaced.saturating_add(1));
        self.turns += 1;
        let entry = Entry {
            replaced,
            arrived: self.turns,
            turn: self.turns,
            until: transaction
                .transaction
                .expiry_height
                .min(chain.next_height.saturating_add(self.config.max_age_blocks)),
            proposed: None,
            transaction,
        };
        let (digest, until, size) = (
            entry.transaction.digest(),
            entry.until,
            entry.transaction.size_bytes(),
        );
        let gone = self.change(address, sender.nonce, |queue| {
            let mut gone = queue.advance(sender.nonce);
            gone.extend(queue.insert(nonce, entry));
            gone
        });
        let mut inserted = Inserted::Added;
        for entry in gone {
            let before = entry.transaction.digest();
            if entry.transaction.transaction.nonce == nonce {
                inserted = Inserted::Replaced(Dropped {
                    digest: before,
                    reason: DropReason::Replaced { nonce, by: digest },
                });
            } else {
                let nonce = entry.transaction.transaction.nonce;
                self.overtaken.insert(before, nonce);
            }
            self.forget(&entry);
        }
        self.bytes += size;
        self.by_digest.insert(digest, (address, nonce));
        self.by_expiry.insert((until, address, nonce));
        Ok(inserted)
    }

    /// Changes a queue and keeps the count of ready transactions and the absence of empty queues.
    fn change(
        &mut self,
        address: Address,
        account_nonce: u64,
        change: impl FnOnce(&mut Queue) -> Vec<Entry>,
    ) -> Vec<Entry> {
        let queue = self
            .queues
            .entry(address)
            .or_insert_with(|| Queue::new(account_nonce));
        self.ready -= queue.ready();
        let gone = change(queue);
        if queue.len() == 0 {
            self.queues.remove(&address);
        } else {
            self.ready += queue.ready();
        }
        gone
    }

    fn forget(&mut self, entry: &Entry) {
        let body = &entry.transaction.transaction;
        self.bytes -= entry.transaction.size_bytes();
        self.by_digest.remove(&entry.transaction.digest());
        self.by_expiry
            .remove(&(entry.until, body.sender, body.nonce));
    }
}

#[cfg(test)]
impl Pool {
    /// Recounts everything that is kept as a sum.
    pub(super) fn check_sums(&self, height: Height) {
        let sum = |of: fn(&Queue) -> usize| self.queues.values().map(of).sum::<usize>();
        assert_eq!(self.by_digest.len(), sum(Queue::len));
        assert_eq!(self.by_expiry.len(), sum(Queue::len));
        assert_eq!(self.bytes, sum(Queue::bytes));
        assert_eq!(self.ready, sum(Queue::ready));
        assert!(self.queues.values().all(|queue| queue.len() > 0));
        for (digest, (sender, nonce)) in &self.by_digest {
            let entry = self.queues[sender].get(*nonce).unwrap();
            assert_eq!(entry.transaction.digest(), *digest);
            assert!(entry.until > height, "expired entries are gone");
            let key = (entry.until, *sender, *nonce);
            assert!(self.by_expiry.contains(&key));
        }
    }
}
