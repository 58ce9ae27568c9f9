//! All queues together: limits, order between senders, expiry.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap};

use soma_crypto::transaction::VerifiedTransaction;
use soma_types::time::Height;
use soma_types::{Address, Digest};

use super::queue::{Entry, Queue};
use super::{
    ChainFacts, Inserted, MempoolConfig, MempoolError, MempoolSize, PickLimits, SenderFacts,
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
    ready: usize,
    bytes: usize,
    arrivals: u64,
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
            ready: 0,
            bytes: 0,
            arrivals: 0,
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
        self.arrivals += 1;
        let entry = Entry {
            arrived: self.arrivals,
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
            if entry.transaction.transaction.nonce == nonce {
                inserted = Inserted::Replaced(entry.transaction.digest());
            }
            self.forget(&entry);
        }
        self.bytes += size;
        self.by_digest.insert(digest, (address, nonce));
        self.by_expiry.insert((until, address, nonce));
        Ok(inserted)
    }

    /// Everything that can be said before anything changes.
    fn check(
        &self,
        transaction: &VerifiedTransaction,
        sender: &SenderFacts,
        chain: &ChainFacts,
    ) -> Result<(), MempoolError> {
        let body = &transaction.transaction;
        let size = transaction.size_bytes();
        if body.chain_id != chain.chain_id {
            return Err(MempoolError::WrongChain {
                expected: chain.chain_id,
                got: body.chain_id,
            });
        }
        if u64::try_from(size).map_or(true, |size| size > chain.max_transaction_bytes) {
            return Err(MempoolError::TooLarge {
                got: size,
                max: chain.max_transaction_bytes,
            });
        }
        if body.expiry_height < chain.next_height {
            return Err(MempoolError::Expired {
                expiry_height: body.expiry_height,
                next_height: chain.next_height,
            });
        }
        let Some(ahead) = body.nonce.checked_sub(sender.nonce) else {
            return Err(MempoolError::NonceTooLow {
                expected: sender.nonce,
                got: body.nonce,
            });
        };
        let max_gap = u64::try_from(self.config.max_sender_transactions).unwrap_or(u64::MAX);
        if ahead >= max_gap || body.nonce == u64::MAX {
            return Err(MempoolError::NonceGap {
                expected: sender.nonce,
                got: body.nonce,
                max_gap,
            });
        }
        let queue = self.queues.get(&body.sender);
        let replaced = queue.and_then(|queue| queue.get(body.nonce));
        if let Some(height) = replaced.and_then(|entry| entry.proposed) {
            return Err(MempoolError::NonceInUse {
                nonce: body.nonce,
                height,
            });
        }
        let freed = replaced.map_or(0, |entry| entry.transaction.size_bytes());
        let others = queue.map_or(0, Queue::len) - usize::from(replaced.is_some());
        let is_free = sender.is_validator && body.kind.is_validator_duty();
        let waiting = u64::try_from(others).unwrap_or(u64::MAX).saturating_add(1);
        let needed = chain.base_fee.checked_mul(waiting);
        if !is_free && needed.is_none_or(|needed| needed > sender.balance) {
            return Err(MempoolError::InsufficientGas {
                waiting,
                needed: needed.unwrap_or(soma_types::MAX_SUPPLY),
                available: sender.balance,
            });
        }
        self.check_room(
            others,
            queue.map_or(0, Queue::bytes) - freed,
            size,
            replaced.is_some(),
        )?;
        let is_ready = body.nonce <= self.next_nonce(&body.sender, sender.nonce);
        let parked = self.by_digest.len().saturating_sub(self.ready);
        if !is_ready && replaced.is_none() && parked >= self.config.max_parked() {
            return Err(MempoolError::Full {
                limit: format!("{} behind a missing nonce", self.config.max_parked()),
            });
        }
        Ok(())
    }

    fn check_room(
        &self,
        others: usize,
        sender_bytes: usize,
        size: usize,
        is_replacement: bool,
    ) -> Result<(), MempoolError> {
        let config = &self.config;
        if others >= config.max_sender_transactions {
            return Err(MempoolError::SenderLimit {
                limit: format!("{} transactions", config.max_sender_transactions),
            });
        }
        if sender_bytes.saturating_add(size) > config.max_sender_bytes {
            return Err(MempoolError::SenderLimit {
                limit: format!("{} bytes", config.max_sender_bytes),
            });
        }
        if !is_replacement && self.by_digest.len() >= config.max_transactions {
            return Err(MempoolError::Full {
                limit: format!("{} transactions", config.max_transactions),
            });
        }
        if self.bytes.saturating_add(size) > config.max_bytes {
            return Err(MempoolError::Full {
                limit: format!("{} bytes", config.max_bytes),
            });
        }
        Ok(())
    }

    pub(super) fn pick(
        &mut self,
        limits: PickLimits,
        mut nonce_of: impl FnMut(&Address) -> Option<u64>,
    ) -> Vec<VerifiedTransaction> {
        // Ordered by round first: nobody's second transaction comes before somebody's first.
        let mut next: BinaryHeap<Reverse<(u32, u64, Address, u64)>> = self
            .queues
            .iter()
            .filter_map(|(address, queue)| {
                let (nonce, arrived) = queue.first_ready()?;
                Some(Reverse((0, arrived, *address, nonce)))
            })
            .collect();
        let mut picked = Vec::new();
        let mut room = limits.bytes;
        while picked.len() < limits.transactions {
            let Some(Reverse((round, _, address, nonce))) = next.pop() else {
                break;
            };
            if round == 0 && nonce_of(&address) != Some(nonce) {
                continue;
            }
            let Some(queue) = self.queues.get_mut(&address) else {
                continue;
            };
            if let Some(entry) = queue.get_mut(nonce) {
                let size = entry.transaction.size_bytes();
                if size > room || entry.transaction.transaction.expiry_height < limits.height {
                    continue;
                }
                room -= size;
                entry.proposed = Some(limits.height);
                self.proposed.push((limits.height, address, nonce));
                picked.push(entry.transaction.clone());
            }
            let following = nonce.saturating_add(1);
            if let Some(entry) = queue.get(following) {
                next.push(Reverse((round + 1, entry.arrived, address, following)));
            }
        }
        picked
    }

    pub(super) fn on_block<'a>(
        &mut self,
        height: Height,
        executed: impl IntoIterator<Item = (&'a Address, u64)>,
    ) {
        self.height = self.height.max(height);
        for (address, nonce) in executed {
            if self.queues.contains_key(address) {
                let next = nonce.saturating_add(1);
                let gone = self.change(*address, next, |queue| queue.advance(next));
                gone.iter().for_each(|entry| self.forget(entry));
            }
        }
        while let Some((until, address, nonce)) = self.by_expiry.first().copied() {
            if until > height {
                break;
            }
            self.by_expiry.pop_first();
            self.take_out(address, nonce);
        }
        self.release(height);
    }

    /// What was picked for this height or an earlier one and is still here can be replaced again.
    fn release(&mut self, height: Height) {
        let queues = &mut self.queues;
        self.proposed.retain(|(proposed, address, nonce)| {
            if *proposed > height {
                return true;
            }
            let entry = queues
                .get_mut(address)
                .and_then(|queue| queue.get_mut(*nonce));
            if let Some(entry) = entry.filter(|entry| entry.proposed == Some(*proposed)) {
                entry.proposed = None;
            }
            false
        });
    }

    pub(super) fn remove(&mut self, digest: &Digest) {
        if let Some((address, nonce)) = self.by_digest.get(digest).copied() {
            self.take_out(address, nonce);
        }
    }

    fn take_out(&mut self, address: Address, nonce: u64) {
        let gone = self.change(address, 0, |queue| {
            queue.remove(nonce).into_iter().collect()
        });
        gone.iter().for_each(|entry| self.forget(entry));
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
