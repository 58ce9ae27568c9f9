//! Events: what happened in a block, for subscribers and the earnings ledger.
//!
//! Events follow from execution and are the same on every node, but they are not part of the
//! state root.

use serde::{Deserialize, Serialize};

use crate::embedding::{Distance, Loss};
use crate::id::{Address, ModelId, TargetId};
use crate::money::Shannons;
use crate::time::Epoch;

/// Why an address earned or lost money outside plain transfers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EarningKind {
    /// Submitter's part of a target's reward.
    Submission,
    /// Bond returned: after a clean audit, or because the submission was void.
    BondReturned,
    /// Bond lost to a proven fraud (an amount lost).
    BondSlashed,
    /// Owner's commission on what a model won; became stake.
    ModelCommission,
    /// Raised the value of all stake in a model's pool; listed for the model's owner.
    ModelPool,
    /// Reward for claiming for others.
    ClaimBounty,
    /// A validator's commission; became stake.
    ValidatorCommission,
    /// Raised the value of all stake in a validator's pool; listed for the validator.
    ValidatorPool,
    /// Part of a slashed bond for reporting a fraud.
    FraudReport,
    /// Part of a slashed bond for an upheld challenge.
    Challenge,
    /// Challenger's bond returned.
    ChallengeBondReturned,
    /// Challenger's bond lost (an amount lost).
    ChallengeBondLost,
    /// Stake paid out after unbonding.
    StakeReturned,
    /// All stake in a validator's or a model's pool lost a part of its value; listed for the
    /// validator or the model's owner (an amount lost). [`Event::Slashed`] says why.
    StakeSlashed,
}

impl EarningKind {
    /// True where the amount was lost instead of earned.
    pub const fn is_loss(self) -> bool {
        matches!(
            self,
            Self::BondSlashed | Self::ChallengeBondLost | Self::StakeSlashed
        )
    }
}

/// Why stake was slashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SlashReason {
    /// A model's weights were not committed or revealed in their epoch.
    MissedReveal,
    /// Validators with a quorum of the voting power reported the model.
    Reported,
    /// A validator signed twice at one height, or proposed a block that is not valid.
    Misbehavior,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// Targets were drawn.
    TargetDrawn {
        /// The target.
        target: TargetId,
    },
    /// A target was filled.
    TargetFilled {
        /// The target.
        target: TargetId,
        /// Who submitted.
        submitter: Address,
        /// The winning model.
        model: ModelId,
        /// Distance of the data to the target.
        distance: Distance,
        /// Loss of the winning model.
        loss: Loss,
    },
    /// A target was paid out.
    TargetClaimed {
        /// The target.
        target: TargetId,
    },
    /// A submission was challenged: every validator should audit it.
    SubmissionChallenged {
        /// The target.
        target: TargetId,
    },
    /// A submission was proven a fraud.
    FraudProven {
        /// The target.
        target: TargetId,
        /// Who submitted.
        submitter: Address,
        /// The slashed bond.
        bond: Shannons,
    },
    /// A model's weights were revealed.
    ModelRevealed {
        /// The model.
        model: ModelId,
    },
    /// A model ended.
    ModelDeactivated {
        /// The model.
        model: ModelId,
    },
    /// Stake was slashed; it went to the emission pool.
    Slashed {
        /// The validator or the model's owner.
        owner: Address,
        /// The model, when its stake was slashed.
        model: Option<ModelId>,
        /// Why.
        reason: SlashReason,
        /// How much.
        amount: Shannons,
    },
    /// An address earned or lost money.
    Earning {
        /// Who.
        address: Address,
        /// Why.
        kind: EarningKind,
        /// How much.
        amount: Shannons,
        /// The target that it came from, if any.
        target: Option<TargetId>,
    },
    /// An epoch ended and the next began.
    EpochChanged {
        /// The epoch that began.
        epoch: Epoch,
    },
    /// Nobody could judge a submission, as the winner's weights could not be had. The bond went back.
    SubmissionVoided {
        /// The target.
        target: TargetId,
        /// Who submitted.
        submitter: Address,
        /// The bond that went back.
        bond: Shannons,
    },
}
