//! From what the journal keeps to the API's shapes.

use soma_api::{AuditReportView, AuditView, ClaimView, MeasuredView};
use soma_types::Fill;

use super::job::{Job, Subject};

impl Job {
    /// The view of this audit; `fill` is the submission that it is about.
    pub fn view(&self, fill: Option<&Fill>) -> AuditView {
        let (target, model, weights) = match &self.subject {
            Subject::Fill { target } => (Some(*target), None, None),
            Subject::Weights { model, weights } => (None, Some(*model), Some(weights.checksum)),
        };
        let measured = self.scores.iter().map(|score| MeasuredView {
            model: score.model,
            loss: score.loss,
            distance: score.distance,
        });
        AuditView {
            id: self.id,
            kind: self.subject.kind().to_owned(),
            target,
            model,
            weights,
            epoch: self.epoch,
            state: self.phase.name().to_owned(),
            verdict: self.decision.map(|decision| decision.name().to_owned()),
            reason: self.decision.and_then(|decision| decision.reason()),
            found_ms: self.found_ms,
            decided_ms: self.decided_ms,
            attempts: self.attempts,
            trouble: self.trouble.clone(),
            claim: fill.map(claim),
            measured: measured.collect(),
            report: self.report.map(|report| AuditReportView {
                reason: report.reason.reason().unwrap_or_default(),
                transaction: report.transaction,
                epoch: report.epoch,
                undone_by: report.undone_by,
            }),
        }
    }
}

/// What a submission claims.
pub fn claim(fill: &Fill) -> ClaimView {
    ClaimView {
        winner: fill.winning_model,
        loss: fill.loss.to_f64(),
        distance: fill.distance.to_f64(),
    }
}
