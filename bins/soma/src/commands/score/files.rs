//! The files to score.

use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;

use soma_scoring::scores::DataName;
use soma_sdk::types::Checksum;
use soma_submitter::SubmitterError;

use crate::error::CliError;

/// A file to score.
#[derive(Clone, Debug)]
pub(super) struct DataFile {
    pub(super) path: PathBuf,
    /// Its checksum is known once it was read.
    pub(super) name: DataName,
    /// True once it was read: files that are too large are not.
    pub(super) is_read: bool,
}

impl DataFile {
    /// Reads the file; at most one byte more than `max`, so that no file fills the memory.
    pub(super) fn read(&mut self, max: u64) -> Result<Vec<u8>, CliError> {
        let fail = || CliError::file(&self.path);
        let file = File::open(&self.path).map_err(fail())?;
        let mut bytes = Vec::new();
        let limit = max.saturating_add(1);
        file.take(limit).read_to_end(&mut bytes).map_err(fail())?;
        self.name = DataName {
            checksum: soma_crypto::checksum(&bytes),
            size: bytes.len() as u64,
        };
        self.is_read = true;
        Ok(bytes)
    }
}

/// All files that `paths` name: files themselves, and those in folders, in order of their names.
pub(super) fn find(paths: &[PathBuf]) -> Result<Vec<DataFile>, CliError> {
    let found = soma_submitter::candidates::files(paths).map_err(|error| match error {
        SubmitterError::Source { path, reason } => CliError::File { path, reason },
        error => error.into(),
    })?;
    if found.is_empty() {
        let text = "the folders hold no files; name files, or folders with files".to_owned();
        return Err(CliError::Invalid(text));
    }
    let files = found.into_iter().map(|file| DataFile {
        path: file.path,
        name: DataName {
            checksum: Checksum([0; 32]),
            size: file.size,
        },
        is_read: false,
    });
    Ok(files.collect())
}
