//! Comparing a claim with what was measured.

use serde::{Deserialize, Serialize};
use soma_types::{ModelId, SubmissionFault};
use thiserror::Error;

use crate::tolerance::{exceeds, within};

/// What a submission says of its data.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// The assigned model with the lowest loss.
    pub winner: ModelId,
    /// Its loss in nats.
    pub loss: f64,
    /// Distance of its embedding of the data to the target: 1 − cosine.
    pub distance: f64,
}

/// What the auditor's scorer found for one assigned model.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// The model.
    pub model: ModelId,
    /// Its loss in nats; may be NaN or infinite.
    pub loss: f64,
    /// Distance of its embedding of the data to the target; none when the embedding has no
    /// direction.
    pub distance: Option<f64>,
}

/// The outcome of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// The claim holds within the tolerance.
    Consistent,
    /// The claim does not hold.
    Mismatch(Mismatch),
    /// The claimed winner was not measured, so nothing can be said.
    Incomplete,
}

/// Why a claim does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mismatch {
    /// The loss of the claimed winner, or the claim itself, is not finite.
    #[error("the loss is not finite: claimed {claimed}, measured {measured}")]
    LossNotFinite {
        /// As claimed.
        claimed: f64,
        /// As measured.
        measured: f64,
    },
    /// Another model has a lower loss by more than the tolerance.
    #[error("model {better} has loss {better_loss}, the claimed winner {claimed_loss}")]
    WrongWinner {
        /// The model that should have won.
        better: ModelId,
        /// Its loss.
        better_loss: f64,
        /// The measured loss of the claimed winner.
        claimed_loss: f64,
    },
    /// The winner's loss differs by more than the tolerance.
    #[error("the loss is {measured}, claimed {claimed}")]
    Loss {
        /// As claimed.
        claimed: f64,
        /// As measured.
        measured: f64,
    },
    /// The embedding's distance differs by more than the tolerance, or there is none.
    #[error("the distance is {measured:?}, claimed {claimed}")]
    Distance {
        /// As claimed.
        claimed: f64,
        /// As measured.
        measured: Option<f64>,
    },
}

impl Mismatch {
    /// The fault that is reported to the chain.
    pub const fn fault(&self) -> SubmissionFault {
        match self {
            Self::LossNotFinite { .. } | Self::Loss { .. } => SubmissionFault::WrongLoss,
            Self::WrongWinner { .. } => SubmissionFault::WrongWinner,
            Self::Distance { .. } => SubmissionFault::WrongEmbedding,
        }
    }
}

/// Compares `claim` with the scores of the assigned models.
///
/// The winner's loss and distance must match within the tolerance, and no other model may have a
/// lower loss by more than the tolerance. Models whose loss is not finite cannot have won.
pub fn compare(claim: &Claim, measured: &[Measured]) -> Finding {
    let Some(winner) = measured.iter().find(|one| one.model == claim.winner) else {
        return Finding::Incomplete;
    };
    if !winner.loss.is_finite() || !claim.loss.is_finite() {
        return Finding::Mismatch(Mismatch::LossNotFinite {
            claimed: claim.loss,
            measured: winner.loss,
        });
    }
    let finite = measured.iter().filter(|one| one.loss.is_finite());
    if let Some(best) = finite.min_by(|a, b| a.loss.total_cmp(&b.loss))
        && exceeds(winner.loss, best.loss)
    {
        return Finding::Mismatch(Mismatch::WrongWinner {
            better: best.model,
            better_loss: best.loss,
            claimed_loss: winner.loss,
        });
    }
    if !within(claim.loss, winner.loss) {
        return Finding::Mismatch(Mismatch::Loss {
            claimed: claim.loss,
            measured: winner.loss,
        });
    }
    if !winner
        .distance
        .is_some_and(|distance| within(claim.distance, distance))
    {
        return Finding::Mismatch(Mismatch::Distance {
            claimed: claim.distance,
            measured: winner.distance,
        });
    }
    Finding::Consistent
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const A: ModelId = ModelId([1; 32]);
    const B: ModelId = ModelId([2; 32]);

    fn claim(loss: f64) -> Claim {
        Claim {
            winner: A,
            loss,
            distance: 0.9,
        }
    }

    fn measured(model: ModelId, loss: f64) -> Measured {
        Measured {
            model,
            loss,
            distance: Some(0.9),
        }
    }

    fn fault(finding: Finding) -> SubmissionFault {
        match finding {
            Finding::Mismatch(mismatch) => mismatch.fault(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn another_winner_is_fraud_only_beyond_the_tolerance() {
        let scores = |b| [measured(A, 2.0), measured(B, b)];
        assert_eq!(compare(&claim(2.0), &scores(1.981)), Finding::Consistent);
        let finding = compare(&claim(2.0), &scores(1.97));
        assert_eq!(fault(finding), SubmissionFault::WrongWinner);
    }

    #[test]
    fn a_loss_beyond_the_tolerance_is_fraud_in_both_directions() {
        let scores = [measured(A, 2.0)];
        for wrong in [1.95, 2.05, -2.0] {
            let finding = compare(&claim(wrong), &scores);
            assert_eq!(fault(finding), SubmissionFault::WrongLoss, "{wrong}");
        }
    }

    #[test]
    fn what_is_not_finite_never_passes() {
        for odd in [f64::NAN, f64::INFINITY] {
            let finding = compare(&claim(odd), &[measured(A, 2.0)]);
            assert_eq!(fault(finding), SubmissionFault::WrongLoss);
            let finding = compare(&claim(2.0), &[measured(A, odd)]);
            assert_eq!(fault(finding), SubmissionFault::WrongLoss);
            // Nor can it win.
            let scores = [measured(A, 2.0), measured(B, -odd)];
            assert_eq!(compare(&claim(2.0), &scores), Finding::Consistent);
        }
    }

    #[test]
    fn the_embedding_is_judged_by_its_distance() {
        let mut score = measured(A, 2.0);
        score.distance = Some(0.905);
        assert_eq!(compare(&claim(2.0), &[score]), Finding::Consistent);
        for wrong in [None, Some(f64::NAN), Some(0.95)] {
            score.distance = wrong;
            let finding = compare(&claim(2.0), &[score]);
            assert_eq!(fault(finding), SubmissionFault::WrongEmbedding);
        }
    }

    #[test]
    fn without_a_score_of_the_winner_nothing_is_said() {
        assert_eq!(
            compare(&claim(2.0), &[measured(B, 1.0)]),
            Finding::Incomplete
        );
        assert_eq!(compare(&claim(2.0), &[]), Finding::Incomplete);
    }

    proptest! {
        #[test]
        fn the_order_of_the_models_does_not_matter(
            losses in prop::collection::vec(prop::num::f64::ANY, 1..6),
            claimed in 0.0..4.0f64,
        ) {
            let mut scores: Vec<Measured> = losses
                .iter()
                .enumerate()
                .map(|(at, loss)| measured(ModelId([at as u8 + 1; 32]), *loss))
                .collect();
            let forward = compare(&claim(claimed), &scores);
            scores.reverse();
            let backward = compare(&claim(claimed), &scores);
            // Which of two equal losses is named may differ; the fault may not.
            let fault = |finding| match finding {
                Finding::Mismatch(mismatch) => Some(Mismatch::fault(&mismatch)),
                _ => None,
            };
            prop_assert_eq!(fault(forward), fault(backward));
        }

        #[test]
        fn an_honest_claim_with_noise_below_the_tolerance_always_passes(
            loss in 0.1..8.0f64, others in prop::collection::vec(0.0..3.0f64, 0..4),
            noise in -0.4..0.4f64,
        ) {
            // Each side is off by at most half of what is allowed.
            let wobble = noise * 0.01f64.max(0.01 * loss);
            let mut scores = vec![measured(A, loss)];
            for (at, more) in others.iter().enumerate() {
                scores.push(measured(ModelId([at as u8 + 2; 32]), loss + more));
            }
            prop_assert_eq!(compare(&claim(loss + wobble), &scores), Finding::Consistent);
        }
    }
}
