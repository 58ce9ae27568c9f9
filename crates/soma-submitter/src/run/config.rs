//! Settings of a submitter.

use std::path::PathBuf;
use std::time::Duration;

use soma_types::{Epoch, Shannons, TargetId};

use crate::error::SubmitterError;
use crate::uploads::Uploads;

/// Settings of a submitter.
#[derive(Clone, Debug)]
pub struct SubmitterConfig {
    /// Files, and folders whose files are candidates.
    pub sources: Vec<PathBuf>,
    /// The state folder: one for each account and chain.
    pub state: PathBuf,
    /// Where validators find the data.
    pub uploads: Uploads,
    /// The largest candidate in bytes; larger files are cut at line ends. Default, and at most, the
    /// network's.
    pub max_bytes: Option<u64>,
    /// Decides the order of candidates. Default 0.
    pub seed: u64,
    /// The most money in bonds at a time. Default no bound but the balance.
    pub max_bonds: Option<Shannons>,
    /// When to end.
    pub limits: Limits,
    /// Submissions that are under way at a time. Default 8.
    pub in_flight: usize,
    /// Candidates in a request to the scorer. Default 16.
    pub batch: usize,
    /// Bytes of candidates in a request to the scorer. Default 4 MiB; one candidate always fits.
    pub batch_bytes: u64,
    /// Requests to the scorer at a time. Default 2: one is worked on while the next one waits.
    pub jobs: usize,
    /// Memory for scores in bytes, so that targets drawn later need no scoring. Default 256 MiB.
    pub memory_bytes: usize,
    /// Time between looks at the chain when no event tells of a change. Default 10 s.
    pub poll: Duration,
}

/// When a submitter ends, and what it leaves out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// End when this epoch has begun and what it made claimable is claimed; with an error when that
    /// is refused.
    pub until_epoch: Option<Epoch>,
    /// End after so many targets were filled.
    pub hits: Option<u64>,
    /// End after one pass over all candidates.
    pub once: bool,
    /// End with an error when targets cannot be read, or candidates not be scored or uploaded, for
    /// so long; what was begun goes on in the next run. `None` waits for ever.
    pub patience: Option<Duration>,
    /// Only this target.
    pub target: Option<TargetId>,
    /// Say what would be submitted, and submit nothing.
    pub dry_run: bool,
}

impl SubmitterConfig {
    /// The defaults.
    pub fn new(sources: Vec<PathBuf>, state: impl Into<PathBuf>, uploads: Uploads) -> Self {
        Self {
            sources,
            state: state.into(),
            uploads,
            max_bytes: None,
            seed: 0,
            max_bonds: None,
            limits: Limits::default(),
            in_flight: 8,
            batch: 16,
            batch_bytes: 4 << 20,
            jobs: 2,
            memory_bytes: 256 << 20,
            poll: Duration::from_secs(10),
        }
    }

    pub(super) fn check(&self) -> Result<(), SubmitterError> {
        let fail = |text: &str| Err(SubmitterError::Settings(text.to_owned()));
        if self.sources.is_empty() {
            return fail("no source of candidates: name files, or folders with files");
        }
        if self.max_bytes == Some(0) {
            return fail("the largest candidate must have at least 1 byte");
        }
        if self.max_bytes.is_some() && self.uploads.takes_only_whole_files() {
            return fail(
                "files that are served from a URL prefix cannot be cut: leave the largest size out",
            );
        }
        if matches!(self.uploads, Uploads::Nowhere) && !self.limits.dry_run {
            return fail("no place for uploads, which only a dry run does without");
        }
        if self.in_flight == 0 || self.batch == 0 || self.jobs == 0 {
            return fail(
                "submissions in flight, candidates in a batch and jobs must each be at least 1",
            );
        }
        Ok(())
    }
}
