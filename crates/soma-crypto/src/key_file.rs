//! One secret key in a file of its own, in hex, for its owner only: how a node is given its keys.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

use thiserror::Error;
use zeroize::Zeroizing;

use crate::keys::{SecretKey, SecretKeyError};

/// More than a key in hex with white space around it.
const MAX_FILE_BYTES: u64 = 1_024;

/// Why a key file cannot be used. No message shows its content.
#[derive(Debug, Error)]
pub enum KeyFileError {
    /// It cannot be read or written.
    #[error("cannot {action} {}: {error}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// Others than its owner may read or write it.
    #[error("{}: its mode is {mode:03o}, so others may use this key; set it to 600", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// A folder, or something else that is no file.
    #[error("{}: not a file", .0.display())]
    NotAFile(PathBuf),
    /// A key would replace another.
    #[error("{}: there is a file already; a key is never overwritten", .0.display())]
    Exists(PathBuf),
    /// It holds no key.
    #[error("{}: {reason}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: SecretKeyError,
    },
}

fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> KeyFileError {
    let path = path.to_owned();
    move |error| KeyFileError::Io {
        action,
        path,
        error,
    }
}

/// Reads the key in `path`.
///
/// # Errors
/// [`KeyFileError`], unless it is a file that only its owner may use, with one key in hex.
pub fn read(path: &Path) -> Result<SecretKey, KeyFileError> {
    let file = File::open(path).map_err(io("read", path))?;
    refuse_exposed(&file, path)?;
    let mut text = Zeroizing::new(String::new());
    file.take(MAX_FILE_BYTES)
        .read_to_string(&mut text)
        .map_err(io("read", path))?;
    SecretKey::from_hex(text.trim()).map_err(|reason| KeyFileError::Content {
        path: path.to_owned(),
        reason,
    })
}

/// Writes `key` to `path`, where there is no file yet, with mode 0600.
///
/// # Errors
/// [`KeyFileError::Exists`], [`KeyFileError::Io`].
pub fn create(path: &Path, key: &SecretKey) -> Result<(), KeyFileError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => KeyFileError::Exists(path.to_owned()),
        _ => io("create", path)(error),
    })?;
    let mut text = key.to_hex();
    text.push('\n');
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(io("write", path))
}

/// Reads the key in `path`; makes one where there is no file, which the second value tells.
///
/// # Errors
/// As [`read`] and [`create`].
pub fn read_or_create(path: &Path) -> Result<(SecretKey, bool), KeyFileError> {
    match read(path) {
        Err(KeyFileError::Io { error, .. }) if error.kind() == ErrorKind::NotFound => {
            let key = SecretKey::generate();
            create(path, &key)?;
            Ok((key, true))
        }
        result => result.map(|key| (key, false)),
    }
}

/// What a parser found wrong with a text file, with the line instead of the text: the file may be a
/// key file that was named by mistake.
pub fn fault(text: &str, at: Option<Range<usize>>, message: &str) -> String {
    match at.and_then(|at| text.get(..at.start)) {
        Some(before) => format!("line {}: {message}", before.matches('\n').count() + 1),
        None => message.to_owned(),
    }
}

fn refuse_exposed(file: &File, path: &Path) -> Result<(), KeyFileError> {
    // Asked of the open file, not of the path, which may meanwhile lead elsewhere.
    let metadata = file.metadata().map_err(io("look at", path))?;
    if !metadata.is_file() {
        return Err(KeyFileError::NotAFile(path.to_owned()));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            let path = path.to_owned();
            return Err(KeyFileError::Exposed { path, mode });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn a_key_is_made_once_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.key");
        let (made, is_new) = read_or_create(&path).unwrap();
        assert!(is_new);
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let (again, is_new) = read_or_create(&path).unwrap();
        assert!(!is_new);
        assert_eq!(made.address(), again.address());
        let refused = create(&path, &SecretKey::generate()).unwrap_err();
        assert!(matches!(refused, KeyFileError::Exists(_)), "{refused}");
        assert_eq!(read(&path).unwrap().address(), made.address());
    }

    #[test]
    fn a_fault_is_told_by_its_line() {
        assert_eq!(
            fault("a\nsecret", Some(2..8), "no value"),
            "line 2: no value"
        );
        assert_eq!(fault("", Some(0..0), "empty"), "line 1: empty");
        assert_eq!(fault("secret", None, "no value"), "no value");
    }

    #[test]
    #[cfg(unix)]
    fn what_is_no_private_key_file_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str, mode: u32| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            path
        };
        let secret = "33".repeat(32);
        let open = read(&write("open", &secret, 0o640)).unwrap_err();
        assert!(matches!(open, KeyFileError::Exposed { mode: 0o640, .. }));
        assert!(!open.to_string().contains(&secret));
        let long = read(&write("long", &format!("{secret}{secret}"), 0o600)).unwrap_err();
        assert!(matches!(long, KeyFileError::Content { .. }));
        assert!(!long.to_string().contains(&secret));
        assert!(matches!(
            read(folder.path()).unwrap_err(),
            KeyFileError::Exposed { .. } | KeyFileError::NotAFile(_)
        ));
        assert!(matches!(
            read(&folder.path().join("gone")).unwrap_err(),
            KeyFileError::Io { .. }
        ));
        read(&write("spaces", &format!(" 0x{secret}\r\n"), 0o400)).unwrap();
    }
}
