//! The state folder.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use soma_types::{Address, ChainId, TargetId};

use super::entry::{Entry, State, VERSION};
use super::spent::Spent;
use crate::error::SubmitterError;

const LOCK: &str = "lock";
const SUBMISSIONS: &str = "submissions";
const HISTORY: &str = "history";
const SPENT: &str = "spent.jsonl";

/// The largest file of a submission: an embedding of the largest dimension fits three times over.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// The state folder, which one program at a time works with.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// Locked as long as this lives.
    _lock: File,
}

impl Folder {
    /// Makes and locks the folder.
    ///
    /// # Errors
    /// [`SubmitterError::State`], also when another program uses it.
    pub fn open(path: &Path) -> Result<Self, SubmitterError> {
        for folder in [path.join(SUBMISSIONS), path.join(HISTORY)] {
            std::fs::create_dir_all(&folder).map_err(|e| SubmitterError::state(&folder, e))?;
        }
        private(path)?;
        let lock = path.join(LOCK);
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock)
            .map_err(|error| SubmitterError::state(&lock, error))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                path: path.to_owned(),
                _lock: lock,
            }),
            Err(TryLockError::WouldBlock) => {
                let reason = "another submitter works with it; stop that one, or choose another with --state";
                Err(SubmitterError::state(path, reason))
            }
            Err(TryLockError::Error(error)) => Err(SubmitterError::state(path, error)),
        }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The submissions that are under way, by target.
    ///
    /// # Errors
    /// [`SubmitterError::Journal`] for a file that this program did not write so;
    /// [`SubmitterError::WrongAccount`] and [`SubmitterError::WrongChain`].
    pub fn load(
        &self,
        chain_id: ChainId,
        submitter: Address,
    ) -> Result<BTreeMap<TargetId, Entry>, SubmitterError> {
        let folder = self.path.join(SUBMISSIONS);
        let fail = |error: std::io::Error| SubmitterError::state(&folder, error);
        let mut entries = BTreeMap::new();
        for file in std::fs::read_dir(&folder).map_err(fail)? {
            let path = file.map_err(fail)?.path();
            // Files without this ending are halves of a write that a crash broke off.
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let entry = read(&path)?;
            if entry.chain_id != chain_id {
                let (expected, got) = (entry.chain_id, chain_id);
                return Err(SubmitterError::WrongChain {
                    path,
                    expected,
                    got,
                });
            }
            if entry.submitter != submitter {
                let (owner, got) = (entry.submitter, submitter);
                return Err(SubmitterError::WrongAccount { path, owner, got });
            }
            entries.insert(entry.target, entry);
        }
        Ok(entries)
    }

    /// Keeps a submission as it is now; on disk when this returns.
    ///
    /// # Errors
    /// [`SubmitterError::State`].
    pub fn write(&self, entry: &Entry) -> Result<(), SubmitterError> {
        self.write_to(SUBMISSIONS, &format!("{}.json", entry.target), entry)
    }

    /// Moves a submission that ended to the history.
    ///
    /// # Errors
    /// [`SubmitterError::State`].
    pub fn archive(&self, entry: &Entry) -> Result<(), SubmitterError> {
        let name = format!("{}-{}.json", entry.target, entry.checksum);
        self.write_to(HISTORY, &name, entry)?;
        let path = self
            .path
            .join(SUBMISSIONS)
            .join(format!("{}.json", entry.target));
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(SubmitterError::state(&path, error))
            }
            _ => Ok(()),
        }
    }

    /// The candidates that are spent.
    ///
    /// # Errors
    /// [`SubmitterError::Journal`] for a file that this program did not write so.
    pub fn spent(&self) -> Result<Spent, SubmitterError> {
        Spent::open(self.path.join(SPENT))
    }

    fn write_to(&self, folder: &str, name: &str, entry: &Entry) -> Result<(), SubmitterError> {
        let folder = self.path.join(folder);
        let path = folder.join(name);
        let fail = |error: std::io::Error| SubmitterError::state(&path, error);
        let bytes = serde_json::to_vec_pretty(entry)
            .map_err(|error| SubmitterError::state(&path, error))?;
        let mut beside = tempfile::NamedTempFile::new_in(&folder).map_err(fail)?;
        beside.write_all(&bytes).map_err(fail)?;
        beside.as_file().sync_all().map_err(fail)?;
        beside.persist(&path).map_err(|error| fail(error.error))?;
        // The name is on disk only when the folder is.
        let folder = File::open(&folder).and_then(|folder| folder.sync_all());
        folder.map_err(fail)
    }
}

fn read(path: &Path) -> Result<Entry, SubmitterError> {
    let damaged = |reason: String| SubmitterError::journal(path, reason);
    let file = File::open(path).map_err(|error| SubmitterError::state(path, error))?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| SubmitterError::state(path, error))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(damaged(format!("it is larger than {MAX_FILE_BYTES} bytes")));
    }
    let entry: Entry = serde_json::from_slice(&bytes)
        .map_err(|error| damaged(format!("no submission: {error}")))?;
    check(path, &entry).map_err(damaged)?;
    Ok(entry)
}

/// What must hold of a file that this program wrote.
fn check(path: &Path, entry: &Entry) -> Result<(), String> {
    if entry.version != VERSION {
        return Err(format!("version {}, expected {VERSION}", entry.version));
    }
    let name = path.file_stem().unwrap_or_default();
    if name.to_str() != Some(&entry.target.to_string()) {
        return Err(format!("it holds the submission for {}", entry.target));
    }
    if let Some(bytes) = &entry.transaction {
        let signed = bytes.decode::<soma_types::SignedTransaction>("transaction");
        let signed = signed.map_err(|error| error.to_string())?;
        if signed.transaction.sender != entry.submitter {
            return Err("its transaction is of another account".to_owned());
        }
    }
    if let State::Uploaded { sealed } | State::Committed { sealed, .. } = &entry.state {
        let submission = &sealed.submission;
        if submission.target != entry.target || submission.data.checksum != entry.checksum {
            return Err("its seal is of another submission".to_owned());
        }
    }
    Ok(())
}

#[cfg(unix)]
fn private(path: &Path) -> Result<(), SubmitterError> {
    use std::os::unix::fs::PermissionsExt as _;
    // Who reads a salt before the opening can tell what will be submitted.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))
        .map_err(|error| SubmitterError::state(path, error))
}

#[cfg(not(unix))]
fn private(_: &Path) -> Result<(), SubmitterError> {
    Ok(())
}
