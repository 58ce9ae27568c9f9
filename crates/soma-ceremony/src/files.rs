//! Files of the folder: TOML for what people edit, written whole or not at all.

use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use soma_crypto::key_file;

use crate::error::CeremonyError;

/// Reads a TOML file; none when it is not there.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, CeremonyError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(CeremonyError::file(path)(error)),
    };
    toml::from_str(&text).map(Some).map_err(|error| {
        let reason = key_file::fault(&text, error.span(), error.message());
        CeremonyError::content(path, reason)
    })
}

/// Reads a TOML file that has to be there.
pub(crate) fn read_named<T: DeserializeOwned>(path: &Path) -> Result<T, CeremonyError> {
    let missing = || std::io::Error::new(ErrorKind::NotFound, "there is no such file");
    read(path)?.ok_or_else(|| CeremonyError::file(path)(missing()))
}

/// Writes a TOML file with `head` as its first lines.
pub(crate) fn write<T: Serialize>(path: &Path, head: &str, value: &T) -> Result<(), CeremonyError> {
    let text = toml::to_string(value).map_err(|error| CeremonyError::content(path, error))?;
    write_text(path, &format!("{head}{text}"))
}

/// Writes a file whole or not at all. None of the ceremony's files is secret.
pub(crate) fn write_text(path: &Path, text: &str) -> Result<(), CeremonyError> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let write = || {
        std::fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(text.as_bytes())?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::Permissions::from_mode(0o644);
            file.as_file().set_permissions(mode)?;
        }
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    write().map_err(CeremonyError::file(path))
}

/// The TOML files in a folder, by name; none when there is no such folder.
pub(crate) fn in_folder(folder: &Path) -> Result<Vec<PathBuf>, CeremonyError> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(CeremonyError::file(folder)(error)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(CeremonyError::file(folder))?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}
