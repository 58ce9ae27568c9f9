//! The file on disk: private, locked while it changes, replaced in one step.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::error::FileError;

// About ten thousand keys.
const MAX_FILE_BYTES: u64 = 8 << 20;

/// Refuses a file that is none, or that users other than its owner may read or write.
pub(crate) fn refuse_exposed(file: &File, path: &Path) -> Result<(), FileError> {
    // Asked of the open file, not of the path, which may meanwhile lead elsewhere.
    let metadata = file.metadata().map_err(FileError::io("look at", path))?;
    if !metadata.is_file() {
        return Err(FileError::NotAFile(path.to_owned()));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = metadata.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(FileError::Exposed {
                path: path.to_owned(),
                mode,
            });
        }
    }
    Ok(())
}

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
        let file = self.write_beside(path, bytes)?;
        file.persist_noclobber(path)
            .map_err(|error| match error.error.kind() {
                std::io::ErrorKind::AlreadyExists => FileError::Exists(path.to_owned()),
                _ => FileError::io("create", path)(error.error),
            })?;
        sync_folder(path)
    }

    /// Replaces the file in one step: after a crash there is the old file or the new one.
    pub(super) fn replace(&self, path: &Path, bytes: &[u8]) -> Result<(), FileError> {
        let file = self.write_beside(path, bytes)?;
        file.persist(path)
            .map_err(|error| FileError::io("replace", path)(error.error))?;
        sync_folder(path)
    }

    // In the same folder, because renaming is one step only within a file system. Mode 0600.
    fn write_beside(
        &self,
        path: &Path,
        bytes: &[u8],
    ) -> Result<tempfile::NamedTempFile, FileError> {
        let write = || {
            let mut file = tempfile::Builder::new()
                .prefix(".keystore-")
                .tempfile_in(folder_of(path))?;
            file.write_all(bytes)?;
            file.as_file().sync_all()?;
            Ok(file)
        };
        write().map_err(FileError::io("write a new version of", path))
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

/// The folder of `path`; `.` for a bare name.
fn folder_of(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
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

// The new name of a file lasts once its folder is on disk.
fn sync_folder(path: &Path) -> Result<(), FileError> {
    if cfg!(unix) {
        let folder = folder_of(path);
        let sync = File::open(folder).and_then(|folder| folder.sync_all());
        sync.map_err(FileError::io("sync", folder))?;
    }
    Ok(())
}
