//! One step of an audit; its check. What follows from a verdict is in `settle`.

use std::sync::Arc;

use soma_audit::{Failure, Finding, Verdict, judge, judge_weights};
use soma_blobs::BlobRef;
use soma_chain::{ChainError, Reader, StoreError};
use thiserror::Error;

use super::blocking::{Blocking, Stopped};
use super::check::{self, Found, claim_of};
use super::config::AuditConfig;
use super::facts::{self, Clock, FillFacts, ModelFacts};
use super::job::{Decision, Failing, Job, Phase, Subject};
use super::journal::Journal;
use super::metrics::AuditMetrics;
use super::outbox::Outbox;
use super::scorer::Scorers;
use crate::application::{Application, wall_clock_ms};
use crate::blobs::Blobs;
use crate::store::NodeStore;

/// Why an audit cannot go on at the moment.
#[derive(Debug, Error)]
pub(super) enum StepError {
    #[error(transparent)]
    Chain(#[from] ChainError),
    #[error(transparent)]
    Journal(#[from] StoreError),
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// What audits work with.
pub(super) struct Context {
    pub(super) application: Arc<Application>,
    pub(super) journal: Arc<Journal>,
    pub(super) blobs: Blobs,
    pub(super) scorers: Scorers,
    pub(super) outbox: Outbox,
    pub(super) config: AuditConfig,
    pub(super) metrics: AuditMetrics,
    pub(super) blocking: Blocking,
}

/// What the chain says of the subject.
pub(super) enum Facts {
    Fill(Box<FillFacts>),
    Model(Box<ModelFacts>),
    /// There is no such thing any more.
    Gone,
}

impl Facts {
    fn is_audited(&self, job: &Job) -> bool {
        match (self, &job.subject) {
            (Self::Fill(facts), _) => facts.is_audited,
            // An update has replaced them: they can do no harm any more.
            (Self::Model(facts), Subject::Weights { weights, .. }) => {
                facts.is_audited && facts.weights.as_ref() == Some(&**weights)
            }
            (Self::Model(_) | Self::Gone, _) => false,
        }
    }

    pub(super) fn may_report(&self) -> bool {
        match self {
            Self::Fill(facts) => facts.may_report,
            Self::Model(facts) => facts.may_report,
            Self::Gone => false,
        }
    }

    pub(super) fn report(&self) -> Option<Decision> {
        match self {
            Self::Fill(facts) => facts.report.map(Decision::Submission),
            Self::Model(facts) => facts.report.map(Decision::Model),
            Self::Gone => None,
        }
    }
}

impl Context {
    /// Works on `job` until it must wait or is over. What becomes of it is on disk.
    pub(super) async fn advance(self: &Arc<Self>, job: &mut Job) -> Result<(), StepError> {
        loop {
            let now_ms = wall_clock_ms();
            if job.phase.is_over() || job.due_ms > now_ms {
                return Ok(());
            }
            let facts = self.facts(job).await?;
            let clock = Clock::of(&self.application);
            if !facts.is_audited(job) {
                self.end(job);
            } else {
                match job.phase {
                    Phase::Check => self.check(job, &facts, &clock).await,
                    Phase::Settle => self.settle(job, &facts, &clock).await,
                    Phase::Watch => self.look_again(job, &facts, now_ms),
                    Phase::Done | Phase::Expired => {}
                }
            }
            self.save(job).await?;
        }
    }

    /// The audit window is over.
    fn end(&self, job: &mut Job) {
        job.outgoing = None;
        let kind = job.subject.kind();
        if job.decision.is_some() {
            job.phase = Phase::Done;
            return;
        }
        job.phase = Phase::Expired;
        AuditMetrics::count(&self.metrics.expired, kind);
        tracing::error!(
            audit = job.id, kind, subject = ?job.subject, attempts = job.attempts,
            trouble = job.trouble.as_deref().unwrap_or("none"),
            "an audit window ended without a verdict"
        );
    }

    async fn check(self: &Arc<Self>, job: &mut Job, facts: &Facts, clock: &Clock) {
        let begin_ms = wall_clock_ms();
        job.attempts = job.attempts.saturating_add(1);
        let after_ms = self.config.unavailable_after(clock.epoch_ms);
        let gap_ms = self.config.longest_pause(clock.epoch_ms).saturating_mul(4);
        let count = |job: &mut Job, failure: Option<Failure>, others_missing: bool| {
            let (now_ms, gap_ms) = (wall_clock_ms(), gap_ms.max(10_000));
            job.count(failure, others_missing, begin_ms, now_ms, gap_ms);
            Failing::lasted(job.failing, after_ms)
        };
        match (facts, &job.subject) {
            (Facts::Fill(facts), Subject::Fill { target }) => {
                let target = *target;
                job.challenged |= facts.is_challenged;
                let gone = Failing::lasted(job.others_failing, after_ms).counts();
                let (blobs, scorers) = (&self.blobs, &self.scorers);
                let found = check::submission(blobs, scorers, target, facts, gone, clock.dim).await;
                let lasted = count(job, found.result.err(), found.others_missing);
                let verdict = judge(&found.result, &lasted);
                let verdict = decided(verdict, Decision::Submission);
                log_submission(job, facts, &found, verdict);
                self.conclude(job, verdict, found, clock);
            }
            (Facts::Model(_), Subject::Weights { model, weights }) => {
                let (model, weights) = (*model, weights.clone());
                let (blobs, scorers) = (&self.blobs, &self.scorers);
                blobs.keep_weights(job.epoch, BlobRef::from(&*weights));
                let found = check::weights(blobs, scorers, model, &weights, clock.dim).await;
                let lasted = count(job, found.result.err(), false);
                let verdict = judge_weights(&found.result, &lasted);
                let verdict = decided(verdict, Decision::Model);
                tracing::info!(
                    audit = job.id, %model, attempt = job.attempts, result = ?found.result,
                    verdict = ?verdict, detail = found.trouble.as_deref().unwrap_or(""),
                    "weights checked"
                );
                self.conclude(job, verdict, found, clock);
            }
            _ => self.end(job),
        }
    }

    fn conclude<T>(
        &self,
        job: &mut Job,
        verdict: Option<Decision>,
        found: Found<T>,
        clock: &Clock,
    ) {
        let kind = job.subject.kind();
        let is_own = matches!(found.result, Err(Failure::Own));
        job.trouble = found.trouble;
        if let Some(decision) = verdict {
            let outcome = decision.reason();
            let outcome = outcome.as_deref().unwrap_or(decision.name());
            self.metrics.checked(kind, outcome);
            job.scores = found.scores;
            job.decision = Some(decision);
            job.decided_ms = Some(wall_clock_ms());
            job.fruitless = 0;
            job.failing = None;
            job.others_failing = None;
            job.phase = Phase::Settle;
            return;
        }
        if is_own {
            tracing::error!(
                audit = job.id,
                kind,
                attempt = job.attempts,
                trouble = job.trouble.as_deref().unwrap_or(""),
                "this validator cannot audit; it tries again and reports nobody"
            );
        }
        let outcome = if is_own { "own_trouble" } else { "undecided" };
        self.metrics.checked(kind, outcome);
        self.wait(job, clock);
    }

    /// Tries again later.
    pub(super) fn wait(&self, job: &mut Job, clock: &Clock) {
        AuditMetrics::count(&self.metrics.retries, job.subject.kind());
        job.fruitless = job.fruitless.saturating_add(1);
        let pause = self.config.pause_ms(job.fruitless, clock.epoch_ms);
        job.due_ms = wall_clock_ms().saturating_add(pause);
    }

    async fn facts(self: &Arc<Self>, job: &Job) -> Result<Facts, StepError> {
        let (subject, validator) = (job.subject.clone(), self.outbox.address());
        self.read(move |reader| {
            Ok(match &subject {
                Subject::Fill { target } => facts::of_fill(reader, target, &validator)?
                    .map_or(Facts::Gone, |facts| Facts::Fill(Box::new(facts))),
                Subject::Weights { model, .. } => facts::of_model(reader, model, &validator)?
                    .map_or(Facts::Gone, |facts| Facts::Model(Box::new(facts))),
            })
        })
        .await
    }

    /// Reads the chain on a blocking thread.
    pub(super) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        read: impl FnOnce(&Reader<'_, NodeStore>) -> Result<T, ChainError> + Send + 'static,
    ) -> Result<T, StepError> {
        let application = Arc::clone(&self.application);
        let read = move || read(&application.chain().reader());
        Ok(self.blocking.run(read).await??)
    }

    pub(super) async fn save(self: &Arc<Self>, job: &Job) -> Result<(), StepError> {
        let (journal, job) = (Arc::clone(&self.journal), job.clone());
        Ok(self.blocking.run(move || journal.save(&job)).await??)
    }
}

fn decided<F>(verdict: Verdict<F>, report: impl FnOnce(F) -> Decision) -> Option<Decision> {
    match verdict {
        Verdict::Honest => Some(Decision::Honest),
        Verdict::Report(fault) => Some(report(fault)),
        Verdict::Undecided => None,
    }
}

fn log_submission(job: &Job, facts: &FillFacts, found: &Found<Finding>, verdict: Option<Decision>) {
    let claim = claim_of(facts);
    let winner = found
        .scores
        .iter()
        .find(|score| score.model == claim.winner);
    let losses: Vec<String> = found
        .scores
        .iter()
        .map(|score| format!("{} {:?}", score.model, score.loss))
        .collect();
    tracing::info!(
        audit = job.id,
        subject = ?job.subject,
        attempt = job.attempts,
        winner = %claim.winner,
        claimed_loss = claim.loss,
        measured_loss = ?winner.and_then(|score| score.loss),
        claimed_distance = claim.distance,
        measured_distance = ?winner.and_then(|score| score.distance),
        losses = losses.join(", "),
        verdict = ?verdict,
        detail = found.trouble.as_deref().unwrap_or(""),
        "submission checked"
    );
}
