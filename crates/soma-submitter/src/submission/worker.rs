//! What all submissions of a run share, and the loop that drives one of them.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use soma_sdk::{Account, Client};
use soma_types::{ChainId, Checksum, Epoch, Parameters};
use tokio::sync::Notify;

use super::steps::Next;
use super::trouble::{Trouble, trouble_of};
use crate::backoff::Backoff;
use crate::control::{Control, Mode};
use crate::error::SubmitterError;
use crate::events::{Observer, Stats, SubmitterEvent};
use crate::journal::{Entry, Folder, LostReason, Spending, Spent, State};
use crate::scan::{Hit, Scanner, Terms};
use crate::uploads::Uploads;

/// What all submissions of a run share.
pub(crate) struct Worker {
    pub(crate) account: Account,
    pub(crate) chain_id: ChainId,
    pub(crate) folder: Folder,
    pub(crate) spent: Mutex<Spent>,
    pub(crate) uploads: Uploads,
    /// URLs of data that is uploaded already.
    pub(crate) urls: Mutex<HashMap<Checksum, String>>,
    pub(crate) control: Control,
    pub(crate) observer: Observer,
    pub(crate) stats: Mutex<Stats>,
    /// Why models could not be loaded, the last time.
    pub(crate) unreadable_models: Mutex<Option<String>>,
    pub(crate) parameters: Parameters,
    /// How long node, scorer and storage are waited for while nothing is at stake.
    pub(crate) patience: Option<Duration>,
    /// Told when there are new hits to choose of.
    pub(crate) has_hits: Notify,
}

/// A panic while locked leaves values that are whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Worker {
    pub(crate) fn client(&self) -> &Client {
        self.account.client()
    }

    /// Tells who watches.
    pub(crate) fn tell(&self, event: &SubmitterEvent) {
        lock(&self.stats).add(event);
        (self.observer)(event);
    }

    pub(crate) fn retrying(&self, what: &str, error: &SubmitterError, pause: Duration) {
        tracing::warn!(what, %error, "trying again");
        self.tell(&SubmitterEvent::Retrying {
            what: what.to_owned(),
            error: error.to_string(),
            pause_ms: u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
        });
    }

    /// Tells of new hits.
    pub(crate) fn hits(&self, scanner: &Mutex<Scanner>, hits: &[Hit]) {
        let events: Vec<SubmitterEvent> = {
            let scanner = lock(scanner);
            let terms = Terms::new(&self.parameters, scanner.board().epoch);
            let event = |hit: &Hit| {
                let target = scanner.board().targets.get(&hit.target)?;
                let candidate = scanner.book().get(&hit.checksum)?;
                Some(SubmitterEvent::Hit {
                    target: hit.target,
                    checksum: hit.checksum,
                    path: candidate.piece.path.clone(),
                    distance: hit.distance,
                    threshold: target.threshold,
                    bond: terms.bond(hit.size),
                    reward: terms.submitters_part(target.reward),
                })
            };
            hits.iter().filter_map(event).collect()
        };
        events.iter().for_each(|event| self.tell(event));
        if !hits.is_empty() {
            self.has_hits.notify_one();
        }
    }

    /// True when a candidate cannot be submitted in `epoch`.
    pub(crate) fn is_spent(&self, checksum: &Checksum, epoch: Epoch) -> bool {
        lock(&self.spent).is_spent(checksum, epoch)
    }

    /// Writes a submission down as it is now, and says so.
    pub(crate) fn keep(&self, entry: &Entry) -> Result<(), SubmitterError> {
        if let Some(opened) = entry.state.opened() {
            self.folder.write(entry)?;
            lock(&self.spent).add(entry.checksum, Spending::In(opened.epoch))?;
        }
        if let State::Lost { reason } = &entry.state
            && *reason == LostReason::DuplicateData
        {
            lock(&self.spent).add(entry.checksum, Spending::Never)?;
        }
        match entry.state.is_final() {
            true => self.folder.archive(entry)?,
            false => self.folder.write(entry)?,
        }
        Ok(())
    }

    /// Goes on to `state`, on disk before anybody hears of it.
    pub(crate) fn enter(&self, entry: &mut Entry, state: State) -> Result<(), SubmitterError> {
        let before = entry.state.opened().copied();
        entry.state = state;
        entry.transaction = None;
        self.keep(entry)?;
        let opened = entry.state.opened().copied().or(before);
        let (reward, lost) = match &entry.state {
            State::Claimed { claimed, .. } => (Some(claimed.reward), None),
            State::Lost { reason } => (None, Some(reason.clone())),
            _ => (None, None),
        };
        self.tell(&SubmitterEvent::Step {
            target: entry.target,
            checksum: entry.checksum,
            state: entry.state.name().to_owned(),
            bond: opened.map(|opened| opened.bond),
            reward,
            lost,
        });
        Ok(())
    }

    /// True where a submission goes on, although nothing new begins: its commitment may be known.
    fn has_begun(entry: &Entry) -> bool {
        match entry.state {
            State::Prepared { .. } | State::Opened { .. } => false,
            State::Uploaded { .. } | State::Claimable { .. } => entry.transaction.is_some(),
            State::Committed { .. } => true,
            State::Claimed { .. } | State::Lost { .. } => false,
        }
    }

    fn may_go_on(&self, entry: &Entry) -> bool {
        match self.control.mode() {
            Mode::Run => true,
            Mode::Stop => Self::has_begun(entry),
            Mode::Halt => false,
        }
    }

    /// Goes on with a submission until it ends, or until it has to wait for an epoch. Trouble that
    /// may pass is waited out as long as its target is open.
    pub(crate) async fn drive(&self, mut entry: Entry) -> Result<Entry, SubmitterError> {
        let mut backoff = Backoff::with_patience(self.patience);
        while self.may_go_on(&entry) {
            let error = match self.step(&mut entry).await {
                Ok(Next::Step) => {
                    backoff.reset();
                    continue;
                }
                Ok(Next::Rest) => break,
                Err(error) => error,
            };
            // Told to stop in the middle of a step.
            if self.control.mode() == Mode::Halt {
                break;
            }
            match trouble_of(&error, &entry.state) {
                Trouble::Passing => {
                    let (error, pause) = match Self::has_begun(&entry) {
                        // A bond may be at stake.
                        true => (error, backoff.next()),
                        false => backoff.after(error)?,
                    };
                    let what = format!("submission for {}", entry.target);
                    self.retrying(&what, &error, pause);
                    tokio::select! {
                        () = tokio::time::sleep(pause) => {}
                        () = self.control.reached(Mode::Stop) => break,
                    }
                }
                Trouble::Unsealed => self.unseal(&mut entry)?,
                Trouble::Early => {
                    tracing::info!(target = %entry.target, %error, "not claimed yet");
                    if let Some(opened) = entry.state.opened().copied() {
                        entry.state = State::Opened { opened };
                        self.keep(&entry)?;
                    }
                    break;
                }
                Trouble::Lost(reason) => self.enter(&mut entry, State::Lost { reason })?,
                Trouble::Fatal => return Err(error),
            }
        }
        Ok(entry)
    }
}
