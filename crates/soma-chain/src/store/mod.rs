//! Stores: ordered byte maps with atomic batches.
//!
//! The state machine sees only [`Store`]. [`MemoryStore`] serves tests and simulations,
//! [`SledStore`] is the embedded default on disk.

mod memory;
#[cfg(feature = "sled")]
mod sled;

use std::fmt;

use thiserror::Error;

#[cfg(feature = "sled")]
pub use self::sled::SledStore;
pub use memory::MemoryStore;

/// A key and its value.
pub type Entry = (Vec<u8>, Vec<u8>);

/// A store that failed. The chain stops: going on could lose finalized blocks.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Another store has the folder open, perhaps one that is just being closed.
    #[error("{folder} is in use by another process; stop that one, or use another folder")]
    InUse {
        /// The folder.
        folder: String,
    },
    /// What lies there is not what was written.
    #[error(
        "the store in {folder} is damaged ({reason}): restore the data folder from a copy, or remove \
         it and sync anew from peers"
    )]
    Damaged {
        /// The folder.
        folder: String,
        /// What is wrong with it.
        reason: String,
    },
    /// It cannot be read or written.
    #[error("store failed: {0}; check the disk and start again")]
    Failed(String),
}

impl StoreError {
    /// Wraps any error of a store.
    pub fn new(error: impl fmt::Display) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Writes that happen together or not at all. A later write of a key wins.
#[derive(Debug, Default)]
pub struct Batch {
    writes: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl Batch {
    /// Sets `key` to `value`.
    pub fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.writes.push((key, Some(value)));
    }

    /// Removes `key`.
    pub fn remove(&mut self, key: Vec<u8>) {
        self.writes.push((key, None));
    }

    /// The writes in order.
    pub fn into_writes(self) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
        self.writes
    }
}

/// An ordered byte map.
pub trait Store: Send + Sync + 'static {
    /// The value of `key`.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Up to `limit` entries whose keys start with `prefix` and come after `after`, ascending.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError>;

    /// Up to `limit` entries whose keys start with `prefix` and come before `before`, descending.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn scan_back(
        &self,
        prefix: &[u8],
        before: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError>;

    /// Applies `batch` atomically.
    ///
    /// # Errors
    /// When the store cannot be written; then nothing of the batch was.
    fn apply(&self, batch: Batch) -> Result<(), StoreError>;

    /// Returns once everything applied before survives a crash of the machine.
    ///
    /// # Errors
    /// When the store cannot be written.
    fn flush(&self) -> Result<(), StoreError>;
}

/// The first key after all keys that start with `prefix`; none when there is no such key.
fn end_of_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

/// Bounds of a scan over `prefix`.
fn bounds(
    prefix: &[u8],
    after: Option<&[u8]>,
    before: Option<&[u8]>,
) -> (std::ops::Bound<Vec<u8>>, std::ops::Bound<Vec<u8>>) {
    use std::ops::Bound;
    let start = match after {
        Some(key) if key >= prefix => Bound::Excluded(key.to_vec()),
        _ => Bound::Included(prefix.to_vec()),
    };
    let end = match (before, end_of_prefix(prefix)) {
        (Some(key), Some(end)) if key < end.as_slice() => Bound::Excluded(key.to_vec()),
        (_, Some(end)) => Bound::Excluded(end),
        (Some(key), None) => Bound::Excluded(key.to_vec()),
        (None, None) => Bound::Unbounded,
    };
    (start, end)
}

/// True when a range would be empty or upside down, which ordered maps refuse.
fn is_empty_range(start: &std::ops::Bound<Vec<u8>>, end: &std::ops::Bound<Vec<u8>>) -> bool {
    use std::ops::Bound::{Excluded, Included, Unbounded};
    match (start, end) {
        (Included(a), Excluded(b)) | (Excluded(a), Excluded(b) | Included(b)) => a >= b,
        (Included(a), Included(b)) => a > b,
        (Unbounded, _) | (_, Unbounded) => false,
    }
}

impl<S: Store> Store for std::sync::Arc<S> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.as_ref().get(key)
    }

    fn scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.as_ref().scan(prefix, after, limit)
    }

    fn scan_back(
        &self,
        prefix: &[u8],
        before: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.as_ref().scan_back(prefix, before, limit)
    }

    fn apply(&self, batch: Batch) -> Result<(), StoreError> {
        self.as_ref().apply(batch)
    }

    fn flush(&self) -> Result<(), StoreError> {
        self.as_ref().flush()
    }
}
