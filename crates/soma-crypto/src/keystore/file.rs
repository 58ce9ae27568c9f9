//! The file on disk: private, locked while it changes, replaced in one step.

use std::fs::{self, File, OpenOptions};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::private_file::{self, FileError, folder_of, refuse_exposed, sync_folder, write_beside};

// About ten thousand keys.
const MAX_FILE_BYTES: u64 = 8 << 20;

/// Reads the whole file.
pub(super) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let file = File::open(path).map_err(FileError::io("open", path))?;
    refuse_exposed(&file, path)?;
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(FileError::io("read", path))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(FileError::TooLarge {
            path: path.to_owned(),
            limit: MAX_FILE_BYTES,
        });
    }
    Ok(bytes)
}

/// Held while a keystore is read, changed and written. Waits for other writers.
///
/// The lock is on a file beside the keystore, because the keystore itself is replaced by each
/// change: a lock on it would be a lock on the past.
pub(super) struct WriteLock {
    // Closing the file unlocks it.
    _held: File,
}

impl WriteLock {
    pub(super) fn take(path: &Path) -> Result<Self, FileError> {
        let mut name = path.as_os_str().to_owned();
        name.push(".lock");
        let name = PathBuf::from(name);
        let file = private(OpenOptions::new().create(true).truncate(false).write(true))
            .open(&name)
            .map_err(FileError::io("open", &name))?;
        file.lock().map_err(FileError::io("lock", &name))?;
        Ok(Self { _held: file })
    }

    /// Writes a file that does not exist yet.
    pub(super) fn create(&self, path: &Path, bytes: &[u8]) -> Result<(), FileError> {
        private_file::create(path, bytes)
    }

    /// Replaces the file in one step: after a crash there is the old file or the new one.
    pub(super) fn replace(&self, path: &Path, bytes: &[u8]) -> Result<(), FileError> {
        let file = write_beside(path, bytes)?;
        file.persist(path)
            .map_err(|error| FileError::io("replace", path)(error.error))?;
        sync_folder(path)
    }
}

fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options
}

/// Makes the folder of a new keystore, closed to others.
pub(super) fn make_folder(path: &Path) -> Result<(), FileError> {
    let folder = folder_of(path);
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder
        .create(folder)
        .map_err(FileError::io("create the folder", folder))
}
