//! The waiting transactions of one sender, by nonce.

use std::collections::BTreeMap;

use soma_crypto::transaction::VerifiedTransaction;
use soma_types::time::Height;

/// A waiting transaction.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) transaction: VerifiedTransaction,
    /// Its place among all arrivals.
    pub(super) arrived: u64,
    /// Its place among all arrivals and turns to be sent again; it moves back with each turn.
    pub(super) turn: u64,
    /// The last height at which it may wait.
    pub(super) until: Height,
    /// The height of the proposal that it was picked for.
    pub(super) proposed: Option<Height>,
    /// How many with the same nonce it came after.
    pub(super) replaced: u32,
}

/// The waiting transactions of one sender.
#[derive(Debug, Default)]
pub(super) struct Queue {
    entries: BTreeMap<u64, Entry>,
    bytes: usize,
    /// The account's next nonce, as far as the mempool was told.
    account_nonce: u64,
    /// The first nonce from `account_nonce` on that is missing.
    ready_end: u64,
}

impl Queue {
    pub(super) fn new(account_nonce: u64) -> Self {
        Self {
            entries: BTreeMap::new(),
            bytes: 0,
            account_nonce,
            ready_end: account_nonce,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many are duties of a validator.
    pub(super) fn duties(&self) -> usize {
        let is_duty = |entry: &&Entry| entry.transaction.transaction.kind.is_validator_duty();
        self.entries.values().filter(is_duty).count()
    }

    /// How many have no gap before them.
    pub(super) fn ready(&self) -> usize {
        usize::try_from(self.ready_end - self.account_nonce).unwrap_or(usize::MAX)
    }

    /// Those that have no gap before them.
    pub(super) fn ready_entries(&mut self) -> impl Iterator<Item = &mut Entry> {
        let ready = self.account_nonce..self.ready_end;
        self.entries.range_mut(ready).map(|(_, entry)| entry)
    }

    /// The first nonce that is missing, for an account whose next nonce is `account_nonce`.
    pub(super) fn next_nonce(&self, account_nonce: u64) -> u64 {
        let mut nonce = self.ready_end.max(account_nonce);
        while self.entries.contains_key(&nonce) {
            nonce = nonce.saturating_add(1);
        }
        nonce
    }

    pub(super) fn get(&self, nonce: u64) -> Option<&Entry> {
        self.entries.get(&nonce)
    }

    pub(super) fn get_mut(&mut self, nonce: u64) -> Option<&mut Entry> {
        self.entries.get_mut(&nonce)
    }

    /// Puts `entry` at `nonce` and gives back what was there.
    pub(super) fn insert(&mut self, nonce: u64, entry: Entry) -> Option<Entry> {
        self.bytes += entry.transaction.size_bytes();
        let before = self.entries.insert(nonce, entry);
        if let Some(before) = &before {
            self.bytes -= before.transaction.size_bytes();
        }
        self.extend_ready();
        before
    }

    pub(super) fn remove(&mut self, nonce: u64) -> Option<Entry> {
        let entry = self.entries.remove(&nonce)?;
        self.bytes -= entry.transaction.size_bytes();
        if (self.account_nonce..self.ready_end).contains(&nonce) {
            self.ready_end = nonce;
        }
        Some(entry)
    }

    /// Takes out everything below the account's next nonce, which never goes back.
    pub(super) fn advance(&mut self, account_nonce: u64) -> Vec<Entry> {
        if account_nonce <= self.account_nonce {
            return Vec::new();
        }
        let kept = self.entries.split_off(&account_nonce);
        let gone: Vec<_> = std::mem::replace(&mut self.entries, kept)
            .into_values()
            .collect();
        for entry in &gone {
            self.bytes -= entry.transaction.size_bytes();
        }
        self.account_nonce = account_nonce;
        self.ready_end = self.ready_end.max(account_nonce);
        self.extend_ready();
        gone
    }

    fn extend_ready(&mut self) {
        while self.entries.contains_key(&self.ready_end) {
            self.ready_end += 1;
        }
    }

    /// Nonce and arrival of the first ready transaction.
    pub(super) fn first_ready(&self) -> Option<(u64, u64)> {
        let entry = self.entries.get(&self.account_nonce)?;
        Some((self.account_nonce, entry.arrived))
    }
}
