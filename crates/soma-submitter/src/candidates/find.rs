//! The files that sources name, in order of their names.

use std::path::{Path, PathBuf};

use crate::error::SubmitterError;

/// A file of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// The file, below the path of its source as it was given.
    pub path: PathBuf,
    /// Its place below the source; its name when it is a source itself.
    pub relative: PathBuf,
    /// Bytes.
    pub size: u64,
}

/// All files, empty ones too. Folders are looked through to the end; links to folders inside them
/// are not followed, so that no walk is endless.
///
/// # Errors
/// [`SubmitterError::Source`] for a source that is not there, and a folder that cannot be read.
pub fn files(sources: &[PathBuf]) -> Result<Vec<SourceFile>, SubmitterError> {
    let mut found = Vec::new();
    for source in sources {
        let metadata =
            std::fs::metadata(source).map_err(|error| SubmitterError::source(source, error))?;
        if metadata.is_dir() {
            folder(source, source, &mut found)?;
        } else if metadata.is_file() {
            found.push(SourceFile {
                path: source.clone(),
                relative: PathBuf::from(source.file_name().unwrap_or_default()),
                size: metadata.len(),
            });
        } else {
            let reason = "it is neither a file nor a folder";
            return Err(SubmitterError::source(source, reason));
        }
    }
    Ok(found)
}

fn folder(root: &Path, path: &Path, found: &mut Vec<SourceFile>) -> Result<(), SubmitterError> {
    let entries = std::fs::read_dir(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let entries = entries.map_err(|error| SubmitterError::source(path, error))?;
    let mut inside: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
    inside.sort();
    for path in inside {
        // What vanishes while it is looked at is no candidate.
        let (Ok(link), Ok(metadata)) = (std::fs::symlink_metadata(&path), path.metadata()) else {
            continue;
        };
        if link.is_dir() {
            folder(root, &path, found)?;
        } else if metadata.is_file() {
            found.push(SourceFile {
                relative: path.strip_prefix(root).unwrap_or(&path).to_owned(),
                path,
                size: metadata.len(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_looked_through_in_order_of_names() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("b/c")).unwrap();
        for name in ["b/c/2", "b/1", "a", "z"] {
            std::fs::write(root.path().join(name), name).unwrap();
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink(root.path(), root.path().join("b/loop")).unwrap();
        let found = files(&[root.path().to_owned()]).unwrap();
        let names: Vec<_> = found.iter().map(|f| f.relative.to_str().unwrap()).collect();
        assert_eq!(names, ["a", "b/1", "b/c/2", "z"]);
        let one = files(&[root.path().join("b/1")]).unwrap();
        assert_eq!(one[0].relative, Path::new("1"));
    }

    #[test]
    fn a_source_that_is_not_there_is_named() {
        let error = files(&[PathBuf::from("/no/such/source")]).unwrap_err();
        assert!(error.to_string().contains("/no/such/source"), "{error}");
    }
}
