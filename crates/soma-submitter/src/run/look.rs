//! Looking at the chain, and going on with what that allows.

use std::sync::Arc;

use tokio::time::Instant;

use super::work::{Done, Work};
use crate::error::SubmitterError;
use crate::events::SubmitterEvent;
use crate::journal::{Entry, State};
use crate::submission::lock;

impl Work<'_> {
    /// Reads the open targets and their models. A node that does not answer is asked again later.
    pub(super) async fn look(&mut self) -> Result<(), SubmitterError> {
        let worker = Arc::clone(&self.submitter.worker);
        let before = lock(&self.submitter.scanner).board().clone();
        let are_stale = std::mem::take(&mut self.are_models_stale);
        let read = self.refresher.read(worker.client(), &before, are_stale);
        let board = match read.await {
            Ok(board) => board,
            Err(error) => {
                self.are_models_stale |= are_stale;
                let error = SubmitterError::from(error);
                if !error.is_retryable() {
                    return Err(error);
                }
                let (error, pause) = self.backoff.after(error)?;
                worker.retrying("reading the targets", &error, pause);
                self.next_look = Instant::now() + pause;
                return Ok(());
            }
        };
        self.backoff.reset();
        let now = Instant::now();
        self.last_look = Some(now);
        self.next_look = now + self.submitter.config.poll;
        self.looks += 1;
        self.is_choice_due = true;
        let (epoch, targets) = (board.epoch, board.targets.len() as u64);
        let model_sets = board.groups().len() as u64;
        let hits = lock(&self.submitter.scanner).set_board(board);
        if self.told_epoch.replace(epoch) != Some(epoch) {
            worker.tell(&SubmitterEvent::Epoch {
                epoch,
                targets,
                model_sets,
            });
            self.claim_others();
        }
        worker.hits(&self.submitter.scanner, &hits);
        Ok(())
    }

    /// Goes on with submissions that are not over: those that are not opened, and those whose
    /// audit should be over, these once a look.
    pub(super) fn resume(&mut self) {
        if self.submitter.config.limits.dry_run {
            return;
        }
        let Some(epoch) = self.told_epoch else {
            return;
        };
        let is_due = |entry: &&Entry| match &entry.state {
            State::Opened { opened } => opened.epoch.plus(2) <= epoch,
            State::Claimable { .. } => true,
            State::Prepared { .. } | State::Uploaded { .. } | State::Committed { .. } => true,
            State::Claimed { .. } | State::Lost { .. } => false,
        };
        let entries = self.submitter.entries.values();
        let due: Vec<Entry> = entries
            .filter(is_due)
            .filter(|entry| !self.busy.contains(&entry.target))
            .filter(|entry| self.driven.get(&entry.target) != Some(&self.looks))
            .cloned()
            .collect();
        for entry in due {
            self.driven.insert(entry.target, self.looks);
            self.drive(entry);
        }
    }

    /// Lets a task go on with a submission.
    pub(super) fn drive(&mut self, entry: Entry) {
        self.busy.insert(entry.target);
        let worker = Arc::clone(&self.submitter.worker);
        self.tasks.spawn(async move {
            let entry = worker.drive(entry).await?;
            Ok(Done::Submission(Box::new(entry)))
        });
    }
}
