//! A download that is under way: a file that grows, and the hash of what it holds.

use std::path::{Path, PathBuf};

use sha3::{Digest as _, Sha3_256};
use soma_types::Checksum;
use tokio::fs::{File, OpenOptions};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};

use crate::error::BlobError;
use crate::location::{BlobRef, shown};

/// Bytes that are read or collected at a time.
const BUFFER: usize = 1 << 18;

/// The file of an unfinished download.
pub(super) struct Part {
    path: PathBuf,
    file: File,
    hash: Sha3_256,
    bytes: u64,
    /// Bytes that were found on disk, from a download that was given up before.
    inherited: u64,
    blob: BlobRef,
    /// Written in larger pieces than the network gives.
    buffer: Vec<u8>,
}

impl Part {
    /// Opens or makes the file, and hashes what it holds already.
    pub(super) async fn open(path: &Path, blob: &BlobRef) -> Result<Self, BlobError> {
        let fail = |error| BlobError::io(format!("cannot open {}", path.display()), &error);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = options.open(path).await.map_err(fail)?;
        let length = file.metadata().await.map_err(fail)?.len();
        let mut part = Self {
            path: path.to_owned(),
            file,
            hash: Sha3_256::new(),
            bytes: 0,
            inherited: 0,
            blob: blob.clone(),
            buffer: Vec::with_capacity(BUFFER),
        };
        if length > blob.size {
            part.restart().await?;
        } else {
            part.hash_what_is_there(length).await?;
        }
        Ok(part)
    }

    async fn hash_what_is_there(&mut self, length: u64) -> Result<(), BlobError> {
        let mut bytes = vec![0; BUFFER];
        while self.bytes < length {
            let wanted = usize::try_from(length - self.bytes).unwrap_or(BUFFER);
            let count = self.file.read(&mut bytes[..wanted.min(BUFFER)]).await;
            let count = count.map_err(|error| self.failed(&error))?;
            if count == 0 {
                break;
            }
            self.hash.update(&bytes[..count]);
            self.bytes += count as u64;
        }
        self.inherited = self.bytes;
        Ok(())
    }

    /// Bytes that are there.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// True when all bytes are there.
    pub(super) fn is_whole(&self) -> bool {
        self.bytes == self.blob.size
    }

    /// Forgets what is there.
    pub(super) async fn restart(&mut self) -> Result<(), BlobError> {
        self.buffer.clear();
        self.hash = Sha3_256::new();
        (self.bytes, self.inherited) = (0, 0);
        let emptied = self.file.set_len(0).await;
        emptied.map_err(|error| self.failed(&error))?;
        let start = self.file.rewind().await;
        start.map(drop).map_err(|error| self.failed(&error))
    }

    /// Adds what arrived.
    ///
    /// # Errors
    /// [`BlobError::SizeMismatch`] when it is more than the blob has, without writing it.
    pub(super) async fn add(&mut self, bytes: &[u8]) -> Result<(), BlobError> {
        if self.bytes + bytes.len() as u64 > self.blob.size {
            return Err(self.wrong_size("more".to_owned()));
        }
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= BUFFER {
            self.write_out().await?;
        }
        Ok(())
    }

    /// Puts collected bytes on disk, so that a later try can go on from them.
    pub(super) async fn write_out(&mut self) -> Result<(), BlobError> {
        let written = self.file.write_all(&self.buffer).await;
        written.map_err(|error| self.failed(&error))?;
        self.buffer.clear();
        let flushed = self.file.flush().await;
        flushed.map_err(|error| self.failed(&error))
    }

    /// Checks the whole. `Ok(false)` when another try from the start may still succeed: some of it
    /// came from an earlier download.
    pub(super) async fn check(&mut self) -> Result<bool, BlobError> {
        self.write_out().await?;
        let synced = self.file.sync_all().await;
        synced.map_err(|error| self.failed(&error))?;
        let got = Checksum(self.hash.clone().finalize().into());
        if got == self.blob.checksum {
            return Ok(true);
        }
        if self.inherited > 0 {
            self.restart().await?;
            return Ok(false);
        }
        Err(BlobError::ChecksumMismatch {
            url: shown(&self.blob.url),
            expected: self.blob.checksum,
            got,
        })
    }

    /// What to say when the blob ends too early.
    pub(super) fn too_short(&self) -> BlobError {
        self.wrong_size(self.bytes.to_string())
    }

    fn wrong_size(&self, got: String) -> BlobError {
        BlobError::SizeMismatch {
            url: shown(&self.blob.url),
            expected: self.blob.size,
            got,
        }
    }

    fn failed(&self, error: &std::io::Error) -> BlobError {
        BlobError::io(format!("cannot write {}", self.path.display()), error)
    }
}
