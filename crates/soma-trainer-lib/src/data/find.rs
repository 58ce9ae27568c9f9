//! The files in the named places.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::fs::Metadata;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::filter::Filter;
use super::format::Format;
use super::{DataConfig, DataError, LeftOut, OnUnreadable};

/// A file with documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SourceFile {
    /// Where it is read.
    pub(super) path: PathBuf,
    /// Its path inside the named folder, or its own name, with `/` between the parts. It is unique,
    /// and the same wherever the data lies.
    pub(super) name: Vec<u8>,
    /// Bytes on disk.
    pub(super) size: u64,
    pub(super) format: Format,
}

/// All files that `config` takes, ordered by place and name, each once.
///
/// Links are followed. A folder or file that is reached twice, also through links, counts where it
/// is met first, so loops end. Pipes, devices and links that lead nowhere are passed over in
/// folders; naming one is an error.
pub(super) fn find(config: &DataConfig, left: &mut LeftOut) -> Result<Vec<SourceFile>, DataError> {
    let mut search = Search {
        filter: Filter::new(config)?,
        on_unreadable: config.on_unreadable,
        seen: HashSet::new(),
        found: Vec::new(),
        left,
    };
    for path in &config.paths {
        search.named(path)?;
    }
    let mut found = search.found;
    make_unique(&mut found);
    Ok(found)
}

struct Search<'a> {
    filter: Filter,
    on_unreadable: OnUnreadable,
    /// Files and folders met, by their paths without links.
    seen: HashSet<PathBuf>,
    found: Vec<SourceFile>,
    left: &'a mut LeftOut,
}

impl Search<'_> {
    fn named(&mut self, path: &Path) -> Result<(), DataError> {
        let metadata = std::fs::metadata(path).map_err(DataError::file(path))?;
        let real = path.canonicalize().map_err(DataError::file(path))?;
        if metadata.is_dir() {
            return self.folder(path, &real, Path::new(""));
        }
        if !metadata.is_file() {
            let path = path.to_owned();
            return Err(DataError::NotAFile { path });
        }
        let name = path.file_name().unwrap_or_default();
        self.file(path, real, Path::new(name), &metadata);
        Ok(())
    }

    /// Searches the folder at `path`, without links `real`, which lies at `inside` the named one.
    fn folder(&mut self, path: &Path, real: &Path, inside: &Path) -> Result<(), DataError> {
        if !self.seen.insert(real.to_owned()) {
            return Ok(());
        }
        let entries = std::fs::read_dir(path).and_then(|entries| {
            let names = entries.map(|entry| entry.map(|entry| entry.file_name()));
            names.collect::<Result<Vec<OsString>, _>>()
        });
        let mut names = match entries {
            Ok(names) => names,
            Err(error) => return self.unreadable(path, error),
        };
        names.sort_unstable();
        for name in names {
            let inside = inside.join(&name);
            self.entry(&path.join(&name), &real.join(&name), &inside)?;
        }
        Ok(())
    }

    fn entry(&mut self, path: &Path, real: &Path, inside: &Path) -> Result<(), DataError> {
        let target = match target(path, real) {
            Ok(Some(target)) => target,
            Ok(None) => return Ok(()),
            Err(error) => return self.unreadable(path, error),
        };
        let (metadata, real) = target;
        if metadata.is_dir() && self.filter.enters(inside) {
            self.folder(path, &real, inside)?;
        } else if metadata.is_file() && self.filter.takes(inside) {
            self.file(path, real, inside, &metadata);
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, real: PathBuf, inside: &Path, metadata: &Metadata) {
        if self.seen.insert(real) {
            self.found.push(SourceFile {
                path: path.to_owned(),
                name: stable_name(inside),
                size: metadata.len(),
                format: Format::of(path),
            });
        }
    }

    fn unreadable(&mut self, path: &Path, error: std::io::Error) -> Result<(), DataError> {
        let error = DataError::file(path)(error);
        self.left.unreadable(error, self.on_unreadable)
    }
}

/// What lies at `path`, and its path without links; none for a link that leads nowhere.
fn target(path: &Path, real: &Path) -> std::io::Result<Option<(Metadata, PathBuf)>> {
    let own = std::fs::symlink_metadata(path)?;
    if !own.is_symlink() {
        return Ok(Some((own, real.to_owned())));
    }
    let followed =
        std::fs::metadata(path).and_then(|metadata| Ok((metadata, path.canonicalize()?)));
    match followed {
        Ok(target) => Ok(Some(target)),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Err(error),
        // Also a link to itself, for which there is no stable kind of error.
        Err(_) => Ok(None),
    }
}

fn stable_name(inside: &Path) -> Vec<u8> {
    let parts: Vec<&[u8]> = inside.iter().map(|part| part.as_encoded_bytes()).collect();
    parts.join(&b'/')
}

/// Files of the same name from several named places get numbers, in order of the places.
fn make_unique(files: &mut [SourceFile]) {
    let mut uses: HashMap<Vec<u8>, u64> = HashMap::new();
    for file in files {
        let uses = uses.entry(file.name.clone()).or_default();
        *uses += 1;
        if *uses > 1 {
            // No name holds a zero byte, so this one is free.
            file.name.extend_from_slice(format!("\0{uses}").as_bytes());
        }
    }
}
