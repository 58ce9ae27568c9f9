//! The loop of a run: looks at the chain, chooses, submits, scans and claims, each as soon as there
//! is something to do, and waits for what happens next.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use soma_types::{Epoch, TargetId};
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;

use super::duplicates::Asked;
use super::follow::{Changes, Follower};
use super::pass::Pass;
use super::refresh::Refresher;
use super::report::{Planned, Report, Wanting};
use super::submitter::Submitter;
use crate::backoff::Backoff;
use crate::control::Mode;
use crate::error::SubmitterError;
use crate::journal::{Entry, LostReason, State};
use crate::scoring::JobReport;
use crate::submission::lock;

/// Time between two looks, however much happens.
const SHORTEST_LOOK: Duration = Duration::from_millis(200);

/// A pass with models that could not be loaded is repeated after this.
const PARTIAL_PASS_PAUSE: Duration = Duration::from_secs(30);

/// What a task of a run gives back.
pub(super) enum Done {
    /// A submission, as the journal has it.
    Submission(Box<Entry>),
    /// Claims of targets that the journal does not know; why some came to nothing.
    Claims(Option<SubmitterError>),
}

/// One run.
pub(super) struct Work<'a> {
    pub(super) submitter: &'a mut Submitter,
    /// Submissions and claims. Dropped with the run, which ends them.
    pub(super) tasks: JoinSet<Result<Done, SubmitterError>>,
    /// Requests to the scorer.
    pub(super) jobs: JoinSet<Result<JobReport, SubmitterError>>,
    pub(super) pass: Option<Pass>,
    pub(super) pass_after: Instant,
    pub(super) refresher: Refresher,
    pub(super) follower: Follower,
    pub(super) seen: Changes,
    pub(super) are_models_stale: bool,
    pub(super) backoff: Backoff,
    pub(super) last_look: Option<Instant>,
    pub(super) next_look: Instant,
    /// Looks that succeeded.
    pub(super) looks: u64,
    pub(super) told_epoch: Option<Epoch>,
    /// Submissions that a task works on.
    pub(super) busy: BTreeSet<TargetId>,
    /// True when no open target has a model that can win.
    pub(super) is_idle: bool,
    /// The look after which a submission was last gone on with.
    pub(super) driven: BTreeMap<TargetId, u64>,
    /// True when hits, money or slots changed since the last choice.
    pub(super) is_choice_due: bool,
    pub(super) wanting: Option<Wanting>,
    pub(super) planned: BTreeMap<TargetId, Planned>,
    pub(super) asked: Asked,
    /// True while a task claims.
    pub(super) is_claiming: bool,
    /// True when an epoch began while a task claimed.
    pub(super) are_claims_due: bool,
    /// Why rewards of this epoch are not claimed, after all tries.
    pub(super) unclaimed: Option<SubmitterError>,
}

impl<'a> Work<'a> {
    pub(super) fn new(submitter: &'a mut Submitter) -> Self {
        let client = submitter.worker.client().clone();
        let limits = &submitter.config.limits;
        let (only, patience) = (limits.target, limits.patience);
        let now = Instant::now();
        Self {
            submitter,
            tasks: JoinSet::new(),
            jobs: JoinSet::new(),
            pass: None,
            pass_after: now,
            refresher: Refresher::new(only),
            follower: Follower::start(client),
            seen: Changes::default(),
            are_models_stale: false,
            backoff: Backoff::with_patience(patience),
            last_look: None,
            next_look: now,
            looks: 0,
            told_epoch: None,
            busy: BTreeSet::new(),
            is_idle: false,
            driven: BTreeMap::new(),
            is_choice_due: false,
            wanting: None,
            planned: BTreeMap::new(),
            asked: Asked::default(),
            is_claiming: false,
            are_claims_due: false,
            unclaimed: None,
        }
    }

    pub(super) fn mode(&self) -> Mode {
        self.submitter.worker.control.mode()
    }

    pub(super) async fn run(mut self) -> Result<Report, SubmitterError> {
        let control = self.submitter.worker.control.clone();
        loop {
            let is_over = tokio::select! {
                biased;
                () = control.reached(Mode::Halt) => true,
                is_over = self.turn() => is_over?,
            };
            if is_over {
                return self.end();
            }
        }
    }

    /// Begins what can be begun, and waits until something happens. True when the run is over.
    async fn turn(&mut self) -> Result<bool, SubmitterError> {
        if self.mode() == Mode::Run {
            if Instant::now() >= self.next_look {
                match self.is_once_scanned() {
                    // Targets drawn from now on are for the next run.
                    true => self.next_look = Instant::now() + self.submitter.config.poll,
                    false => self.look().await?,
                }
            }
            if self.looks > 0 {
                self.resume();
                if !self.is_at_limit() {
                    self.submit().await?;
                    self.scan().await?;
                }
            }
        }
        if self.is_over() {
            return Ok(true);
        }
        self.wait().await?;
        Ok(false)
    }

    /// True when nothing new may begin.
    pub(super) fn is_at_limit(&self) -> bool {
        let hits = self.submitter.config.limits.hits;
        let filled = lock(&self.submitter.worker.stats).filled;
        self.is_at_last_epoch() || hits.is_some_and(|hits| filled >= hits)
    }

    fn is_at_last_epoch(&self) -> bool {
        let until = self.submitter.config.limits.until_epoch;
        let epoch = self.told_epoch.unwrap_or_default();
        until.is_some_and(|until| epoch >= until)
    }

    /// No epoch follows the last one in which to claim what failed.
    fn end(mut self) -> Result<Report, SubmitterError> {
        match self.unclaimed.take() {
            Some(error) if self.is_at_last_epoch() && self.mode() == Mode::Run => Err(error),
            _ => Ok(self.report()),
        }
    }

    fn is_over(&self) -> bool {
        if !self.tasks.is_empty() {
            return false;
        }
        if self.mode() > Mode::Run {
            return true;
        }
        if self.looks == 0 {
            return false;
        }
        self.is_at_limit() || (self.is_once_scanned() && !self.is_choice_due)
    }

    /// True when the one pass of a run of one pass is over.
    fn is_once_scanned(&self) -> bool {
        let is_pass_over = self.pass.as_ref().is_some_and(Pass::is_over);
        let is_scanned = self.looks > 0 && (self.is_idle || is_pass_over);
        self.submitter.config.limits.once && is_scanned && self.jobs.is_empty()
    }

    /// Waits until something happens, and takes it in.
    async fn wait(&mut self) -> Result<(), SubmitterError> {
        let worker = std::sync::Arc::clone(&self.submitter.worker);
        let is_running = self.mode() == Mode::Run;
        tokio::select! {
            Some(done) = self.tasks.join_next() => self.task_done(done),
            Some(done) = self.jobs.join_next() => self.job_done(done),
            // The follower lives as long as this, so there is always a sender.
            Ok(()) = self.follower.changes.changed() => {
                self.changed();
                Ok(())
            }
            () = worker.has_hits.notified() => {
                self.is_choice_due = true;
                Ok(())
            }
            () = tokio::time::sleep_until(self.next_look), if is_running => Ok(()),
            () = worker.control.reached(Mode::Stop), if is_running => {
                self.jobs.abort_all();
                Ok(())
            }
        }
    }

    /// Something changed on the chain: look soon.
    fn changed(&mut self) {
        let changes = *self.follower.changes.borrow_and_update();
        self.are_models_stale |= changes.models != self.seen.models;
        self.seen = changes;
        let now = Instant::now();
        let soon = self.last_look.map_or(now, |last| last + SHORTEST_LOOK);
        self.next_look = self.next_look.min(soon.max(now));
    }

    fn task_done(
        &mut self,
        done: Result<Result<Done, SubmitterError>, JoinError>,
    ) -> Result<(), SubmitterError> {
        self.is_choice_due = true;
        let entry = match flatten(done)? {
            Done::Submission(entry) => entry,
            Done::Claims(failed) => {
                self.claims_done(failed);
                return Ok(());
            }
        };
        self.busy.remove(&entry.target);
        let mut scanner = lock(&self.submitter.scanner);
        match &entry.state {
            State::Lost { reason } => match reason {
                LostReason::Taken | LostReason::Expired => scanner.close(&entry.target),
                LostReason::ModelsChanged => {
                    scanner.close(&entry.target);
                    self.are_models_stale = true;
                }
                _ => scanner.drop_candidate(&entry.checksum),
            },
            state if state.opened().is_some() => scanner.close(&entry.target),
            _ => {}
        }
        drop(scanner);
        let entries = &mut self.submitter.entries;
        match entry.state.is_final() {
            true => {
                entries.remove(&entry.target);
                self.driven.remove(&entry.target);
            }
            false => {
                entries.insert(entry.target, *entry);
            }
        }
        Ok(())
    }

    fn job_done(
        &mut self,
        done: Result<Result<JobReport, SubmitterError>, JoinError>,
    ) -> Result<(), SubmitterError> {
        // Jobs are ended when the run is told to stop.
        if done.as_ref().is_err_and(JoinError::is_cancelled) {
            return Ok(());
        }
        let report = flatten(done)?;
        self.is_choice_due = true;
        if let Some(pass) = &mut self.pass {
            pass.is_partial |= report.is_partial;
            if pass.is_over() && self.jobs.is_empty() {
                if pass.is_partial {
                    self.pass_after = Instant::now() + PARTIAL_PASS_PAUSE;
                }
                let candidates = pass.len();
                let event = crate::SubmitterEvent::PassEnded { candidates };
                self.submitter.worker.tell(&event);
            }
        }
        Ok(())
    }

    fn report(&self) -> Report {
        let scanner = lock(&self.submitter.scanner);
        let board = scanner.board();
        let winnable = board.groups().iter().map(|g| g.targets.len() as u64).sum();
        Report {
            stats: self.submitter.stats(),
            targets: board.targets.len() as u64,
            only: self.submitter.config.limits.target,
            winnable,
            candidates: self.pass.as_ref().map_or(0, Pass::len),
            wanting: self.wanting,
            unreadable_models: lock(&self.submitter.worker.unreadable_models).clone(),
            duplicates: self.asked.duplicates.len() as u64,
            planned: self.planned.values().cloned().collect(),
        }
    }
}

fn flatten<T>(done: Result<Result<T, SubmitterError>, JoinError>) -> Result<T, SubmitterError> {
    done.unwrap_or_else(|error| {
        let text = format!("a task of the submitter ended: {error}");
        Err(SubmitterError::Settings(text))
    })
}
