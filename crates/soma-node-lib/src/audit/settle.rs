//! After the verdict: the chain is told, reports are looked at again, and taken back where they do
//! not hold.

use std::sync::Arc;

use soma_types::{TimestampMs, TransactionKind};

use super::facts::Clock;
use super::job::{Decision, Job, Phase, Report, Subject};
use super::metrics::AuditMetrics;
use super::outbox::NotSent;
use super::step::{Context, Facts};
use crate::application::wall_clock_ms;

/// Transactions of one audit that may fail before it is given up: each costs a fee.
const MAX_FAILURES: u32 = 3;

impl Context {
    /// Makes the chain's record of this validator say what it found.
    pub(super) async fn settle(self: &Arc<Self>, job: &mut Job, facts: &Facts, clock: &Clock) {
        let on_chain = facts.report();
        match (job.decision, on_chain) {
            (None, _) => job.phase = Phase::Check,
            (Some(Decision::Honest), None) => job.phase = Phase::Done,
            // The report does not hold, or says fraud where it should say void or the other way
            // round: the chain counts these apart.
            (Some(decision), Some(reason)) if decision.name() != reason.name() => {
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
                        // Another verdict than honest is reported in place of what was taken back.
                        if job.decision == Some(Decision::Honest) {
                            job.phase = Phase::Done;
                        }
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
    pub(super) fn look_again(&self, job: &mut Job, facts: &Facts, now_ms: TimestampMs) {
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
