//! Handing candidates to the scorer.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::time::Instant;

use super::pass::Pass;
use super::work::Work;
use crate::candidates::{CandidateConfig, Candidates};
use crate::error::SubmitterError;
use crate::events::SubmitterEvent;
use crate::scan::ModelVersion;
use crate::scoring::Job;
use crate::submission::lock;

impl Work<'_> {
    /// Keeps the scorer busy as long as there are candidates that it did not see.
    pub(super) async fn scan(&mut self) -> Result<(), SubmitterError> {
        let (board, forgotten) = {
            let scanner = lock(&self.submitter.scanner);
            (scanner.board().clone(), scanner.book().forgotten())
        };
        let groups = board.groups();
        self.is_idle = groups.is_empty();
        if self.is_idle && self.pass.is_some() {
            return Ok(());
        }
        let is_wanted = match &self.pass {
            None => true,
            Some(pass) => {
                let may_repeat = !self.submitter.config.limits.once && self.jobs.is_empty();
                let has_reason =
                    pass.is_outdated(&board, forgotten) || pass.is_partial || pass.len() == 0;
                pass.is_over() && may_repeat && has_reason && Instant::now() >= self.pass_after
            }
        };
        if is_wanted {
            let candidates = self.find().await?;
            self.submitter.worker.tell(&SubmitterEvent::PassBegan {
                candidates: candidates.pieces.len() as u64,
                too_large: candidates.too_large,
            });
            if candidates.pieces.is_empty() {
                // Files may still come.
                self.pass_after = Instant::now() + self.submitter.config.poll;
            }
            self.pass = Some(Pass::new(candidates, &board, forgotten));
        }
        let versions = groups.iter().flat_map(|group| &group.models);
        let weights: BTreeMap<ModelVersion, _> = versions
            .filter_map(|version| Some((*version, board.models.get(&version.model)?.clone())))
            .collect();
        let config = &self.submitter.config;
        let Some(pass) = &mut self.pass else {
            return Ok(());
        };
        while self.jobs.len() < config.jobs && !groups.is_empty() {
            let pieces = pass.next_batch(config.batch, config.batch_bytes);
            if pieces.is_empty() {
                break;
            }
            let job = Job {
                pieces,
                groups: groups.clone(),
                weights: weights.clone(),
            };
            let worker = Arc::clone(&self.submitter.worker);
            let scanner = Arc::clone(&self.submitter.scanner);
            self.jobs.spawn(job.run(worker, scanner));
        }
        Ok(())
    }

    async fn find(&self) -> Result<Candidates, SubmitterError> {
        let config = &self.submitter.config;
        let largest = self.submitter.worker.parameters.max_submission_data_size;
        let max_bytes = config.max_bytes.unwrap_or(largest).min(largest);
        let config = CandidateConfig {
            sources: config.sources.clone(),
            max_bytes,
            only_whole_files: config.uploads.takes_only_whole_files(),
            seed: config.seed,
        };
        let found = tokio::task::spawn_blocking(move || Candidates::find(&config)).await;
        found.unwrap_or_else(|error| {
            let text = format!("looking for files stopped: {error}");
            Err(SubmitterError::Settings(text))
        })
    }
}
