//! The folder of a run.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::TrainError;

/// The folder of checkpoints in a run's.
const CHECKPOINTS: &str = "checkpoints";

/// A run's folder; no other trainer works in it meanwhile.
pub(crate) struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// True where a run was begun.
    pub(crate) fn exists(path: &Path) -> bool {
        path.join(CHECKPOINTS).exists()
    }

    /// Opens the folder, or makes it, and clears what a crash left half written.
    ///
    /// # Errors
    /// [`TrainError::InUse`], [`TrainError::File`].
    pub(crate) fn open(path: &Path) -> Result<Self, TrainError> {
        let checkpoints = path.join(CHECKPOINTS);
        fs::create_dir_all(&checkpoints).map_err(TrainError::file(&checkpoints))?;
        let lock_path = path.join("run.lock");
        let lock = File::create(&lock_path).map_err(TrainError::file(&lock_path))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => TrainError::InUse {
                path: path.to_owned(),
            },
            TryLockError::Error(source) => TrainError::File {
                path: lock_path,
                source,
            },
        })?;
        let folder = Self {
            path: path.to_owned(),
            _lock: lock,
        };
        folder.clear_partial()?;
        Ok(folder)
    }

    pub(crate) fn best(&self) -> PathBuf {
        self.path.join("best.safetensors")
    }

    pub(crate) fn curve(&self, extension: &str) -> PathBuf {
        self.path.join("curve").with_extension(extension)
    }

    /// The checkpoint of a step.
    pub(crate) fn checkpoint(&self, step: u64) -> PathBuf {
        self.checkpoints().join(format!("step-{step:09}"))
    }

    /// Where a checkpoint is written before it is whole.
    pub(super) fn partial(&self) -> PathBuf {
        self.checkpoints().join("partial")
    }

    pub(super) fn checkpoints(&self) -> PathBuf {
        self.path.join(CHECKPOINTS)
    }

    pub(super) fn clear_partial(&self) -> Result<(), TrainError> {
        let partial = self.partial();
        match fs::remove_dir_all(&partial) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(TrainError::file(&partial)(error))
            }
            _ => Ok(()),
        }
    }

    /// The steps that have checkpoints, in order.
    pub(crate) fn steps(&self) -> Result<Vec<u64>, TrainError> {
        Ok(checkpoints_in(&self.checkpoints())?.into_keys().collect())
    }
}

/// The folder of the latest checkpoint of the run in `path`. Makes and locks nothing.
///
/// # Errors
/// [`TrainError::NoCheckpoint`], [`TrainError::File`].
pub(crate) fn latest(path: &Path) -> Result<PathBuf, TrainError> {
    let path = path.join(CHECKPOINTS);
    match checkpoints_in(&path)?.pop_last() {
        Some((_, latest)) => Ok(latest),
        None => Err(TrainError::NoCheckpoint { path }),
    }
}

/// Checkpoints by their steps; none where there is no such folder.
fn checkpoints_in(path: &Path) -> Result<BTreeMap<u64, PathBuf>, TrainError> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(TrainError::file(path)(error)),
    };
    let mut steps = BTreeMap::new();
    for entry in entries {
        let entry = entry.map_err(TrainError::file(path))?;
        let name = entry.file_name();
        let step = name.to_str().and_then(|name| name.strip_prefix("step-"));
        let step = step.and_then(|step| step.parse::<u64>().ok());
        steps.extend(step.map(|step| (step, entry.path())));
    }
    Ok(steps)
}

/// Writes a file that is on the disk when this returns.
pub(crate) fn write_flushed(path: &Path, bytes: &[u8]) -> Result<(), TrainError> {
    let write = || {
        let mut file = File::create(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(TrainError::file(path))
}

/// Makes the names in a folder outlast a crash.
pub(super) fn flush_folder(path: &Path) -> Result<(), TrainError> {
    #[cfg(unix)]
    let flushed = File::open(path).and_then(|folder| folder.sync_all());
    // Elsewhere folders cannot be opened, and renames are flushed by the system.
    #[cfg(not(unix))]
    let flushed = Ok(());
    flushed.map_err(TrainError::file(path))
}
