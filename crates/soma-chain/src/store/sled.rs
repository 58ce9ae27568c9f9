//! The embedded store on disk.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use super::{Batch, Entry, Store, StoreError, bounds, is_empty_range};

/// A store in a folder on disk, by the `sled` crate.
#[derive(Debug)]
pub struct SledStore {
    db: sled::Db,
    /// For errors.
    folder: String,
}

impl SledStore {
    /// Opens the store in folder `path`, or makes it. `cache_bytes` bounds its page cache.
    ///
    /// # Errors
    /// [`StoreError::InUse`] when it is open already; [`StoreError::Damaged`] and
    /// [`StoreError::Failed`] when the folder cannot be used.
    pub fn open(path: impl AsRef<Path>, cache_bytes: u64) -> Result<Self, StoreError> {
        let path = path.as_ref();
        let config = sled::Config::new()
            .path(path)
            .cache_capacity(cache_bytes)
            // The chain flushes once for each block, before it acknowledges it.
            .flush_every_ms(None);
        let folder = path.display().to_string();
        // It panics over some kinds of damage.
        let opened = catch_unwind(AssertUnwindSafe(|| config.open()));
        let Ok(opened) = opened else {
            let reason = "it cannot be opened".to_owned();
            return Err(StoreError::Damaged { folder, reason });
        };
        match opened {
            Ok(db) => Ok(Self { db, folder }),
            Err(error) => Err(fault(&folder, error)),
        }
    }

    fn collect(
        &self,
        entries: impl Iterator<Item = sled::Result<(sled::IVec, sled::IVec)>>,
    ) -> Result<Vec<Entry>, StoreError> {
        entries
            .map(|entry| {
                let (key, value) = entry.map_err(self.fault())?;
                Ok((key.to_vec(), value.to_vec()))
            })
            .collect()
    }

    fn fault(&self) -> impl Fn(sled::Error) -> StoreError {
        |error| fault(&self.folder, error)
    }
}

/// What an error of the store in `folder` means to its user.
fn fault(folder: &str, error: sled::Error) -> StoreError {
    let (folder, text) = (folder.to_owned(), error.to_string());
    match error {
        sled::Error::Corruption { .. } => StoreError::Damaged {
            folder,
            reason: text,
        },
        _ if text.contains("could not acquire lock") => StoreError::InUse { folder },
        _ => StoreError::Failed(format!("{folder}: {text}")),
    }
}

impl Store for SledStore {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let value = self.db.get(key).map_err(self.fault())?;
        Ok(value.map(|bytes| bytes.to_vec()))
    }

    fn scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let (start, end) = bounds(prefix, after, None);
        if is_empty_range(&start, &end) {
            return Ok(Vec::new());
        }
        self.collect(self.db.range((start, end)).take(limit))
    }

    fn scan_back(
        &self,
        prefix: &[u8],
        before: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let (start, end) = bounds(prefix, None, before);
        if is_empty_range(&start, &end) {
            return Ok(Vec::new());
        }
        self.collect(self.db.range((start, end)).rev().take(limit))
    }

    fn apply(&self, batch: Batch) -> Result<(), StoreError> {
        let mut writes = sled::Batch::default();
        for (key, value) in batch.into_writes() {
            match value {
                Some(value) => writes.insert(key, value),
                None => writes.remove(key),
            }
        }
        self.db.apply_batch(writes).map_err(self.fault())
    }

    fn flush(&self) -> Result<(), StoreError> {
        self.db.flush().map(|_| ()).map_err(self.fault())
    }
}
