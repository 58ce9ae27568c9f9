//! Where a blob lies until it is whole.

use std::ffi::OsString;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use soma_blobs::BlobRef;

use super::fetch::file;
use crate::error::SdkError;

/// Downloads of one blob to one place at the same time, at most.
const MOST: usize = 1_000;

/// The file of a download, beside its place, where one that was broken off goes on. Its name is its
/// own, so that no file of the user's is written over.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) path: PathBuf,
    lock_path: PathBuf,
    /// Keeps other downloads from the file, until this is dropped.
    _lock: File,
}

impl Part {
    /// The first file for downloads of `blob` to `to` that no other one is at work with.
    ///
    /// # Errors
    /// [`SdkError::File`] when there is something else, or files cannot be made there.
    pub(super) fn beside(to: &Path, blob: &BlobRef) -> Result<Self, SdkError> {
        refuse_irregular(to)?;
        for number in 1..=MOST {
            let path = part_path(to, blob, number);
            refuse_irregular(&path)?;
            if let Some(part) = Self::take(path)? {
                return Ok(part);
            }
        }
        let text = format!("{MOST} downloads to it are under way; wait until they end");
        Err(file(to, text))
    }

    /// None when another download has it.
    fn take(path: PathBuf) -> Result<Option<Self>, SdkError> {
        let mut lock_path = path.clone().into_os_string();
        lock_path.push(".lock");
        let lock_path = PathBuf::from(lock_path);
        refuse_irregular(&lock_path)?;
        let fail = |error: std::io::Error| file(&lock_path, error);
        loop {
            let mut options = File::options();
            let options = options.create(true).truncate(false).write(true);
            let lock = options.open(&lock_path).map_err(fail)?;
            match lock.try_lock() {
                // Else the one before has removed it between opening and locking.
                Ok(()) if is_at(&lock, &lock_path) => {
                    return Ok(Some(Self {
                        path,
                        lock_path,
                        _lock: lock,
                    }));
                }
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(fail(error)),
            }
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // Still locked. One that stays is no harm.
        let _ = std::fs::remove_file(&self.lock_path);
    }
}

fn part_path(to: &Path, blob: &BlobRef, number: usize) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(to.file_name().unwrap_or_default());
    name.push(match number {
        1 => format!(".{}.part", blob.checksum),
        number => format!(".{}.{number}.part", blob.checksum),
    });
    to.with_file_name(name)
}

/// A device would be replaced, and a link followed.
fn refuse_irregular(path: &Path) -> Result<(), SdkError> {
    match path.symlink_metadata() {
        Ok(there) if !there.is_file() => {
            Err(file(path, "it is there and no regular file; name another"))
        }
        _ => Ok(()),
    }
}

/// Whether an open file is the one at `path`.
#[cfg(unix)]
fn is_at(open: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let place = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
    let open = open.metadata().map(place);
    matches!((open, path.metadata().map(place)), (Ok(open), Ok(there)) if open == there)
}

/// Open files are not removed elsewhere.
#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> bool {
    true
}
