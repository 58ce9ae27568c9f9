//! Targets, what filled them, and what became of it.

use serde::{Deserialize, Serialize};
use soma_types::target::{Challenge, Fill, Payout, PinnedWeights, SubmissionFault};
use soma_types::time::Height;
use soma_types::{
    Address, Checksum, DataManifest, Epoch, ModelId, Shannons, Target, TargetId, TargetStatus,
};

use crate::model::WeightsView;

/// Submitted data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DataView {
    /// Where it lies.
    pub url: String,
    /// SHA3-256 of it.
    pub checksum: Checksum,
    /// Its size in bytes.
    pub size: u64,
}

impl From<&DataManifest> for DataView {
    fn from(data: &DataManifest) -> Self {
        Self {
            url: data.url.to_string(),
            checksum: data.checksum,
            size: data.size,
        }
    }
}

/// Weights of one assigned model as of the fill: what the audit judges by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PinnedWeightsView {
    /// The model.
    pub model: ModelId,
    /// Its weights; absent when the model had ended before the fill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<WeightsView>,
}

impl From<&PinnedWeights> for PinnedWeightsView {
    fn from(pinned: &PinnedWeights) -> Self {
        Self {
            model: pinned.model,
            weights: pinned.weights.as_ref().map(WeightsView::from),
        }
    }
}

/// The submission that filled a target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FillView {
    /// Who submitted the data and put up the bond.
    pub submitter: Address,
    /// The data.
    pub data: DataView,
    /// Distance of the data's embedding to the target.
    pub distance: f64,
    /// The distance in units of 2^-30.
    pub distance_fixed: u32,
    /// Loss of the winning model on the data in nats, as claimed.
    pub loss: f64,
    /// The loss in units of 2^-30.
    pub loss_fixed: u64,
    /// The model with the lowest loss of those assigned, as claimed.
    pub winning_model: ModelId,
    /// Its owner at the fill.
    pub winning_owner: Address,
    /// The submitter's bond.
    pub bond: Shannons,
    /// The epoch of the fill.
    pub epoch: Epoch,
    /// The block of the fill.
    pub height: Height,
    /// The first epoch in which it can be claimed.
    pub claimable_from: Epoch,
    /// Weights of all assigned models as of the fill.
    pub pinned_weights: Vec<PinnedWeightsView>,
    /// The data's embedding, with `include=embedding`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embedding: Option<Vec<f32>>,
}

impl From<&Fill> for FillView {
    fn from(fill: &Fill) -> Self {
        Self {
            submitter: fill.submitter,
            data: (&fill.data).into(),
            distance: fill.distance.to_f64(),
            distance_fixed: fill.distance.0,
            loss: fill.loss.to_f64(),
            loss_fixed: fill.loss.0,
            winning_model: fill.winning_model,
            winning_owner: fill.winning_owner,
            bond: fill.bond,
            epoch: fill.epoch,
            height: fill.height,
            claimable_from: fill.epoch.plus(2),
            pinned_weights: fill.pinned_weights.iter().map(Into::into).collect(),
            embedding: None,
        }
    }
}

/// Who got what when a target was claimed, in shannons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PayoutView {
    /// Who claimed.
    pub claimer: Address,
    /// The epoch of the claim.
    pub epoch: Epoch,
    /// Paid to the submitter, without the bond.
    pub submitter: Shannons,
    /// Paid to the model's pool and owner.
    pub model: Shannons,
    /// Paid to a claimer who was neither.
    pub claimer_share: Shannons,
}

impl From<&Payout> for PayoutView {
    fn from(payout: &Payout) -> Self {
        Self {
            claimer: payout.claimer,
            epoch: payout.epoch,
            submitter: payout.submitter,
            model: payout.model,
            claimer_share: payout.claimer_share,
        }
    }
}

/// A validator's report of a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReportView {
    /// Who reports.
    pub validator: Address,
    /// What is wrong.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub reason: SubmissionFault,
}

/// A challenge of a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChallengeView {
    /// Who challenges.
    pub challenger: Address,
    /// The challenger's bond.
    pub bond: Shannons,
    /// The block of the challenge.
    pub height: Height,
}

impl From<&Challenge> for ChallengeView {
    fn from(challenge: &Challenge) -> Self {
        Self {
            challenger: challenge.challenger,
            bond: challenge.bond,
            height: challenge.height,
        }
    }
}

/// A target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TargetView {
    /// Its id.
    pub id: TargetId,
    /// The epoch in which it was drawn and in which alone it can be filled.
    pub epoch: Epoch,
    /// `open`, `filled`, `claimable`, `claimed`, `expired`, `fraud` or `void`.
    pub status: String,
    /// The assigned models, nearest first.
    pub models: Vec<ModelId>,
    /// Data must lie at most this far from the target.
    pub distance_threshold: f64,
    /// The threshold in units of 2^-30.
    pub distance_threshold_fixed: u32,
    /// What a fill earns, all parties together.
    pub reward: Shannons,
    /// The submission.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fill: Option<FillView>,
    /// Who got what, once claimed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payout: Option<PayoutView>,
    /// The epoch in which the submission was proven a fraud.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fraud_epoch: Option<Epoch>,
    /// The epoch at whose end the submission became void: nobody could judge it, as the winner's
    /// weights could not be had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub void_epoch: Option<Epoch>,
    /// Reports of validators, when one target is asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reports: Vec<ReportView>,
    /// The challenge, when one target is asked for and there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub challenge: Option<ChallengeView>,
    /// Its direction, with `include=embedding`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embedding: Option<Vec<f32>>,
}

impl TargetView {
    /// The view of `target` as of epoch `now`, without embeddings, reports and challenge.
    pub fn new(target: &Target, now: Epoch) -> Self {
        let (payout, fraud_epoch, void_epoch) = match &target.status {
            TargetStatus::Claimed { payout, .. } => (Some(payout.into()), None, None),
            TargetStatus::Fraud { epoch, .. } => (None, Some(*epoch), None),
            TargetStatus::Void { epoch, .. } => (None, None, Some(*epoch)),
            TargetStatus::Open | TargetStatus::Filled(_) | TargetStatus::Expired => {
                (None, None, None)
            }
        };
        Self {
            id: target.id,
            epoch: target.epoch,
            status: target.status_at(now).to_owned(),
            models: target.models.to_vec(),
            distance_threshold: target.distance_threshold.to_f64(),
            distance_threshold_fixed: target.distance_threshold.0,
            reward: target.reward,
            fill: target.fill().map(FillView::from),
            payout,
            fraud_epoch,
            void_epoch,
            reports: Vec::new(),
            challenge: None,
            embedding: None,
        }
    }
}
