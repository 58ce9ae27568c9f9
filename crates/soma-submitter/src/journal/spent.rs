//! Candidates that the chain takes no more: a file with one line for each, only ever added to.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use soma_types::{Checksum, Epoch};

use crate::error::SubmitterError;

/// Where a candidate can still be submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spending {
    /// This account filled a target with it in this epoch, and may fill more in the same.
    In(Epoch),
    /// Nowhere: the chain knows it from an earlier epoch or from somebody else.
    Never,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    checksum: Checksum,
    spent: Spending,
}

/// Candidates that are spent.
#[derive(Debug)]
pub struct Spent {
    path: PathBuf,
    file: File,
    known: HashMap<Checksum, Spending>,
}

impl Spent {
    pub(super) fn open(path: PathBuf) -> Result<Self, SubmitterError> {
        let fail = |error: std::io::Error| SubmitterError::state(&path, error);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(fail(error)),
        };
        // A last line without its end is half of a write that a crash broke off.
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        let mut known = HashMap::new();
        for (number, line) in text[..whole].lines().enumerate() {
            let line: Line = serde_json::from_str(line).map_err(|error| {
                SubmitterError::journal(&path, format!("line {}: {error}", number + 1))
            })?;
            known.insert(line.checksum, line.spent);
        }
        let mut options = File::options();
        let file = options
            .create(true)
            .append(true)
            .open(&path)
            .map_err(fail)?;
        file.set_len(whole as u64).map_err(fail)?;
        Ok(Self { path, file, known })
    }

    /// Remembers that a candidate is spent; on disk when this returns.
    ///
    /// # Errors
    /// [`SubmitterError::State`].
    pub fn add(&mut self, checksum: Checksum, spent: Spending) -> Result<(), SubmitterError> {
        if self.known.get(&checksum) == Some(&spent) {
            return Ok(());
        }
        let fail = |error: std::io::Error| SubmitterError::state(&self.path, error);
        let line = Line { checksum, spent };
        let mut line =
            serde_json::to_vec(&line).map_err(|error| SubmitterError::state(&self.path, error))?;
        line.push(b'\n');
        self.file.write_all(&line).map_err(fail)?;
        self.file.sync_data().map_err(fail)?;
        self.known.insert(checksum, spent);
        Ok(())
    }

    /// True when a candidate cannot be submitted in `epoch`.
    pub fn is_spent(&self, checksum: &Checksum, epoch: Epoch) -> bool {
        self.known
            .get(checksum)
            .is_some_and(|spent| *spent != Spending::In(epoch))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_spent_survives_and_half_a_line_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spent.jsonl");
        let (a, b) = (Checksum([1; 32]), Checksum([2; 32]));
        let mut spent = Spent::open(path.clone()).unwrap();
        spent.add(a, Spending::In(Epoch(3))).unwrap();
        spent.add(b, Spending::Never).unwrap();
        drop(spent);
        let mut text = std::fs::read_to_string(&path).unwrap();
        text.push_str("{\"checksum\":\"");
        std::fs::write(&path, text).unwrap();

        let mut spent = Spent::open(path.clone()).unwrap();
        assert!(!spent.is_spent(&a, Epoch(3)));
        assert!(spent.is_spent(&a, Epoch(4)));
        assert!(spent.is_spent(&b, Epoch(3)));
        assert!(!spent.is_spent(&Checksum([3; 32]), Epoch(3)));
        spent.add(a, Spending::Never).unwrap();
        drop(spent);
        assert!(Spent::open(path).unwrap().is_spent(&a, Epoch(3)));
    }

    #[test]
    fn a_line_that_is_none_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spent.jsonl");
        std::fs::write(&path, "nonsense\n").unwrap();
        let error = Spent::open(path).unwrap_err();
        assert_eq!(error.name(), "InvalidJournal");
        assert!(error.to_string().contains("line 1"), "{error}");
    }
}
