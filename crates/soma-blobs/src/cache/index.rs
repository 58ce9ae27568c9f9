//! What is kept, how large it is, and what may go.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use soma_types::Checksum;

use super::flight::Flights;
use crate::error::BlobError;

struct Entry {
    size: u64,
    /// Number of the last use; the smallest goes first.
    used: u64,
    /// Users at this moment.
    users: usize,
}

/// The bookkeeping of a cache. Bytes on disk = kept blobs + what downloads may still bring.
#[derive(Default)]
pub(crate) struct Index {
    entries: HashMap<Checksum, Entry>,
    bytes: u64,
    reserved: u64,
    uses: u64,
    pub(super) flights: Flights,
}

impl Index {
    /// The blobs in `folder`, those used longest ago first. Other files are left alone.
    pub(super) fn scan(folder: &Path) -> io::Result<Self> {
        let mut found: Vec<(SystemTime, Checksum, u64)> = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let mut checksum = Checksum([0; 32]);
            let is_name = hex::decode_to_slice(name.to_string_lossy().as_bytes(), &mut checksum.0);
            let metadata = entry.metadata()?;
            if is_name.is_ok() && metadata.is_file() {
                let used = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                found.push((used, checksum, metadata.len()));
            }
        }
        found.sort_by_key(|(used, ..)| *used);
        let mut index = Self::default();
        for (_, checksum, size) in found {
            index.keep(checksum, size);
        }
        Ok(index)
    }

    /// Bytes of kept blobs.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    fn keep(&mut self, checksum: Checksum, size: u64) {
        self.uses += 1;
        let entry = Entry {
            size,
            used: self.uses,
            users: 0,
        };
        if let Some(old) = self.entries.insert(checksum, entry) {
            self.bytes -= old.size;
        }
        self.bytes += size;
    }

    /// Begins a use: the size of the blob.
    pub(super) fn take(&mut self, checksum: &Checksum) -> Option<u64> {
        let entry = self.entries.get_mut(checksum)?;
        self.uses += 1;
        entry.used = self.uses;
        entry.users += 1;
        Some(entry.size)
    }

    /// Begins another use of a blob that is in use.
    pub(super) fn take_again(&mut self, checksum: &Checksum) {
        if let Some(entry) = self.entries.get_mut(checksum) {
            entry.users += 1;
        }
    }

    /// Ends a use.
    pub(super) fn release(&mut self, checksum: &Checksum) {
        if let Some(entry) = self.entries.get_mut(checksum) {
            entry.users = entry.users.saturating_sub(1);
        }
    }

    /// Makes room for a download of `size` bytes. `remove` deletes the file of a blob; `parts`
    /// says how many bytes of given-up downloads there are.
    pub(super) fn reserve(
        &mut self,
        size: u64,
        max: u64,
        leftover: u64,
        mut remove: impl FnMut(&Checksum),
    ) -> Result<(), BlobError> {
        let others = self.reserved + leftover;
        while self.bytes + others + size > max {
            let free = self.entries.iter().filter(|(_, entry)| entry.users == 0);
            let oldest = free.min_by_key(|(_, entry)| entry.used);
            let Some(checksum) = oldest.map(|(checksum, _)| *checksum) else {
                return Err(BlobError::CacheFull { size, max });
            };
            self.forget(&checksum);
            remove(&checksum);
        }
        self.reserved += size;
        Ok(())
    }

    /// A download ended that had reserved `size` bytes; with the blob when it is whole, which is
    /// in use from the start.
    pub(super) fn settle(&mut self, size: u64, whole: Option<Checksum>) {
        self.reserved = self.reserved.saturating_sub(size);
        if let Some(checksum) = whole {
            self.keep(checksum, size);
            self.take(&checksum);
        }
    }

    /// Forgets a blob whose file is gone or damaged.
    pub(super) fn forget(&mut self, checksum: &Checksum) {
        if let Some(entry) = self.entries.remove(checksum) {
            self.bytes -= entry.size;
        }
    }
}
