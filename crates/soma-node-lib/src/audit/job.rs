//! One audit: what it is about, how far it is, what came out.

use serde::{Deserialize, Serialize};
use soma_audit::{Failure, Persistence};
use soma_types::{
    Digest, Epoch, ModelFault, ModelId, SignedTransaction, SubmissionFault, TargetId, TimestampMs,
    WeightsManifest,
};

/// What is audited.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// The submission on a target.
    Fill {
        /// The target.
        target: TargetId,
    },
    /// Weights that a model revealed.
    Weights {
        /// The model.
        model: ModelId,
        /// What was revealed.
        weights: Box<WeightsManifest>,
    },
}

impl Subject {
    /// The kind as one word, as in the API and in metrics.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Fill { .. } => "submission",
            Self::Weights { .. } => "weights",
        }
    }
}

/// How far an audit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// To be checked.
    Check,
    /// The verdict is known; the chain may have to be told.
    Settle,
    /// Reported; looked at again when it is due.
    Watch,
    /// Nothing is left to do.
    Done,
    /// The audit window ended without a verdict.
    Expired,
}

impl Phase {
    /// The phase as one word, as in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Check => "checking",
            Self::Settle => "reporting",
            Self::Watch => "watching",
            Self::Done => "done",
            Self::Expired => "expired",
        }
    }

    /// True when nothing is left to do.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Expired)
    }
}

/// A verdict that was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// All is as claimed.
    Honest,
    /// The submission is a fraud, or nobody can judge it.
    Submission(SubmissionFault),
    /// The weights are not what was committed.
    Model(ModelFault),
}

impl Decision {
    /// `honest`, `fraud`, or `void` for a submission that nobody can judge.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Honest => "honest",
            Self::Submission(fault) if !fault.is_fraud() => "void",
            Self::Submission(_) | Self::Model(_) => "fraud",
        }
    }

    /// What is wrong, by its name on chain.
    pub fn reason(self) -> Option<String> {
        let name = match self {
            Self::Honest => return None,
            Self::Submission(fault) => serde_json::to_value(fault),
            Self::Model(fault) => serde_json::to_value(fault),
        };
        name.ok()?.as_str().map(str::to_owned)
    }
}

/// Whose trouble a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The submitter's.
    Data,
    /// The audited model's, or the winner's.
    Weights,
    /// Another model's.
    Others,
}

/// A blob that cannot be had as it was claimed, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failing {
    /// Whose blob.
    pub side: Side,
    /// The first failed try.
    pub since_ms: TimestampMs,
    /// The end of the last.
    pub last_ms: TimestampMs,
    /// Failed tries, without a gap between them.
    pub tries: u32,
}

/// Tries that a missing blob is given at least, however long ago the first was.
const LEAST_TRIES: u32 = 3;

impl Failing {
    /// Counts a try that began at `begin_ms` and failed until `now_ms`. After a pause of more than
    /// `gap_ms`, when this node itself was away, the count starts over.
    pub(super) fn next(
        before: Option<Self>,
        failure: Failure,
        begin_ms: TimestampMs,
        now_ms: TimestampMs,
        gap_ms: u64,
    ) -> Option<Self> {
        let side = side_of(failure)?;
        let fresh = Self {
            side,
            since_ms: begin_ms,
            last_ms: now_ms,
            tries: 1,
        };
        Some(match before {
            Some(before)
                if before.side == side && begin_ms.saturating_sub(before.last_ms) <= gap_ms =>
            {
                Self {
                    last_ms: now_ms,
                    tries: before.tries.saturating_add(1),
                    ..before
                }
            }
            _ => fresh,
        })
    }

    /// For the rules: blobs must be missing for `after_ms`.
    pub(super) fn lasted(failing: Option<Self>, after_ms: u64) -> Persistence {
        let epoch_ms = after_ms.saturating_mul(soma_audit::verdict::UNAVAILABLE_PART);
        let failing_for_ms = match failing {
            Some(failing) if failing.tries >= LEAST_TRIES => {
                failing.last_ms.saturating_sub(failing.since_ms)
            }
            _ => 0,
        };
        Persistence {
            failing_for_ms,
            epoch_ms,
        }
    }
}

/// Whose blob is missing; none for what is not about a missing blob.
fn side_of(failure: Failure) -> Option<Side> {
    match failure {
        Failure::DataUnavailable | Failure::DataMismatch => Some(Side::Data),
        Failure::WeightsUnavailable | Failure::WeightsMismatch => Some(Side::Weights),
        Failure::OtherWeights => Some(Side::Others),
        _ => None,
    }
}

/// What the scorer found for one model. Numbers are absent where they are not finite.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// The model.
    pub model: ModelId,
    /// Its loss in nats.
    pub loss: Option<f64>,
    /// Distance of its embedding to the target.
    pub distance: Option<f64>,
}

/// What the chain was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// What is wrong.
    pub reason: Decision,
    /// The transaction; none when the report was found on chain.
    pub transaction: Option<Digest>,
    /// The epoch in which it was sent or found.
    pub epoch: Epoch,
    /// When.
    pub time_ms: TimestampMs,
    /// The transaction that took it back.
    pub undone_by: Option<Digest>,
}

/// A transaction that was signed and may be on its way. Kept before it is sent, so that a node
/// that restarts sends the same one and not another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outgoing {
    /// Takes the report back.
    pub undo: bool,
    /// The epoch for which it was signed.
    pub epoch: Epoch,
    /// The transaction.
    pub signed: SignedTransaction,
}

/// One audit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Its number; later audits have higher ones.
    pub id: u64,
    /// What is audited.
    pub subject: Subject,
    /// The epoch of the fill, or the one in which the weights were found.
    pub epoch: Epoch,
    /// When this node learned of it.
    pub found_ms: TimestampMs,
    /// How far it is.
    pub phase: Phase,
    /// When there is something to do next.
    pub due_ms: TimestampMs,
    /// Checks that were tried.
    pub attempts: u32,
    /// Checks in a row without a verdict.
    pub fruitless: u32,
    /// The blob that cannot be had: the data, the audited weights, or the winner's.
    pub failing: Option<Failing>,
    /// Weights of models other than the winner that cannot be had. Counted beside the winner's: a
    /// check ends at the first that is missing, and which one that is depends on their servers.
    #[serde(default)]
    pub others_failing: Option<Failing>,
    /// Why the last check gave no verdict, or the chain could not be told.
    pub trouble: Option<String>,
    /// The newest verdict.
    pub decision: Option<Decision>,
    /// When it was reached.
    pub decided_ms: Option<TimestampMs>,
    /// What the scorer found.
    pub scores: Vec<Score>,
    /// Checks after the first verdict.
    pub rechecks: u32,
    /// True once a challenge asked for a check.
    pub challenged: bool,
    /// What the chain was told.
    pub report: Option<Report>,
    /// A transaction on its way.
    pub outgoing: Option<Outgoing>,
}

impl Job {
    pub(super) fn new(id: u64, subject: Subject, epoch: Epoch, now_ms: TimestampMs) -> Self {
        Self {
            id,
            subject,
            epoch,
            found_ms: now_ms,
            phase: Phase::Check,
            due_ms: now_ms,
            attempts: 0,
            fruitless: 0,
            failing: None,
            others_failing: None,
            trouble: None,
            decision: None,
            decided_ms: None,
            scores: Vec::new(),
            rechecks: 0,
            challenged: false,
            report: None,
            outgoing: None,
        }
    }

    /// Asks for another check. One that has no verdict yet only becomes due.
    pub(super) fn check_again(&mut self, now_ms: TimestampMs) {
        self.due_ms = now_ms;
        if self.phase != Phase::Check {
            self.phase = Phase::Check;
            self.rechecks = self.rechecks.saturating_add(1);
            self.fruitless = 0;
            self.failing = None;
            self.others_failing = None;
        }
    }

    /// Counts for how long blobs are missing, after a check that began at `begin_ms` and ended at
    /// `now_ms` with `failure`. A check that ended at other models' weights says nothing about the
    /// winner's, and one that found none of theirs missing may not have come to them: such a count
    /// stays as it is.
    pub(super) fn count(
        &mut self,
        failure: Option<Failure>,
        others_missing: bool,
        begin_ms: TimestampMs,
        now_ms: TimestampMs,
        gap_ms: u64,
    ) {
        let next = |before, failure| Failing::next(before, failure, begin_ms, now_ms, gap_ms);
        let others = match others_missing {
            true => next(self.others_failing, Failure::OtherWeights),
            false => self.others_failing,
        };
        (self.failing, self.others_failing) = match failure {
            None | Some(Failure::Own) => (None, None),
            // The data was there.
            Some(Failure::OtherWeights) => {
                let of_winner = self.failing.filter(|failing| failing.side == Side::Weights);
                (of_winner, others)
            }
            Some(failure) => (next(self.failing, failure), others),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GAP: u64 = 100;

    fn fail(before: Option<Failing>, failure: Failure, at: u64) -> Option<Failing> {
        Failing::next(before, failure, at, at + 1, GAP)
    }

    #[test]
    fn a_missing_blob_counts_from_the_first_of_several_tries_without_a_gap() {
        let mut failing = fail(None, Failure::DataUnavailable, 1_000);
        for at in [1_090, 1_180] {
            assert_eq!(Failing::lasted(failing, 180).failing_for_ms, 0);
            failing = fail(failing, Failure::DataMismatch, at);
        }
        let lasted = Failing::lasted(failing, 181);
        assert_eq!((lasted.failing_for_ms, lasted.epoch_ms), (181, 1_810));
        assert!(lasted.counts());
        assert!(!Failing::lasted(failing, 182).counts());
    }

    #[test]
    fn own_trouble_a_gap_and_another_side_start_the_count_over() {
        let first = fail(None, Failure::DataUnavailable, 1_000);
        assert_eq!(fail(first, Failure::Own, 1_010), None);
        let after_gap = fail(first, Failure::DataUnavailable, 1_102);
        assert_eq!(after_gap.unwrap().since_ms, 1_102);
        let other = fail(first, Failure::WeightsUnavailable, 1_010);
        assert_eq!(other.unwrap().since_ms, 1_010);
    }

    /// A job after checks at these times that ended so; others are missing in all of them.
    fn after(checks: &[(u64, Failure)]) -> Job {
        let target = TargetId([1; 32]);
        let mut job = Job::new(1, Subject::Fill { target }, Epoch(0), 0);
        for (at, failure) in checks {
            job.count(Some(*failure), true, *at, *at + 1, GAP);
        }
        job
    }

    #[test]
    fn missing_weights_of_the_winner_count_whichever_model_a_check_ends_at() {
        let winner = Failure::WeightsUnavailable;
        let mixed = [
            (1_000, winner),
            (1_050, Failure::OtherWeights),
            (1_100, winner),
            (1_150, Failure::OtherWeights),
            (1_200, winner),
        ];
        let job = after(&mixed);
        assert_eq!(Failing::lasted(job.failing, 201).failing_for_ms, 201);
        assert!(Failing::lasted(job.others_failing, 201).counts());
        // After a gap it counts anew, and so it does after this node's own trouble.
        let job = after(&[(1_000, winner), (1_102, winner)]);
        assert_eq!(job.failing.unwrap().since_ms, 1_102);
        let job = after(&[(1_000, winner), (1_010, Failure::Own)]);
        assert_eq!((job.failing, job.others_failing), (None, None));
    }

    #[test]
    fn a_submission_that_nobody_can_judge_is_void_and_no_fraud() {
        let void = Decision::Submission(SubmissionFault::WinnerUnavailable);
        assert_eq!(void.name(), "void");
        assert_eq!(void.reason().as_deref(), Some("winner_unavailable"));
        let fraud = Decision::Submission(SubmissionFault::WinnerInvalid);
        assert_eq!(fraud.name(), "fraud");
    }

    #[test]
    fn a_reason_has_its_name_on_chain() {
        let fraud = Decision::Submission(SubmissionFault::WrongLoss);
        assert_eq!(fraud.reason().as_deref(), Some("wrong_loss"));
        assert_eq!(Decision::Honest.reason(), None);
    }
}
