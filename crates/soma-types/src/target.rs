//! Targets and their submissions.

use serde::{Deserialize, Serialize};

use crate::bounded::BoundedVec;
use crate::embedding::{Distance, Loss};
use crate::id::{Address, ModelId, TargetId};
use crate::manifest::{DataManifest, WeightsManifest};
use crate::money::Shannons;
use crate::time::{Epoch, Height};

/// The most models that a network may assign to a target.
pub const MAX_MODELS_PER_TARGET: usize = 16;

/// A direction in embedding space that waits for data. Its embedding is stored beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Its id.
    pub id: TargetId,
    /// The epoch in which it was drawn and in which alone it can be filled.
    pub epoch: Epoch,
    /// The assigned models, nearest first.
    pub models: BoundedVec<ModelId, MAX_MODELS_PER_TARGET>,
    /// Data must lie at most this far from the target.
    pub distance_threshold: Distance,
    /// What a fill earns, all parties together.
    pub reward: Shannons,
    /// Where it is in its life.
    pub status: TargetStatus,
}

/// Where a target is in its life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetStatus {
    /// Waits for data.
    Open,
    /// Has data; audited in the epoch of the fill and the next, claimable after that.
    Filled(Box<Fill>),
    /// Paid out.
    Claimed {
        /// The submission.
        fill: Box<Fill>,
        /// Who got what.
        payout: Payout,
    },
    /// The submission was proven a fraud; its bond was slashed.
    Fraud {
        /// The submission.
        fill: Box<Fill>,
        /// The epoch of the verdict.
        epoch: Epoch,
    },
    /// Not filled in its epoch.
    Expired,
    /// The winner's weights could not be had, so nobody could judge the submission: nobody was paid,
    /// and nobody lost a bond.
    Void {
        /// The submission.
        fill: Box<Fill>,
        /// The epoch of the verdict.
        epoch: Epoch,
    },
}

impl TargetStatus {
    /// The stored status as one word. A filled target whose audit is over also counts as
    /// claimable: see [`Target::status_at`].
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Filled(_) => "filled",
            Self::Claimed { .. } => "claimed",
            Self::Fraud { .. } => "fraud",
            Self::Expired => "expired",
            Self::Void { .. } => "void",
        }
    }
}

impl Target {
    /// The submission, when there is one.
    pub fn fill(&self) -> Option<&Fill> {
        match &self.status {
            TargetStatus::Filled(fill)
            | TargetStatus::Claimed { fill, .. }
            | TargetStatus::Fraud { fill, .. }
            | TargetStatus::Void { fill, .. } => Some(fill),
            TargetStatus::Open | TargetStatus::Expired => None,
        }
    }

    /// The status in `epoch` as one word: open, filled, claimable, claimed, fraud, expired or
    /// void.
    pub fn status_at(&self, epoch: Epoch) -> &'static str {
        match &self.status {
            TargetStatus::Filled(fill) if fill.is_claimable_in(epoch) => "claimable",
            TargetStatus::Open if epoch > self.epoch => "expired",
            status => status.name(),
        }
    }
}

/// The submission that filled a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fill {
    /// Who submitted the data and put up the bond.
    pub submitter: Address,
    /// The submitted data.
    pub data: DataManifest,
    /// Distance of the submitted embedding to the target, computed by the chain.
    pub distance: Distance,
    /// Loss of the winning model on the data, as claimed.
    pub loss: Loss,
    /// The model claimed to have the lowest loss of those assigned.
    pub winning_model: ModelId,
    /// Its owner at the fill.
    pub winning_owner: Address,
    /// The submitter's bond.
    pub bond: Shannons,
    /// The epoch of the fill.
    pub epoch: Epoch,
    /// The block of the fill.
    pub height: Height,
    /// Weights of all assigned models as of the fill: what the audit judges by.
    pub pinned_weights: BoundedVec<PinnedWeights, MAX_MODELS_PER_TARGET>,
}

impl Fill {
    /// True once the audit window (the epoch of the fill and the next) is over.
    pub fn is_claimable_in(&self, epoch: Epoch) -> bool {
        epoch >= self.epoch.plus(2)
    }
}

/// Weights of one assigned model, as of the fill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinnedWeights {
    /// The model.
    pub model: ModelId,
    /// Its weights; none when the model had ended before the fill.
    pub weights: Option<WeightsManifest>,
}

/// Who got what when a target was claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payout {
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

/// A challenge of a submission, with its bond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    /// Who challenges.
    pub challenger: Address,
    /// The challenger's bond.
    pub bond: Shannons,
    /// The block of the challenge.
    pub height: Height,
}

/// Who used some data first, by its checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataRecord {
    /// Who submitted it.
    pub submitter: Address,
    /// The epoch in which it first filled a target.
    pub epoch: Epoch,
}

/// Why a validator reports a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubmissionFault {
    /// The data could not be had for at least a tenth of an epoch.
    DataUnavailable,
    /// The data has another checksum or size.
    DataMismatch,
    /// The data cannot be scored at all.
    DataInvalid,
    /// Another assigned model has a lower loss by more than the tolerance.
    WrongWinner,
    /// The loss differs by more than the tolerance, or is not finite.
    WrongLoss,
    /// The embedding's distance differs by more than the tolerance, or is not finite.
    WrongEmbedding,
    /// The winner's weights are what was committed, and no model: nobody can have scored with them.
    WinnerInvalid,
    /// The winner's weights could not be had, or were not the committed bytes, for at least a tenth
    /// of an epoch: nobody can judge the submission.
    WinnerUnavailable,
}

impl SubmissionFault {
    /// True for what only the submitter can have done. The submitter does not keep the winner's
    /// weights: where they cannot be had, a quorum of reports makes the submission void instead.
    pub const fn is_fraud(self) -> bool {
        !matches!(self, Self::WinnerUnavailable)
    }
}

/// Why a validator reports a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelFault {
    /// The weights could not be had for at least a tenth of an epoch.
    WeightsUnavailable,
    /// The sealed file has another checksum or size.
    WeightsMismatch,
    /// The key does not open the file.
    Undecryptable,
    /// The opened file has another checksum than committed.
    PlaintextMismatch,
    /// Missing, extra or misshapen tensors, or numbers that are not finite.
    InvalidWeights,
}
