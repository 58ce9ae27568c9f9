//! The folder of a run.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::TrainError;

/// The folder of checkpoints in a run's.
const CHECKPOINTS: &str = "checkpoints";
/// What the names of checkpoints begin with, before their step.
const WHOLE: &str = "step-";
/// What those begin with that lie aside while another takes their place.
const REPLACED: &str = "replaced-";

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

    /// Opens the folder, or makes it, clears what a crash left half written, and puts back what it
    /// left aside.
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
        folder.mend()?;
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
        self.checkpoints().join(format!("{WHOLE}{step:09}"))
    }

    /// Where a whole checkpoint lies while another of its step takes its place.
    fn replaced(&self, step: u64) -> PathBuf {
        self.checkpoints().join(format!("{REPLACED}{step:09}"))
    }

    /// Where a checkpoint is written before it is whole, and removed when it is no longer.
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

    /// Makes what is in `partial` the checkpoint of a step. One that is there stays whole until then.
    pub(super) fn put(&self, step: u64) -> Result<PathBuf, TrainError> {
        let (whole, replaced) = (self.checkpoint(step), self.replaced(step));
        if whole.exists() {
            fs::rename(&whole, &replaced).map_err(TrainError::file(&replaced))?;
        }
        fs::rename(self.partial(), &whole).map_err(TrainError::file(&whole))?;
        flush_folder(&self.checkpoints())?;
        if replaced.exists() {
            self.remove(&replaced)?;
        }
        Ok(whole)
    }

    /// Removes a checkpoint, under the name of one that is not whole.
    pub(super) fn remove(&self, path: &Path) -> Result<(), TrainError> {
        self.clear_partial()?;
        fs::rename(path, self.partial()).map_err(TrainError::file(path))?;
        flush_folder(&self.checkpoints())?;
        self.clear_partial()
    }

    /// Undoes what a crash left: what is not whole, and whole ones that lie aside.
    fn mend(&self) -> Result<(), TrainError> {
        self.clear_partial()?;
        for (step, path) in named(&self.checkpoints(), REPLACED)? {
            let whole = self.checkpoint(step);
            match whole.exists() {
                true => self.remove(&path)?,
                false => fs::rename(&path, &whole).map_err(TrainError::file(&whole))?,
            }
        }
        Ok(())
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

/// Checkpoints by their steps; none where there is no such folder. One that lies aside counts until
/// another has its place: a crash may have come between.
fn checkpoints_in(path: &Path) -> Result<BTreeMap<u64, PathBuf>, TrainError> {
    let mut steps = named(path, REPLACED)?;
    steps.extend(named(path, WHOLE)?);
    Ok(steps)
}

/// What is in a folder under names of `prefix` and a step, by their steps.
fn named(path: &Path, prefix: &str) -> Result<BTreeMap<u64, PathBuf>, TrainError> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(TrainError::file(path)(error)),
    };
    let mut steps = BTreeMap::new();
    for entry in entries {
        let entry = entry.map_err(TrainError::file(path))?;
        let name = entry.file_name();
        let step = name.to_str().and_then(|name| name.strip_prefix(prefix));
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes the file of a checkpoint, half or all of it.
    fn write(folder: &Path, text: &str) {
        fs::create_dir(folder).expect("folder");
        fs::write(folder.join("file"), text).expect("file");
    }

    /// Names and texts of what is there.
    fn contents(folder: &Folder) -> Vec<(String, String)> {
        let entries = fs::read_dir(folder.checkpoints()).expect("folder");
        let read = entries.map(|entry| {
            let entry = entry.expect("entry");
            let text = fs::read_to_string(entry.path().join("file"));
            let name = entry.file_name().into_string().expect("name");
            (name, text.unwrap_or_default())
        });
        let mut all: Vec<_> = read.collect();
        all.sort();
        all
    }

    fn one(name: &str, text: &str) -> Vec<(String, String)> {
        vec![(name.to_owned(), text.to_owned())]
    }

    #[test]
    fn a_checkpoint_takes_the_place_of_another_and_nothing_is_left() {
        let run = tempfile::tempdir().expect("folder");
        let folder = Folder::open(run.path()).expect("opened");
        for text in ["old", "new"] {
            write(&folder.partial(), text);
            assert_eq!(folder.put(6).expect("put"), folder.checkpoint(6));
            assert_eq!(contents(&folder), one("step-000000006", text));
        }
    }

    #[test]
    fn a_checkpoint_whose_successor_does_not_come_is_still_there() {
        let run = tempfile::tempdir().expect("folder");
        let folder = Folder::open(run.path()).expect("opened");
        write(&folder.checkpoint(6), "old");
        // As a crash between the two renames.
        let error = folder.put(6).expect_err("there is nothing to put");
        assert_eq!(error.name(), "File");
        let found = latest(run.path()).expect("found");
        let text = fs::read_to_string(found.join("file"));
        assert_eq!(text.expect("whole"), "old");
        assert_eq!(folder.steps().expect("steps"), [6]);
        drop(folder);
        let folder = Folder::open(run.path()).expect("opened");
        assert_eq!(contents(&folder), one("step-000000006", "old"));
    }

    #[test]
    fn what_was_replaced_is_cleared_wherever_a_crash_came() {
        let run = tempfile::tempdir().expect("folder");
        let folder = Folder::open(run.path()).expect("opened");
        write(&folder.checkpoint(6), "new");
        write(&folder.replaced(6), "old");
        write(&folder.partial(), "ha");
        assert_eq!(latest(run.path()).expect("found"), folder.checkpoint(6));
        drop(folder);
        let folder = Folder::open(run.path()).expect("opened");
        assert_eq!(contents(&folder), one("step-000000006", "new"));
    }
}
