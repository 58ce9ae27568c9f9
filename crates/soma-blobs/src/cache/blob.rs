//! A kept blob in use.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use soma_types::{Checksum, WeightsKey};

use super::Shared;
use super::index::Kept;
use crate::error::BlobError;
use crate::sealed::SealedBlob;

/// Bytes that are read at a time.
const BUFFER: usize = 1 << 18;

/// A kept blob. It stays on disk as long as this exists.
pub struct CachedBlob {
    shared: Arc<Shared>,
    kept: Kept,
}

impl CachedBlob {
    /// A use that was begun in the index.
    pub(super) fn new(shared: Arc<Shared>, kept: Kept) -> Self {
        // The time on disk outlives this process. When it cannot be set, only an order is lost.
        let file = File::options()
            .append(true)
            .open(shared.path(&kept.checksum));
        let _ = file.and_then(|file| file.set_modified(SystemTime::now()));
        Self { shared, kept }
    }

    /// SHA3-256 of the blob.
    pub fn checksum(&self) -> Checksum {
        self.kept.checksum
    }

    /// Size in bytes.
    pub fn size(&self) -> u64 {
        self.kept.size
    }

    /// The file.
    pub fn path(&self) -> PathBuf {
        self.shared.path(&self.kept.checksum)
    }

    /// The bytes, verified. For small blobs; blocks the thread.
    ///
    /// # Errors
    /// [`BlobError::Damaged`] when the file changed; [`BlobError::Io`].
    pub fn read(&self) -> Result<Vec<u8>, BlobError> {
        let file = self.file()?;
        let mut bytes = Vec::new();
        let limited = file.take(self.size() + 1).read_to_end(&mut bytes);
        limited.map_err(|error| self.failed(&error))?;
        if soma_crypto::checksum(&bytes) == self.checksum() {
            Ok(bytes)
        } else {
            Err(self.damaged())
        }
    }

    /// Opens sealed weights, to be read segment by segment. Blocks the thread.
    ///
    /// # Errors
    /// [`BlobError::Sealed`] when it does not begin like sealed weights; [`BlobError::Damaged`];
    /// [`BlobError::Io`].
    pub fn open_sealed(&self, key: &WeightsKey) -> Result<SealedBlob, BlobError> {
        let file = BufReader::with_capacity(BUFFER, self.file()?);
        SealedBlob::open(self.clone(), file, key)
    }

    /// Reads the whole file again. Blocks the thread.
    ///
    /// # Errors
    /// [`BlobError::Damaged`] when it changed; [`BlobError::Io`].
    pub fn verify(&self) -> Result<(), BlobError> {
        let read = soma_crypto::checksum_of_reader(self.file()?);
        if read.map_err(|error| self.failed(&error))? == self.checksum() {
            Ok(())
        } else {
            Err(self.damaged())
        }
    }

    fn file(&self) -> Result<File, BlobError> {
        File::open(self.path()).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => self.damaged(),
            _ => self.failed(&error),
        })
    }

    /// Removes the file, so that the next call downloads it again.
    pub(crate) fn damaged(&self) -> BlobError {
        let mut index = self.shared.index();
        if index.forget_damaged(&self.kept) {
            // Before anybody can put a good file here.
            let _ = fs::remove_file(self.path());
        }
        BlobError::Damaged {
            checksum: self.checksum(),
        }
    }

    pub(crate) fn failed(&self, error: &io::Error) -> BlobError {
        BlobError::io(format!("cannot read {}", self.path().display()), error)
    }
}

impl Clone for CachedBlob {
    fn clone(&self) -> Self {
        self.shared.index().take_again(&self.kept);
        Self {
            shared: Arc::clone(&self.shared),
            kept: self.kept,
        }
    }
}

impl Drop for CachedBlob {
    fn drop(&mut self) {
        self.shared.index().release(&self.kept);
    }
}

impl std::fmt::Debug for CachedBlob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = f.debug_struct("CachedBlob");
        text.field("checksum", &self.checksum());
        text.field("size", &self.size()).finish_non_exhaustive()
    }
}
