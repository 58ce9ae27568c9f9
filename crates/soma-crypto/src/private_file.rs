//! Files with secrets: for their owner only, and whole after any crash.

use std::fs::File;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;
use thiserror::Error;

/// Why a file cannot be used. No message shows its content.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FileError {
    /// The operating system refuses.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// Other users may read or write the file.
    #[error("{} is open to other users (mode {mode:04o}); run `chmod 600 {}`", path.display(), path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A folder, device, or something else than a file.
    #[error("{} is not a regular file", .0.display())]
    NotAFile(PathBuf),
    /// There is a file already.
    #[error("{} exists already; it was left as it is", .0.display())]
    Exists(PathBuf),
    /// Longer than any keystore.
    #[error("{} is larger than {limit} bytes; it is no keystore", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Bytes allowed.
        limit: u64,
    },
}

impl FileError {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }
}

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

/// Writes a file that does not exist yet, in one step: after a crash there is none or a whole one.
pub(crate) fn create(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let file = write_beside(path, bytes)?;
    file.persist_noclobber(path)
        .map_err(|error| match error.error.kind() {
            ErrorKind::AlreadyExists => FileError::Exists(path.to_owned()),
            _ => FileError::io("create", path)(error.error),
        })?;
    sync_folder(path)
}

/// The content of `path`-to-be. In the same folder, because renaming is one step only within a file
/// system. Mode 0600.
pub(crate) fn write_beside(path: &Path, bytes: &[u8]) -> Result<NamedTempFile, FileError> {
    let write = || {
        let mut file = tempfile::Builder::new()
            .prefix(".new-")
            .tempfile_in(folder_of(path))?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        Ok(file)
    };
    write().map_err(FileError::io("write a new version of", path))
}

/// The folder of `path`; `.` for a bare name.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// The new name of a file lasts once its folder is on disk.
pub(crate) fn sync_folder(path: &Path) -> Result<(), FileError> {
    if cfg!(unix) {
        let folder = folder_of(path);
        let sync = File::open(folder).and_then(|folder| folder.sync_all());
        sync.map_err(FileError::io("sync", folder))?;
    }
    Ok(())
}
