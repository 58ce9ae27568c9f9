//! What is kept on disk of a publication.

use std::fs::{File, TryLockError};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use soma_api::Base64;
use soma_types::time::Height;
use soma_types::{Address, ChainId, Checksum, Epoch, ModelId, Shannons, WeightsKey};

use crate::error::SdkError;

/// Version of the file's shape.
pub(super) const VERSION: u32 = 1;

/// Tries of the lock after the first, and the pause before each.
const LOCK_TRIES: u32 = 5;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

const CURRENT: &str = "publication.json";
const LOCK: &str = "lock";
const HISTORY: &str = "history";
const SEALED: &str = "sealed";

/// A set of weights on its way to the chain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Publication {
    /// Version of the file's shape.
    pub version: u32,
    /// The chain.
    pub chain_id: ChainId,
    /// Who publishes.
    pub owner: Address,
    /// The model; absent until it is created.
    pub model: Option<ModelId>,
    /// How the model is created; absent when there is one already.
    pub create: Option<Create>,
    /// The file with the weights.
    pub weights: PathBuf,
    /// SHA3-256 of that file when it was chosen: what is sealed later must be the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights_checksum: Option<Checksum>,
    /// The key that seals them. Secret until the reveal.
    pub key: WeightsKey,
    /// Where the model stands.
    pub embedding: Vec<f32>,
    /// The sealed file, once there is one.
    pub sealed: Option<SealedFile>,
    /// Where others download it, once it is uploaded.
    pub url: Option<String>,
    /// The signed transaction of the step that is under way: it may have been sent.
    pub transaction: Option<Base64>,
    /// The commit, once it is in a block.
    pub committed: Option<Committed>,
    /// The epoch of the reveal, once it is in a block.
    pub revealed: Option<Epoch>,
}

impl Publication {
    /// True from the moment on in which a commit may be in a block: only the reveal ends it well.
    pub fn needs_reveal(&self) -> bool {
        let may_be_committed = self.model.is_some() && self.transaction.is_some();
        self.revealed.is_none() && (self.committed.is_some() || may_be_committed)
    }
}

/// How a model is created.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Create {
    /// First stake.
    pub stake: Shannons,
    /// The owner's share, in basis points.
    pub commission_bps: u16,
}

impl From<(Shannons, u16)> for Create {
    fn from((stake, commission_bps): (Shannons, u16)) -> Self {
        Self {
            stake,
            commission_bps,
        }
    }
}

/// Sealed weights on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedFile {
    /// SHA3-256 of the sealed file.
    pub checksum: Checksum,
    /// Its size in bytes.
    pub size: u64,
    /// SHA3-256 of the weights.
    pub plaintext_checksum: Checksum,
}

/// A commit that is in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Committed {
    /// Its epoch. The reveal counts in the next one only.
    pub epoch: Epoch,
    /// Its block.
    pub height: Height,
}

/// True while a program publishes from a folder.
pub fn is_at_work(folder: &Path) -> bool {
    let lock = File::options().write(true).open(folder.join(LOCK));
    lock.is_ok_and(|lock| matches!(lock.try_lock(), Err(TryLockError::WouldBlock)))
}

/// Forgets what is under way in a folder, whatever account and chain it is of: its files move to
/// `history/`, the key included. Gives what it was, and where it lies now.
///
/// # Errors
/// [`SdkError::File`] when a program publishes from the folder, or it cannot be changed.
pub fn abandon(folder: &Path) -> Result<Option<(Publication, PathBuf)>, SdkError> {
    if peek(folder)?.is_none() {
        return Ok(None);
    }
    let locked = Folder::open(folder)?;
    // The program that was at work may have ended it meanwhile.
    let Some(publication) = peek(folder)? else {
        return Ok(None);
    };
    let kept = locked.archive(&publication)?;
    Ok(Some((publication, kept)))
}

/// What is under way in a folder, without a claim on it: another program may be at work there.
///
/// # Errors
/// [`SdkError::File`] when it cannot be read.
pub fn peek(folder: &Path) -> Result<Option<Publication>, SdkError> {
    read(&folder.join(CURRENT))
}

fn read(path: &Path) -> Result<Option<Publication>, SdkError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(file(path, error)),
    };
    let publication: Publication = serde_json::from_slice(&bytes).map_err(|error| {
        let text = format!("{error}; it holds the key of sealed weights: do not delete it");
        file(path, text)
    })?;
    if publication.version != VERSION {
        let text = format!("is of version {}, expected {VERSION}", publication.version);
        return Err(file(path, text));
    }
    Ok(Some(publication))
}

/// A folder that one publisher at a time works with.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// Locked as long as this lives.
    _lock: File,
}

impl Folder {
    pub(super) fn open(path: &Path) -> Result<Self, SdkError> {
        let fail = |error: std::io::Error| file(path, error);
        std::fs::create_dir_all(path).map_err(fail)?;
        private(path, 0o700)?;
        let lock = path.join(LOCK);
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock)
            .map_err(|error| file(&lock, error))?;
        let mut tries = 0;
        loop {
            match lock.try_lock() {
                Ok(()) => break,
                // Who only looks whether somebody is at work has the lock for a moment.
                Err(TryLockError::WouldBlock) if tries < LOCK_TRIES => {
                    tries += 1;
                    std::thread::sleep(LOCK_PAUSE);
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(file(path, "another program publishes from this folder"));
                }
                Err(TryLockError::Error(error)) => return Err(file(path, error)),
            }
        }
        Ok(Self {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the sealed weights lie until the reveal.
    pub(super) fn sealed(&self) -> PathBuf {
        self.path.join(SEALED)
    }

    /// Replaces what is kept; on disk when this returns.
    pub(super) fn write(&self, publication: &Publication) -> Result<(), SdkError> {
        self.write_to(&self.path, CURRENT, publication)
    }

    fn write_to(
        &self,
        folder: &Path,
        name: &str,
        publication: &Publication,
    ) -> Result<(), SdkError> {
        let path = folder.join(name);
        let fail = |error: std::io::Error| file(&path, error);
        let bytes = serde_json::to_vec_pretty(publication)
            .map_err(|error| file(&path, error.to_string()))?;
        // Temporary files are for their owner only: this one holds a key.
        let mut beside = tempfile::NamedTempFile::new_in(folder).map_err(fail)?;
        beside.write_all(&bytes).map_err(fail)?;
        beside.as_file().sync_all().map_err(fail)?;
        beside.persist(&path).map_err(|error| fail(error.error))?;
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(|error| file(folder, error))
    }

    /// All that is no longer under way.
    pub(super) fn history(&self) -> Result<Vec<Publication>, SdkError> {
        let folder = self.path.join(HISTORY);
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(file(&folder, error)),
        };
        let mut history = Vec::new();
        for entry in entries {
            let path = entry.map_err(|error| file(&folder, error))?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "json")
            {
                history.extend(read(&path)?);
            }
        }
        Ok(history)
    }

    /// Moves what is kept to the folder of what was, and removes the sealed copy.
    pub(super) fn archive(&self, publication: &Publication) -> Result<PathBuf, SdkError> {
        let folder = self.path.join(HISTORY);
        std::fs::create_dir_all(&folder).map_err(|error| file(&folder, error))?;
        let model = publication
            .model
            .map_or_else(|| "none".to_owned(), |model| model.to_string());
        let epoch = match (publication.revealed, publication.committed) {
            (Some(epoch), _) => format!("revealed-{epoch}"),
            (None, Some(committed)) => format!("committed-{}", committed.epoch),
            (None, None) => format!("abandoned-{}", short(&publication.key)),
        };
        let name = format!("{model}-{epoch}.json");
        self.write_to(&folder, &name, publication)?;
        for name in [CURRENT, SEALED] {
            let path = self.path.join(name);
            match std::fs::remove_file(&path) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(file(&path, error)),
            }
        }
        Ok(folder.join(name))
    }
}

/// Tells publications apart without showing their keys.
fn short(key: &WeightsKey) -> String {
    let hash = soma_crypto::checksum(key.0).to_string();
    hash.chars().take(8).collect()
}

#[cfg(unix)]
fn private(path: &Path, mode: u32) -> Result<(), SdkError> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
        .map_err(|error| file(path, error))
}

#[cfg(not(unix))]
fn private(_: &Path, _: u32) -> Result<(), SdkError> {
    Ok(())
}

pub(super) fn file(path: &Path, reason: impl ToString) -> SdkError {
    SdkError::File {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}
