//! Would a submission hit? The chain's checks, before money moves.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};
use soma_targets::cosine_distance;
use soma_types::{
    Checksum, Distance, Embedding, Epoch, Loss, ModelId, Parameters, Shannons, TargetId,
};

use super::board::OpenTarget;
use super::book::{Score, Scored};
use soma_sdk::ModelVersion;

/// Objects that sealing and opening write.
const OBJECTS_WRITTEN: u64 = 2 + 4;

/// Fees of sealing and opening one submission.
pub fn fees(parameters: &Parameters) -> Shannons {
    let written = parameters.write_object_fee.saturating_mul(OBJECTS_WRITTEN);
    let base = parameters.base_fee.saturating_mul(2);
    Shannons(base.saturating_add(written))
}

/// What a submission must keep to, apart from its distance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Bond in shannons for each byte.
    pub bond_per_byte: u64,
    /// Fees of sealing and opening.
    pub fees: Shannons,
    /// The largest data in bytes.
    pub max_bytes: u64,
    /// The submitter's part of a reward, in basis points.
    pub submitter_bps: u64,
    /// The current epoch.
    pub epoch: Epoch,
}

impl Terms {
    /// The terms of the network in an epoch.
    pub fn new(parameters: &Parameters, epoch: Epoch) -> Self {
        Self {
            bond_per_byte: parameters.submission_bond_per_byte,
            fees: fees(parameters),
            max_bytes: parameters.max_submission_data_size,
            submitter_bps: parameters.target_submitter_reward_share_bps,
            epoch,
        }
    }

    /// The bond of `size` bytes.
    pub fn bond(&self, size: u64) -> Shannons {
        Shannons(self.bond_per_byte.saturating_mul(size))
    }

    /// What the submitter gets of a reward when nobody else claims it.
    pub fn submitters_part(&self, reward: Shannons) -> Shannons {
        let model = 10_000_u64.saturating_sub(self.submitter_bps);
        let model = reward.mul_div(model, 10_000).unwrap_or_default();
        reward.saturating_sub(model)
    }

    /// Names of the chain's checks that a submission would fail, in the chain's order. `balance`
    /// is what the submitter has, when that is known.
    pub fn failing(&self, claim: &Claim<'_>, balance: Option<Shannons>) -> Vec<&'static str> {
        let is_current = claim.epoch == self.epoch;
        let is_near = claim.distance.is_none_or(|d| d <= claim.threshold);
        // Without an active model nothing was scored.
        let has_loss = claim.has_winner || !claim.has_active_model;
        let has_direction = claim.distance.is_some() || !claim.has_active_model;
        // The chain takes both fees before the bond.
        let needed = self.bond(claim.size).saturating_add(self.fees);
        let checks = [
            (claim.status == "open" || !is_current, "TargetNotOpen"),
            (is_current, "TargetExpired"),
            (claim.has_active_model, "ModelNotActive"),
            (has_loss, "InvalidLoss"),
            (has_direction, "InvalidEmbedding"),
            (is_near, "DistanceExceedsThreshold"),
            (claim.size <= self.max_bytes, "DataExceedsMaxSize"),
            (claim.size > 0, "EmptyData"),
            (claim.data_is_free, "DuplicateData"),
            (
                balance.is_none_or(|balance| balance >= needed),
                "InsufficientBond",
            ),
        ];
        let failing = checks.iter().filter(|(holds, _)| !holds);
        failing.map(|(_, name)| *name).collect()
    }
}

/// What a submission would claim, and of which target.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// Status of the target.
    pub status: &'a str,
    /// Epoch of the target.
    pub epoch: Epoch,
    /// Threshold of the target.
    pub threshold: Distance,
    /// False when no assigned model is active now: only active ones can win.
    pub has_active_model: bool,
    /// True when some active model has a finite loss.
    pub has_winner: bool,
    /// False when somebody else submitted the same data before, or the submitter did so in an
    /// earlier epoch.
    pub data_is_free: bool,
    /// Distance of the winner's embedding; none when it is no direction.
    pub distance: Option<Distance>,
    /// Bytes of data.
    pub size: u64,
}

/// Data that would fill a target now.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// The data.
    pub checksum: Checksum,
    /// Its bytes.
    pub size: u64,
    /// The target.
    pub target: TargetId,
    /// The assigned model with the lowest loss.
    pub model: ModelId,
    /// Its loss in nats.
    pub loss: f64,
    /// Distance to the target.
    pub distance: Distance,
}

/// How near a candidate came to a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Near {
    /// The target.
    pub target: TargetId,
    /// The distance in units of 2^-30.
    pub distance: Distance,
    /// What the target allows, in units of 2^-30.
    pub threshold: Distance,
}

impl Near {
    /// By how much the distance exceeds the threshold.
    pub fn excess(&self) -> u32 {
        self.distance.0.saturating_sub(self.threshold.0)
    }
}

/// What came of a candidate and a target.
#[derive(Clone, Debug, PartialEq)]
pub enum Judged {
    /// It would fill it.
    Hit(Hit),
    /// It lies too far away.
    TooFar(Near),
    /// No assigned model has a finite loss and a direction.
    NoWinner,
    /// Not all assigned models scored it yet, or there is none.
    NotScored,
}

/// The model with the lowest finite loss of `versions`, with its score.
pub(crate) fn winner<'a>(
    candidate: &'a Scored,
    versions: &[ModelVersion],
) -> Option<(ModelVersion, f64, &'a Score)> {
    let scores = versions.iter().filter_map(|version| {
        let score = candidate.scores.get(version)?;
        Some((*version, score.loss?, score))
    });
    // Equal losses are the same to the audit; the weights decide, as in the scorer.
    scores.min_by(|(a, x, _), (b, y, _)| match x.total_cmp(y) {
        Ordering::Equal => a.weights.cmp(&b.weights),
        order => order,
    })
}

/// Checks a candidate against a target whose deciding models are `versions`.
pub fn judge(
    checksum: Checksum,
    candidate: &Scored,
    target: &OpenTarget,
    versions: &[ModelVersion],
) -> Judged {
    let is_scored = |version: &ModelVersion| candidate.scores.contains_key(version);
    if versions.is_empty() || !versions.iter().all(is_scored) {
        return Judged::NotScored;
    }
    let Some((winner, loss, score)) = winner(candidate, versions) else {
        return Judged::NoWinner;
    };
    let embedding = score.embedding.as_deref();
    let embedding = embedding.and_then(|numbers| Embedding::from_f32(numbers).ok());
    let distance = embedding.and_then(|place| cosine_distance(&place, &target.embedding).ok());
    let (Some(distance), Some(_)) = (distance, Loss::from_f64(loss)) else {
        return Judged::NoWinner;
    };
    match distance <= target.threshold {
        true => Judged::Hit(Hit {
            checksum,
            size: candidate.piece.size,
            target: target.id,
            model: winner.model,
            loss,
            distance,
        }),
        false => Judged::TooFar(Near {
            target: target.id,
            distance,
            threshold: target.threshold,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_of_the_chain_has_its_name() {
        let terms = Terms {
            bond_per_byte: 65,
            fees: Shannons(3_800),
            max_bytes: 100,
            submitter_bps: 5_000,
            epoch: Epoch(3),
        };
        let good = Claim {
            status: "open",
            epoch: Epoch(3),
            threshold: Distance(10),
            has_active_model: true,
            has_winner: true,
            data_is_free: true,
            distance: Some(Distance(10)),
            size: 100,
        };
        // The bond of 6,500, and the fees.
        let balance = Some(Shannons(10_300));
        assert!(terms.failing(&good, balance).is_empty());
        let too_little = Some(Shannons(10_299));
        assert_eq!(terms.failing(&good, too_little), ["InsufficientBond"]);
        assert!(terms.failing(&good, None).is_empty());
        let failing = |change: fn(&mut Claim<'_>)| {
            let mut claim = good;
            change(&mut claim);
            terms.failing(&claim, balance)
        };
        assert_eq!(failing(|c| c.status = "filled"), ["TargetNotOpen"]);
        assert_eq!(failing(|c| c.epoch = Epoch(2)), ["TargetExpired"]);
        let unscored = |c: &mut Claim<'_>| {
            (c.has_active_model, c.has_winner, c.distance) = (false, false, None);
        };
        assert_eq!(failing(unscored), ["ModelNotActive"]);
        assert_eq!(failing(|c| c.has_winner = false), ["InvalidLoss"]);
        assert_eq!(failing(|c| c.distance = None), ["InvalidEmbedding"]);
        let far = |c: &mut Claim<'_>| c.distance = Some(Distance(11));
        assert_eq!(failing(far), ["DistanceExceedsThreshold"]);
        assert_eq!(failing(|c| c.size = 0), ["EmptyData"]);
        assert_eq!(failing(|c| c.data_is_free = false), ["DuplicateData"]);
        let large = |c: &mut Claim<'_>| c.size = 101;
        assert_eq!(failing(large), ["DataExceedsMaxSize", "InsufficientBond"]);
    }
}
