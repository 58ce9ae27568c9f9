//! Where a node keeps its chain: on disk, or in memory for tests and throw-away networks.

use soma_chain::store::{Batch, Entry, MemoryStore, SledStore, Store, StoreError};

/// The store of a node.
pub enum NodeStore {
    /// On disk.
    Disk(SledStore),
    /// In memory; gone when the process ends.
    Memory(MemoryStore),
}

impl NodeStore {
    fn inner(&self) -> &dyn Store {
        match self {
            Self::Disk(store) => store,
            Self::Memory(store) => store,
        }
    }
}

impl Store for NodeStore {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner().get(key)
    }

    fn scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.inner().scan(prefix, after, limit)
    }

    fn scan_back(
        &self,
        prefix: &[u8],
        before: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.inner().scan_back(prefix, before, limit)
    }

    fn apply(&self, batch: Batch) -> Result<(), StoreError> {
        self.inner().apply(batch)
    }

    fn flush(&self) -> Result<(), StoreError> {
        self.inner().flush()
    }
}
