//! What is kept, how large it is, and what may go.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use soma_types::Checksum;

use super::flight::Flights;
use crate::error::BlobError;
use crate::location::BlobRef;

/// A use of a kept blob.
#[derive(Clone, Copy)]
pub(super) struct Kept {
    pub(super) checksum: Checksum,
    pub(super) size: u64,
    id: u64,
}

struct Entry {
    /// Sets this file apart from one that lay here before: who used that one must not end a use
    /// of this one.
    id: u64,
    size: u64,
    /// Number of the last use; the smallest goes first.
    used: u64,
    /// Users at this moment.
    users: usize,
}

/// The bookkeeping of a cache. Bytes on disk = kept blobs + all of the blobs that are being
/// downloaded + what other downloads have left.
#[derive(Default)]
pub(crate) struct Index {
    entries: HashMap<Checksum, Entry>,
    bytes: u64,
    /// Downloads that have room for all of their blob.
    reserved: HashSet<BlobRef>,
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

    /// Adds a blob. One that is here already keeps its users: the file is the same.
    pub(super) fn keep(&mut self, checksum: Checksum, size: u64) {
        self.uses += 1;
        let entry = self.entries.entry(checksum).or_insert(Entry {
            id: self.uses,
            size: 0,
            used: 0,
            users: 0,
        });
        self.bytes = self.bytes - entry.size + size;
        (entry.size, entry.used) = (size, self.uses);
    }

    /// Begins a use.
    pub(super) fn take(&mut self, checksum: &Checksum) -> Option<Kept> {
        let entry = self.entries.get_mut(checksum)?;
        self.uses += 1;
        entry.used = self.uses;
        entry.users += 1;
        Some(Kept {
            checksum: *checksum,
            size: entry.size,
            id: entry.id,
        })
    }

    /// True when the blob is here with this size.
    pub(super) fn has(&self, checksum: &Checksum, size: u64) -> bool {
        self.entries
            .get(checksum)
            .is_some_and(|entry| entry.size == size)
    }

    /// Begins another use of a blob that is in use.
    pub(super) fn take_again(&mut self, kept: &Kept) {
        if let Some(entry) = self.entry(kept) {
            entry.users += 1;
        }
    }

    /// Ends a use.
    pub(super) fn release(&mut self, kept: &Kept) {
        if let Some(entry) = self.entry(kept) {
            entry.users = entry.users.saturating_sub(1);
        }
    }

    fn entry(&mut self, kept: &Kept) -> Option<&mut Entry> {
        let entry = self.entries.get_mut(&kept.checksum)?;
        (entry.id == kept.id).then_some(entry)
    }

    /// True when `size` bytes have room once all goes that may go, beside `leftover` bytes that
    /// stay. Asked before anything is removed, so that nothing is removed in vain.
    pub(super) fn can_hold(&self, size: u64, leftover: u64, max: u64) -> bool {
        let in_use = self.entries.values().filter(|entry| entry.users > 0);
        let stay: u64 = in_use.map(|entry| entry.size).sum();
        // A size may be anything that somebody wrote into a manifest.
        let all = stay.checked_add(self.reserved_bytes() + leftover);
        all.and_then(|all| all.checked_add(size))
            .is_some_and(|all| all <= max)
    }

    /// Bytes of all downloads that have room.
    pub(super) fn reserved_bytes(&self) -> u64 {
        self.reserved.iter().map(|blob| blob.size).sum()
    }

    /// Downloads that have room.
    pub(super) fn reserved(&self) -> &HashSet<BlobRef> {
        &self.reserved
    }

    /// Makes room for the download of a blob that [can be held](Self::can_hold). `remove` deletes
    /// the file of a blob; `leftover` is how many bytes of other downloads stay.
    pub(super) fn reserve(
        &mut self,
        blob: &BlobRef,
        max: u64,
        leftover: u64,
        mut remove: impl FnMut(&Checksum),
    ) -> Result<(), BlobError> {
        let size = blob.size;
        while self.bytes + self.reserved_bytes() + leftover + size > max {
            let free = self.entries.iter().filter(|(_, entry)| entry.users == 0);
            let oldest = free.min_by_key(|(_, entry)| entry.used);
            let Some(checksum) = oldest.map(|(checksum, _)| *checksum) else {
                return Err(BlobError::CacheFull { size, max });
            };
            self.forget(&checksum);
            remove(&checksum);
        }
        self.reserved.insert(blob.clone());
        Ok(())
    }

    /// Gives back what a download had reserved.
    pub(super) fn unreserve(&mut self, blob: &BlobRef) {
        self.reserved.remove(blob);
    }

    fn forget(&mut self, checksum: &Checksum) {
        if let Some(entry) = self.entries.remove(checksum) {
            self.bytes -= entry.size;
        }
    }

    /// Forgets a blob whose file is gone or damaged; false when another file lies there by now.
    pub(super) fn forget_damaged(&mut self, kept: &Kept) -> bool {
        let is_this = self.entry(kept).is_some();
        if is_this {
            self.forget(&kept.checksum);
        }
        is_this
    }
}
