//! One step of an audit: check, or tell the chain what was found.

use std::sync::Arc;

use soma_audit::{Failure, Finding, Verdict, judge, judge_weights};
use soma_chain::{ChainError, Reader, StoreError};
use soma_types::{TimestampMs, TransactionKind};
use thiserror::Error;

use super::blocking::{Blocking, Stopped};
use super::check::{self, Found, claim_of};
use super::config::AuditConfig;
use super::facts::{self, Clock, FillFacts, ModelFacts};
use super::job::{Decision, Failing, Job, Phase, Report, Side, Subject};
use super::journal::Journal;
use super::metrics::AuditMetrics;
use super::outbox::{NotSent, Outbox};
use super::scorer::Scorers;
use crate::application::{Application, wall_clock_ms};
use crate::blobs::Blobs;
use crate::store::NodeStore;

/// Transactions of one audit that may fail before it is given up: each costs a fee.
const MAX_FAILURES: u32 = 3;

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
enum Facts {
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

    fn may_report(&self) -> bool {
        match self {
            Self::Fill(facts) => facts.may_report,
            Self::Model(facts) => facts.may_report,
            Self::Gone => false,
        }
    }

    fn report(&self) -> Option<Decision> {
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
        let count = |job: &mut Job, failure: Option<Failure>| {
            let now_ms = wall_clock_ms();
            job.failing = failure.and_then(|failure| {
                Failing::next(job.failing, failure, begin_ms, now_ms, gap_ms.max(10_000))
            });
            Failing::lasted(job.failing, after_ms)
        };
        match (facts, &job.subject) {
            (Facts::Fill(facts), Subject::Fill { target }) => {
                let target = *target;
                job.challenged |= facts.is_challenged;
                let failing = job.failing.filter(|failing| failing.side == Side::Weights);
                let gone = Failing::lasted(failing, after_ms).counts();
                let (blobs, scorers) = (&self.blobs, &self.scorers);
                let found = check::submission(blobs, scorers, target, facts, gone, clock.dim).await;
                let lasted = count(job, found.result.err());
                let verdict = judge(&found.result, &lasted);
                let verdict = decided(verdict, Decision::Submission);
                log_submission(job, facts, &found, verdict);
                self.conclude(job, verdict, found, clock);
            }
            (Facts::Model(_), Subject::Weights { model, weights }) => {
                let (model, weights) = (*model, weights.clone());
                let found = check::weights(&self.scorers, model, &weights, clock.dim).await;
                let lasted = count(job, found.result.err());
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
    fn wait(&self, job: &mut Job, clock: &Clock) {
        AuditMetrics::count(&self.metrics.retries, job.subject.kind());
        job.fruitless = job.fruitless.saturating_add(1);
        let pause = self.config.pause_ms(job.fruitless, clock.epoch_ms);
        job.due_ms = wall_clock_ms().saturating_add(pause);
    }

    /// Makes the chain's record of this validator say what it found.
    async fn settle(self: &Arc<Self>, job: &mut Job, facts: &Facts, clock: &Clock) {
        let on_chain = facts.report();
        match (job.decision, on_chain) {
            (None, _) => job.phase = Phase::Check,
            (Some(Decision::Honest), None) => job.phase = Phase::Done,
            (Some(Decision::Honest), Some(reason)) => {
                self.know(job, reason, clock);
                let kind = undo_kind(&job.subject);
                self.tell(job, kind, clock, None).await;
            }
            (Some(_), Some(reason)) => {
                self.know(job, reason, clock);
                self.watch(job, clock);
            }
            (Some(decision), None) => {
                let may = facts.may_report() && may_report_again(job, facts);
                match report_kind(&job.subject, decision) {
                    Some(kind) if may => self.tell(job, kind, clock, Some(decision)).await,
                    _ => job.phase = Phase::Done,
                }
            }
        }
    }

    /// Takes note of a report that is on chain.
    fn know(&self, job: &mut Job, reason: Decision, clock: &Clock) {
        let is_known = job
            .report
            .is_some_and(|report| report.undone_by.is_none() && is_of(job, &report, clock));
        if !is_known {
            let sent = job.outgoing.take().filter(|outgoing| !outgoing.undo);
            job.report = Some(Report {
                reason,
                transaction: sent.map(|outgoing| {
                    soma_crypto::transaction::transaction_digest(&outgoing.signed.transaction)
                }),
                epoch: clock.epoch,
                time_ms: wall_clock_ms(),
                undone_by: None,
            });
        }
    }

    async fn tell(
        self: &Arc<Self>,
        job: &mut Job,
        kind: TransactionKind,
        clock: &Clock,
        report: Option<Decision>,
    ) {
        let subject = job.subject.kind();
        match self.outbox.send(job, kind, report.is_none()).await {
            Ok(transaction) => {
                job.fruitless = 0;
                job.trouble = None;
                match report {
                    Some(reason) => {
                        AuditMetrics::count(&self.metrics.reports, subject);
                        tracing::warn!(audit = job.id, subject = ?job.subject, ?reason, %transaction, "reported");
                        job.report = Some(Report {
                            reason,
                            transaction: Some(transaction),
                            epoch: clock.epoch,
                            time_ms: wall_clock_ms(),
                            undone_by: None,
                        });
                        self.watch(job, clock);
                    }
                    None => {
                        AuditMetrics::count(&self.metrics.undone, subject);
                        tracing::warn!(audit = job.id, subject = ?job.subject, %transaction, "report taken back");
                        if let Some(report) = &mut job.report {
                            report.undone_by = Some(transaction);
                        }
                        job.phase = Phase::Done;
                    }
                }
            }
            Err(error) => {
                tracing::error!(audit = job.id, subject = ?job.subject, %error, "the chain could not be told");
                job.trouble = Some(error.to_string());
                self.wait(job, clock);
                if matches!(error, NotSent::Failed { .. }) && job.fruitless >= MAX_FAILURES {
                    job.phase = Phase::Done;
                }
            }
        }
    }

    /// A report is on chain. It is checked once more, before it is too late to take it back.
    fn watch(&self, job: &mut Job, clock: &Clock) {
        let is_weights = matches!(job.subject, Subject::Weights { .. });
        if job.rechecks > 0 {
            // Reports of a model are of one epoch: as long as it goes on, they are needed again.
            job.phase = if is_weights {
                Phase::Watch
            } else {
                Phase::Done
            };
            job.due_ms = clock.epoch_end_ms;
            return;
        }
        let now_ms = wall_clock_ms();
        let last_epoch = is_weights || clock.epoch > job.epoch;
        let end_ms = match last_epoch {
            true => clock.epoch_end_ms,
            false => clock.epoch_end_ms.saturating_add(clock.epoch_ms),
        };
        let quarter = self.config.recheck_after_ms.unwrap_or(clock.epoch_ms / 4);
        let half_of_rest = end_ms.saturating_sub(now_ms) / 2;
        job.phase = Phase::Watch;
        job.due_ms = now_ms.saturating_add(quarter.min(half_of_rest).max(1));
    }

    /// A reported subject is due: a first report is checked again; one that was checked again is
    /// repeated where the epoch of its report is over.
    fn look_again(&self, job: &mut Job, facts: &Facts, now_ms: TimestampMs) {
        let is_weights = matches!(job.subject, Subject::Weights { .. });
        if is_weights && facts.report().is_none() {
            job.phase = Phase::Settle;
        } else if job.rechecks == 0 {
            job.check_again(now_ms);
        } else {
            let clock = Clock::of(&self.application);
            self.watch(job, &clock);
            // The epoch is late: look again soon.
            job.due_ms = job
                .due_ms
                .max(now_ms.saturating_add(self.config.first_pause_ms.max(1)));
        }
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

/// True for the report that counts now: one of a model lasts until the end of its epoch.
fn is_of(job: &Job, report: &Report, clock: &Clock) -> bool {
    match job.subject {
        Subject::Fill { .. } => true,
        Subject::Weights { .. } => report.epoch == clock.epoch,
    }
}

/// A model that ended is reported once: each quorum would slash it again.
fn may_report_again(job: &Job, facts: &Facts) -> bool {
    match facts {
        Facts::Model(facts) => facts.is_active || job.report.is_none(),
        Facts::Fill(_) | Facts::Gone => true,
    }
}

fn decided<F>(verdict: Verdict<F>, fraud: impl FnOnce(F) -> Decision) -> Option<Decision> {
    match verdict {
        Verdict::Honest => Some(Decision::Honest),
        Verdict::Fraud(fault) => Some(fraud(fault)),
        Verdict::Undecided => None,
    }
}

fn report_kind(subject: &Subject, decision: Decision) -> Option<TransactionKind> {
    match (subject, decision) {
        (Subject::Fill { target }, Decision::Submission(reason)) => {
            Some(TransactionKind::ReportSubmission {
                target: *target,
                reason,
            })
        }
        (Subject::Weights { model, .. }, Decision::Model(reason)) => {
            Some(TransactionKind::ReportModel {
                model: *model,
                reason,
            })
        }
        _ => None,
    }
}

fn undo_kind(subject: &Subject) -> TransactionKind {
    match subject {
        Subject::Fill { target } => TransactionKind::UndoReportSubmission { target: *target },
        Subject::Weights { model, .. } => TransactionKind::UndoReportModel { model: *model },
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
