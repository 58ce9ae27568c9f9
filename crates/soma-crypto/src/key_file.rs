//! One secret key in a file of its own, in hex, for its owner only: how a node is given its keys.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

use thiserror::Error;
use zeroize::Zeroizing;

use crate::keys::{SecretKey, SecretKeyError};
pub use crate::private_file::FileError;
use crate::private_file::{self, refuse_exposed};

/// More than a key in hex with white space around it.
const MAX_FILE_BYTES: u64 = 1_024;

/// Why a key file cannot be used. No message shows its content.
#[derive(Debug, Error)]
pub enum KeyFileError {
    /// The file cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// It holds no key.
    #[error("{}: {reason}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: ContentError,
    },
}

/// Why the content of a file is no key.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ContentError {
    /// There is none.
    #[error(
        "the file is empty; restore the key from a backup, or remove the file and make a new key"
    )]
    Empty,
    /// It is something else.
    #[error(transparent)]
    Key(#[from] SecretKeyError),
}

/// Reads the key in `path`.
///
/// # Errors
/// [`KeyFileError`], unless it is a file that only its owner may use, with one key in hex.
pub fn read(path: &Path) -> Result<SecretKey, KeyFileError> {
    let file = File::open(path).map_err(FileError::io("read", path))?;
    refuse_exposed(&file, path)?;
    let mut text = Zeroizing::new(String::new());
    file.take(MAX_FILE_BYTES)
        .read_to_string(&mut text)
        .map_err(FileError::io("read", path))?;
    let key = match text.trim() {
        "" => Err(ContentError::Empty),
        text => SecretKey::from_hex(text).map_err(ContentError::from),
    };
    key.map_err(|reason| KeyFileError::Content {
        path: path.to_owned(),
        reason,
    })
}

/// Writes `key` to `path`, where there is no file yet, in one step and with mode 0600.
///
/// # Errors
/// [`FileError::Exists`], [`FileError::Io`].
pub fn create(path: &Path, key: &SecretKey) -> Result<(), KeyFileError> {
    let mut text = key.to_hex();
    text.push('\n');
    Ok(private_file::create(path, text.as_bytes())?)
}

/// Reads the key in `path`; makes one where there is no file, which the second value tells.
///
/// # Errors
/// As [`read`] and [`create`].
pub fn read_or_create(path: &Path) -> Result<(SecretKey, bool), KeyFileError> {
    match read(path) {
        Err(KeyFileError::File(FileError::Io { source, .. }))
            if source.kind() == ErrorKind::NotFound =>
        {
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
        let exists = matches!(refused, KeyFileError::File(FileError::Exists(_)));
        assert!(exists, "{refused}");
        assert_eq!(read(&path).unwrap().address(), made.address());
        // Written beside it first, and then renamed: nothing is left over.
        assert_eq!(folder.path().read_dir().unwrap().count(), 1);
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
        assert!(matches!(
            open,
            KeyFileError::File(FileError::Exposed { mode: 0o640, .. })
        ));
        assert!(!open.to_string().contains(&secret));
        let long = read(&write("long", &format!("{secret}{secret}"), 0o600)).unwrap_err();
        assert!(matches!(long, KeyFileError::Content { .. }));
        assert!(!long.to_string().contains(&secret));
        assert!(matches!(
            read(folder.path()).unwrap_err(),
            KeyFileError::File(FileError::Exposed { .. } | FileError::NotAFile(_))
        ));
        assert!(matches!(
            read(&folder.path().join("gone")).unwrap_err(),
            KeyFileError::File(FileError::Io { .. })
        ));
        let empty = read(&write("empty", "\n", 0o600)).unwrap_err();
        assert!(empty.to_string().contains("restore the key"), "{empty}");
        read(&write("spaces", &format!(" 0x{secret}\r\n"), 0o400)).unwrap();
    }
}
