//! Candidates: the pieces of the user's files that may hit a target.
//!
//! ```text
//! sources ──find──▶ files ──cut──▶ pieces of 1 byte to the largest size ──order──▶ by the seed
//! ```
//! A piece is a place in a file; its bytes are read when it is its turn.

mod cut;
mod find;
mod order;

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use find::{SourceFile, files};

use crate::error::SubmitterError;

/// A piece of a file: what one submission would carry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Piece {
    /// The file.
    pub path: PathBuf,
    /// The file's place below the source that named it.
    pub relative: PathBuf,
    /// First byte.
    pub offset: u64,
    /// Bytes.
    pub size: u64,
    /// True when the piece is the whole file.
    pub is_whole: bool,
}

impl Piece {
    /// The bytes.
    ///
    /// # Errors
    /// [`SubmitterError::Source`] when the file cannot be read, or is shorter than it was.
    pub fn read(&self) -> Result<Vec<u8>, SubmitterError> {
        let fail = |error: std::io::Error| SubmitterError::source(&self.path, error);
        let mut file = File::open(&self.path).map_err(fail)?;
        file.seek(SeekFrom::Start(self.offset)).map_err(fail)?;
        let mut bytes = Vec::new();
        file.take(self.size).read_to_end(&mut bytes).map_err(fail)?;
        match bytes.len() as u64 == self.size {
            true => Ok(bytes),
            false => Err(SubmitterError::source(&self.path, "it became shorter")),
        }
    }
}

/// Which candidates there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CandidateConfig {
    /// Files, and folders whose files are taken.
    pub sources: Vec<PathBuf>,
    /// The largest piece in bytes; larger files are cut.
    pub max_bytes: u64,
    /// Leaves out files that would have to be cut.
    pub only_whole_files: bool,
    /// Decides the order.
    pub seed: u64,
}

/// All candidates in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Candidates {
    /// The pieces.
    pub pieces: Vec<Piece>,
    /// Files that were left out as too large.
    pub too_large: u64,
}

impl Candidates {
    /// Finds, cuts and orders. The same files and seed give the same order everywhere.
    ///
    /// # Errors
    /// [`SubmitterError::Source`] for a source that is not there; files inside folders that vanish
    /// meanwhile are left out.
    pub fn find(config: &CandidateConfig) -> Result<Self, SubmitterError> {
        let mut found = Self::default();
        // Pieces are remembered longer than the folder that paths are relative to.
        let absolute = |source: &PathBuf| {
            std::path::absolute(source).map_err(|error| SubmitterError::source(source, error))
        };
        let sources: Vec<_> = config
            .sources
            .iter()
            .map(absolute)
            .collect::<Result<_, _>>()?;
        for file in files(&sources)? {
            if file.size == 0 {
                continue;
            }
            if file.size > config.max_bytes && config.only_whole_files {
                found.too_large += 1;
                continue;
            }
            for (offset, size) in cut::file(&file, config.max_bytes)? {
                found.pieces.push(Piece {
                    path: file.path.clone(),
                    relative: file.relative.clone(),
                    offset,
                    size,
                    is_whole: size == file.size,
                });
            }
        }
        order::shuffle(&mut found.pieces, config.seed);
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(folder: &std::path::Path, max_bytes: u64, seed: u64) -> CandidateConfig {
        CandidateConfig {
            sources: vec![folder.to_owned()],
            max_bytes,
            only_whole_files: false,
            seed,
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_order_and_another_seed_another() {
        let folder = tempfile::tempdir().unwrap();
        for n in 0..50 {
            std::fs::write(folder.path().join(format!("{n:02}")), [n; 3]).unwrap();
        }
        let order = |seed| Candidates::find(&config(folder.path(), 10, seed)).unwrap();
        assert_eq!(order(1), order(1));
        assert_ne!(order(1), order(2));
        let mut sorted = order(2).pieces;
        sorted.sort();
        assert_eq!(sorted.len(), 50);
        assert_eq!(sorted[7].read().unwrap(), [7; 3]);
    }

    #[test]
    fn large_files_are_cut_at_line_ends_or_left_out() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("large"), b"one\ntwo\nthree\n").unwrap();
        std::fs::write(folder.path().join("empty"), b"").unwrap();
        let mut found = Candidates::find(&config(folder.path(), 8, 0)).unwrap();
        found.pieces.sort();
        let texts: Vec<_> = found.pieces.iter().map(|p| p.read().unwrap()).collect();
        assert_eq!(texts, [b"one\ntwo\n".to_vec(), b"three\n".to_vec()]);
        assert!(found.pieces.iter().all(|piece| !piece.is_whole));

        let whole = CandidateConfig {
            only_whole_files: true,
            ..config(folder.path(), 8, 0)
        };
        let found = Candidates::find(&whole).unwrap();
        assert_eq!((found.pieces.len(), found.too_large), (0, 1));
    }

    #[test]
    fn a_file_that_became_shorter_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("text");
        std::fs::write(&path, b"12345").unwrap();
        let found = Candidates::find(&config(&path, 8, 0)).unwrap();
        std::fs::write(&path, b"123").unwrap();
        let error = found.pieces[0].read().unwrap_err();
        assert_eq!(error.name(), "SourceUnreadable");
        assert!(error.to_string().contains("text"), "{error}");
    }
}
