//! What an auditor concludes, when the comparison was possible and when it was not.

use serde::{Deserialize, Serialize};
use soma_types::{ModelFault, SubmissionFault};

use crate::compare::Finding;

/// Unavailability counts after retries over this part of an epoch: one tenth.
pub const UNAVAILABLE_PART: u64 = 10;

/// Why something could not be scored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// The data cannot be downloaded.
    DataUnavailable,
    /// What lies at the data's URL has another checksum or size.
    DataMismatch,
    /// The data is what was claimed, and cannot be scored: it is empty or too large.
    DataInvalid,
    /// Sealed weights cannot be downloaded. For a submission: the winner's.
    WeightsUnavailable,
    /// What lies at the weights' URL has another checksum or size.
    WeightsMismatch,
    /// The key does not open the weights.
    Undecryptable,
    /// The opened file has another checksum than committed.
    PlaintextMismatch,
    /// The opened file is not a model of the network's size, or has numbers that are not finite.
    InvalidWeights,
    /// The weights of an assigned model other than the winner cannot be had; they are waited for, and
    /// left out when they were missing for long enough.
    OtherWeights,
    /// The auditor's own trouble: its network, disk, memory, device or scorer.
    Own,
}

/// What an auditor concludes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict<Fault> {
    /// All is as claimed.
    Honest,
    /// To be reported.
    Report(Fault),
    /// Nothing can be said yet; try again.
    Undecided,
}

/// How long a failure has lasted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Persistence {
    /// Time from the first failed try to the last, all tries between failed too, in milliseconds.
    pub failing_for_ms: u64,
    /// Length of an epoch in milliseconds.
    pub epoch_ms: u64,
}

impl Persistence {
    /// True when the failure lasted at least a tenth of an epoch.
    pub const fn counts(&self) -> bool {
        // A network whose epochs last no time has nothing to wait for, and nothing to prove.
        self.epoch_ms > 0 && self.failing_for_ms >= self.epoch_ms.div_ceil(UNAVAILABLE_PART)
    }
}

/// The verdict on a submission.
///
/// Data that is unavailable, or is not what was claimed, counts once that lasted at least a tenth
/// of an epoch: before, a server may be restarting. The same holds for the winner's weights: without
/// them nobody can judge, and what nobody can judge must not be paid. Where the committed bytes prove
/// that they are no model, nobody can have scored with them, and the submitter named the winner.
pub fn judge(found: &Result<Finding, Failure>, lasted: &Persistence) -> Verdict<SubmissionFault> {
    let fault = match found {
        Ok(Finding::Consistent) => return Verdict::Honest,
        Ok(Finding::Mismatch(mismatch)) => mismatch.fault(),
        Err(Failure::DataUnavailable) if lasted.counts() => SubmissionFault::DataUnavailable,
        Err(Failure::DataMismatch) if lasted.counts() => SubmissionFault::DataMismatch,
        Err(Failure::DataInvalid) => SubmissionFault::DataInvalid,
        Err(Failure::WeightsUnavailable | Failure::WeightsMismatch) if lasted.counts() => {
            SubmissionFault::WinnerUnavailable
        }
        Err(Failure::Undecryptable | Failure::PlaintextMismatch | Failure::InvalidWeights) => {
            SubmissionFault::WinnerInvalid
        }
        Ok(Finding::Incomplete) | Err(_) => return Verdict::Undecided,
    };
    Verdict::Report(fault)
}

/// The verdict on revealed weights: `found` is what loading them gave.
///
/// What depends on a server counts once it lasted at least a tenth of an epoch; what follows from
/// bytes that match the commitment counts at once.
pub fn judge_weights(found: &Result<(), Failure>, lasted: &Persistence) -> Verdict<ModelFault> {
    let fault = match found {
        Ok(()) => return Verdict::Honest,
        Err(Failure::WeightsUnavailable) if lasted.counts() => ModelFault::WeightsUnavailable,
        Err(Failure::WeightsMismatch) if lasted.counts() => ModelFault::WeightsMismatch,
        Err(Failure::Undecryptable) => ModelFault::Undecryptable,
        Err(Failure::PlaintextMismatch) => ModelFault::PlaintextMismatch,
        Err(Failure::InvalidWeights) => ModelFault::InvalidWeights,
        Err(_) => return Verdict::Undecided,
    };
    Verdict::Report(fault)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::Mismatch;

    const EARLY: Persistence = Persistence {
        failing_for_ms: 99,
        epoch_ms: 1_000,
    };
    const LONG: Persistence = Persistence {
        failing_for_ms: 100,
        epoch_ms: 1_000,
    };

    #[test]
    fn unavailable_data_is_fraud_only_after_a_tenth_of_an_epoch() {
        let found = Err(Failure::DataUnavailable);
        assert_eq!(judge(&found, &EARLY), Verdict::Undecided);
        let fraud = Verdict::Report(SubmissionFault::DataUnavailable);
        assert_eq!(judge(&found, &LONG), fraud);
    }

    #[test]
    fn own_trouble_and_another_model_are_never_reported_however_long_that_lasts() {
        for failure in [Failure::Own, Failure::OtherWeights] {
            assert_eq!(judge(&Err(failure), &LONG), Verdict::Undecided);
            assert_eq!(judge_weights(&Err(failure), &LONG), Verdict::Undecided);
        }
    }

    #[test]
    fn a_winner_that_nobody_can_have_scored_with_is_a_fraud_at_once() {
        for failure in [
            Failure::Undecryptable,
            Failure::PlaintextMismatch,
            Failure::InvalidWeights,
        ] {
            let found = Err(failure);
            let fraud = Verdict::Report(SubmissionFault::WinnerInvalid);
            assert_eq!(judge(&found, &EARLY), fraud, "{failure:?}");
        }
        assert!(SubmissionFault::WinnerInvalid.is_fraud());
    }

    #[test]
    fn a_winner_that_nobody_can_have_is_reported_after_a_tenth_of_an_epoch_and_is_no_fraud() {
        for failure in [Failure::WeightsUnavailable, Failure::WeightsMismatch] {
            let found = Err(failure);
            assert_eq!(judge(&found, &EARLY), Verdict::Undecided, "{failure:?}");
            let fault = SubmissionFault::WinnerUnavailable;
            assert_eq!(judge(&found, &LONG), Verdict::Report(fault));
            assert!(!fault.is_fraud());
        }
    }

    #[test]
    fn trouble_with_data_does_not_hurt_the_model() {
        for failure in [
            Failure::DataUnavailable,
            Failure::DataMismatch,
            Failure::DataInvalid,
        ] {
            assert_eq!(judge_weights(&Err(failure), &LONG), Verdict::Undecided);
            assert!(matches!(judge(&Err(failure), &LONG), Verdict::Report(_)));
        }
    }

    #[test]
    fn what_the_committed_bytes_prove_counts_at_once() {
        let invalid = Err(Failure::InvalidWeights);
        let fraud = Verdict::Report(ModelFault::InvalidWeights);
        assert_eq!(judge_weights(&invalid, &EARLY), fraud);
        let mismatch = Mismatch::Loss {
            claimed: 1.0,
            measured: 2.0,
        };
        let fraud = Verdict::Report(SubmissionFault::WrongLoss);
        assert_eq!(judge(&Ok(Finding::Mismatch(mismatch)), &EARLY), fraud);
    }

    #[test]
    fn a_network_without_epoch_length_proves_no_absence() {
        let lasted = Persistence {
            failing_for_ms: u64::MAX,
            epoch_ms: 0,
        };
        let found = Err(Failure::DataUnavailable);
        assert_eq!(judge(&found, &lasted), Verdict::Undecided);
    }
}
