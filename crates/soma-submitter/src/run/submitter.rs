//! The submitter: opened from its state folder, run until told otherwise.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use soma_sdk::Account;
use soma_types::{Shannons, TargetId};
use tokio::sync::Notify;

use super::config::SubmitterConfig;
use super::report::Report;
use super::work::Work;
use crate::control::Control;
use crate::error::SubmitterError;
use crate::events::{Observer, Stats};
use crate::journal::{Entry, Folder, Spending, State};
use crate::scan::Scanner;
use crate::submission::{Worker, lock};

/// Finds data that hits targets, submits it, and claims the rewards.
///
/// ```no_run
/// # async fn example(account: soma_sdk::Account) -> Result<(), soma_submitter::SubmitterError> {
/// use soma_blobs::FetchConfig;
/// use soma_submitter::{Control, Submitter, SubmitterConfig, Uploads};
///
/// let uploads = Uploads::served("https://example.org/texts", FetchConfig::default(), None)?;
/// let config = SubmitterConfig::new(vec!["texts".into()], "submitter-state", uploads);
/// let control = Control::default();
/// let mut submitter = Submitter::open(account, config, control, |event| {
///     println!("{event:?}");
/// })
/// .await?;
/// let report = submitter.run().await?;
/// println!("{} targets filled", report.stats.filled);
/// # Ok(())
/// # }
/// ```
pub struct Submitter {
    pub(super) config: SubmitterConfig,
    pub(super) worker: Arc<Worker>,
    pub(super) scanner: Arc<Mutex<Scanner>>,
    /// Submissions that are not over, as the journal has them.
    pub(super) entries: BTreeMap<TargetId, Entry>,
}

impl std::fmt::Debug for Submitter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = self.worker.folder.path().display();
        write!(f, "Submitter in {path}")
    }
}

impl Submitter {
    /// Goes on with what lies in the state folder; an empty or missing one begins anew.
    ///
    /// # Errors
    /// [`SubmitterError`]: bad settings, a state folder that cannot be used or is of another
    /// account or chain, a node that does not answer.
    pub async fn open(
        account: Account,
        config: SubmitterConfig,
        control: Control,
        observer: impl Fn(&crate::SubmitterEvent) + Send + Sync + 'static,
    ) -> Result<Self, SubmitterError> {
        config.check()?;
        let folder = Folder::open(&config.state)?;
        let chain_id = account.client().chain_id().await?;
        let parameters = account.client().parameters().await?;
        let mut entries = folder.load(chain_id, account.address())?;
        let mut spent = folder.spent()?;
        let mut stats = Stats::default();
        // What a crash left undone between the files.
        for entry in entries.values() {
            if let Some(opened) = entry.state.opened() {
                spent.add(entry.checksum, Spending::In(opened.epoch))?;
                stats.bonds_out = stats.bonds_out.saturating_add(opened.bond);
            }
            if entry.state.is_final() {
                folder.archive(entry)?;
            }
        }
        entries.retain(|_, entry| !entry.state.is_final());
        let observer: Observer = Arc::new(observer);
        let worker = Worker {
            account,
            chain_id,
            folder,
            spent: Mutex::new(spent),
            uploads: config.uploads.clone(),
            urls: Mutex::new(HashMap::new()),
            control,
            observer,
            stats: Mutex::new(stats),
            unreadable_models: Mutex::new(None),
            parameters,
            patience: config.limits.patience,
            has_hits: Notify::new(),
        };
        Ok(Self {
            scanner: Arc::new(Mutex::new(Scanner::new(config.memory_bytes))),
            worker: Arc::new(worker),
            config,
            entries,
        })
    }

    /// The sums so far.
    pub fn stats(&self) -> Stats {
        *lock(&self.worker.stats)
    }

    /// Submissions that are not over, as the journal has them.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// Works until its limits are reached or it is told to stop. Trouble that may pass is waited
    /// out. Dropping this future is like ending the program: what was begun goes on next time.
    ///
    /// # Errors
    /// [`SubmitterError`] for what waiting does not mend.
    pub async fn run(&mut self) -> Result<Report, SubmitterError> {
        Work::new(self).run().await
    }

    /// Bonds of submissions that are opened, and those of submissions on their way there.
    pub(super) fn bonds(&self) -> Shannons {
        let bonds = self.entries.values().map(|entry| match &entry.state {
            State::Prepared { .. } | State::Uploaded { .. } | State::Committed { .. } => {
                self.bond(entry.piece.size)
            }
            state => state.opened().map_or(Shannons::ZERO, |opened| opened.bond),
        });
        bonds.fold(Shannons::ZERO, Shannons::saturating_add)
    }

    pub(super) fn bond(&self, size: u64) -> Shannons {
        let parameters = &self.worker.parameters;
        Shannons(parameters.submission_bond_per_byte.saturating_mul(size))
    }

    /// Submissions that are not opened yet.
    pub(super) fn unopened(&self) -> impl Iterator<Item = &Entry> {
        let entries = self.entries.values();
        entries.filter(|entry| entry.state.opened().is_none() && !entry.state.is_final())
    }
}
