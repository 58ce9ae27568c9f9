//! One submission on its way.

use std::fmt;

use serde::{Deserialize, Serialize};
use soma_api::Base64;
use soma_types::time::Height;
use soma_types::{
    Address, ChainId, Checksum, Commitment, Distance, Epoch, ModelId, Shannons, Submission,
    TargetId,
};

use crate::candidates::Piece;
use crate::scan::ModelVersion;

/// Version of the file's shape.
pub(crate) const VERSION: u32 = 1;

/// One submission on its way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Version of the file's shape.
    pub version: u32,
    /// The chain.
    pub chain_id: ChainId,
    /// Who submits.
    pub submitter: Address,
    /// The target.
    pub target: TargetId,
    /// The epoch in which alone the target can be filled.
    pub target_epoch: Epoch,
    /// Where the data is on this machine.
    pub piece: Piece,
    /// SHA3-256 of the data.
    pub checksum: Checksum,
    /// The winning model.
    pub model: ModelId,
    /// Its loss in nats.
    pub loss: f64,
    /// Distance to the target in units of 2^-30.
    pub distance: Distance,
    /// The weights that the data was scored with. With others the claim would not hold.
    pub scored_with: Vec<ModelVersion>,
    /// How far the submission is.
    pub state: State,
    /// The signed transaction of the step that is under way: it may have been sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction: Option<Base64>,
}

/// How far a submission is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case", deny_unknown_fields)]
pub enum State {
    /// Chosen; nothing was sent.
    Prepared {
        /// The data's embedding by the winning model.
        embedding: Vec<f32>,
    },
    /// The data can be downloaded, and the salt is kept.
    Uploaded {
        /// What will be opened.
        sealed: Box<Sealed>,
    },
    /// The commitment is in a block.
    Committed {
        /// What will be opened.
        sealed: Box<Sealed>,
        /// The block.
        height: Height,
    },
    /// The target is filled by it.
    Opened {
        /// The fill.
        opened: Opened,
    },
    /// The audit is over, and the reward can be claimed.
    Claimable {
        /// The fill.
        opened: Opened,
    },
    /// The reward is paid.
    Claimed {
        /// The fill.
        opened: Opened,
        /// The payment.
        claimed: Claimed,
    },
    /// It came to nothing.
    Lost {
        /// Why.
        reason: LostReason,
    },
}

impl State {
    /// The state as one word.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Prepared { .. } => "prepared",
            Self::Uploaded { .. } => "uploaded",
            Self::Committed { .. } => "committed",
            Self::Opened { .. } => "opened",
            Self::Claimable { .. } => "claimable",
            Self::Claimed { .. } => "claimed",
            Self::Lost { .. } => "lost",
        }
    }

    /// True when nothing is left to do.
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Claimed { .. } | Self::Lost { .. })
    }

    /// The fill, once there is one.
    pub const fn opened(&self) -> Option<&Opened> {
        match self {
            Self::Opened { opened } | Self::Claimable { opened } | Self::Claimed { opened, .. } => {
                Some(opened)
            }
            _ => None,
        }
    }
}

/// A sealed submission with the salt that opens it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sealed {
    /// What is sent first.
    pub commitment: Commitment,
    /// What opens it.
    pub submission: Submission,
    /// The data's embedding as it was scored, to seal again when the commitment lapses.
    pub embedding: Vec<f32>,
}

/// A fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opened {
    /// Its epoch.
    pub epoch: Epoch,
    /// Its block.
    pub height: Height,
    /// The bond that is out.
    pub bond: Shannons,
}

/// A payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claimed {
    /// The submitter's part of the reward, without the bond.
    pub reward: Shannons,
}

/// Why a submission came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case", deny_unknown_fields)]
pub enum LostReason {
    /// Somebody else filled the target first. No bond was paid.
    Taken,
    /// The target's epoch ended first. No bond was paid.
    Expired,
    /// The data filled a target in an earlier epoch, or for somebody else.
    DuplicateData,
    /// An assigned model ended or has other weights than the data was scored with.
    ModelsChanged,
    /// The data's file changed or went away before the data was uploaded.
    SourceChanged,
    /// The chain or the node refused it.
    Refused {
        /// Stable name of the refusal.
        code: String,
        /// A sentence for people.
        message: String,
    },
    /// Validators proved it a fraud; the bond is gone.
    Fraud,
    /// Nobody could judge it, as the winner's weights could not be had; the bond came back.
    Void,
    /// The chain forgot the target: what became of it cannot be seen any more.
    Forgotten,
}

impl LostReason {
    /// The reason as one word.
    pub fn name(&self) -> &str {
        match self {
            Self::Taken => "Taken",
            Self::Expired => "Expired",
            Self::DuplicateData => "DuplicateData",
            Self::ModelsChanged => "ModelsChanged",
            Self::SourceChanged => "SourceChanged",
            Self::Refused { code, .. } => code,
            Self::Fraud => "Fraud",
            Self::Void => "Void",
            Self::Forgotten => "Forgotten",
        }
    }
}

impl fmt::Display for LostReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Taken => "somebody else filled the target first",
            Self::Expired => "the epoch ended first",
            Self::DuplicateData => "the data was submitted in an earlier epoch or by somebody else",
            Self::ModelsChanged => "the assigned models changed since the data was scored",
            Self::SourceChanged => "the file changed or went away before it was uploaded",
            Self::Refused { code, message } => return write!(f, "{code}: {message}"),
            Self::Fraud => "validators proved it a fraud and took the bond",
            Self::Void => "nobody could get the winner's weights to judge it; the bond came back",
            Self::Forgotten => "the chain forgot the target",
        })
    }
}
