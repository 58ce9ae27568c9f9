//! Transactions: what a user asks of the chain.

use serde::{Deserialize, Serialize};

use crate::bounded::BoundedVec;
use crate::embedding::Loss;
use crate::id::{
    Address, ChainId, Commitment, ModelId, PublicKey, Salt, Signature, StakeId, TargetId,
    WeightsKey,
};
use crate::manifest::DataManifest;
use crate::model::ModelCommit;
use crate::money::Shannons;
use crate::raw_embedding::RawEmbedding;
use crate::target::{ModelFault, SubmissionFault};
use crate::time::Height;
use crate::validator::{MetadataUpdate, ValidatorCandidate};

/// The most payments in one [`TransactionKind::PayMany`].
pub const MAX_PAYMENTS: usize = 1_024;

/// A transaction before signing.
///
/// Its canonical encoding under the transaction domain is what the sender signs, and its id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transaction {
    /// The chain that it is for.
    pub chain_id: ChainId,
    /// Who pays and acts.
    pub sender: Address,
    /// The sender's nonce: each is used once, in order, from 0.
    pub nonce: u64,
    /// The last height at which it may be in a block.
    pub expiry_height: Height,
    /// What it does.
    pub kind: TransactionKind,
}

/// A transaction with its sender's key and signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedTransaction {
    /// What was signed.
    pub transaction: Transaction,
    /// The sender's public key.
    pub public_key: PublicKey,
    /// Signature over the transaction's digest.
    pub signature: Signature,
}

/// One payment of a [`TransactionKind::PayMany`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// Who gets it.
    pub recipient: Address,
    /// How much.
    pub amount: Shannons,
}

/// An opened submission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submission {
    /// The target to fill.
    pub target: TargetId,
    /// Where the data lies.
    pub data: DataManifest,
    /// The assigned model with the lowest loss.
    pub model: ModelId,
    /// The data's embedding by that model.
    pub embedding: RawEmbedding,
    /// That model's loss on the data.
    pub loss: Loss,
    /// The random value of the commitment.
    pub salt: Salt,
}

/// What a transaction does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransactionKind {
    /// Moves money to one recipient.
    Transfer {
        /// Who gets it.
        recipient: Address,
        /// How much.
        amount: Shannons,
    },
    /// Moves money to many recipients, all or none.
    PayMany {
        /// The payments.
        payments: BoundedVec<Payment, MAX_PAYMENTS>,
    },
    /// Stakes with a validator.
    Stake {
        /// The validator's address.
        validator: Address,
        /// How much.
        amount: Shannons,
    },
    /// Stakes with a model.
    StakeToModel {
        /// The model.
        model: ModelId,
        /// How much.
        amount: Shannons,
    },
    /// Withdraws a stake position.
    Unstake {
        /// The position.
        stake: StakeId,
    },
    /// Creates a model with its first stake.
    CreateModel {
        /// Architecture of its weights.
        architecture_version: u64,
        /// The owner's first stake.
        stake: Shannons,
        /// Commission in basis points, at most 10,000.
        commission_bps: u16,
    },
    /// Commits to weights that will be revealed in the next epoch.
    CommitModel {
        /// The model.
        model: ModelId,
        /// The commitments.
        commit: Box<ModelCommit>,
    },
    /// Reveals the weights committed in the epoch before.
    RevealModel {
        /// The model.
        model: ModelId,
        /// The key of the sealed weights.
        key: WeightsKey,
        /// The embedding that the model stands at.
        embedding: RawEmbedding,
    },
    /// Changes a model's commission from the next epoch on.
    SetModelCommission {
        /// The model.
        model: ModelId,
        /// Commission in basis points, at most 10,000.
        commission_bps: u16,
    },
    /// Ends an active model with the epoch.
    DeactivateModel {
        /// The model.
        model: ModelId,
    },
    /// Seals a submission: nobody who sees it opened later can have sealed it earlier.
    CommitSubmission {
        /// Hash of the submission and its sender.
        commitment: Commitment,
    },
    /// Opens a sealed submission and fills a target.
    SubmitData(Box<Submission>),
    /// Pays out a filled target whose audit is over.
    ClaimRewards {
        /// The target.
        target: TargetId,
    },
    /// A validator says what is wrong with a submission.
    ReportSubmission {
        /// The target.
        target: TargetId,
        /// What is wrong.
        reason: SubmissionFault,
    },
    /// Takes a report back.
    UndoReportSubmission {
        /// The target.
        target: TargetId,
    },
    /// Asks every validator for a full audit of a submission, with a bond.
    ChallengeSubmission {
        /// The target.
        target: TargetId,
    },
    /// A validator says that a model's weights are not what was committed.
    ReportModel {
        /// The model.
        model: ModelId,
        /// What is wrong.
        reason: ModelFault,
    },
    /// Takes a report back.
    UndoReportModel {
        /// The model.
        model: ModelId,
    },
    /// A validator says that another does not do its work.
    ReportValidator {
        /// The reported validator.
        validator: Address,
    },
    /// Takes a report back.
    UndoReportValidator {
        /// The reported validator.
        validator: Address,
    },
    /// Applies to join the committee, with the stake that a candidate needs.
    AddValidator(Box<ValidatorCandidate>),
    /// Leaves the committee at the end of the epoch, or withdraws an application at once.
    RemoveValidator,
    /// Changes metadata from the next epoch on.
    UpdateValidatorMetadata(Box<MetadataUpdate>),
    /// Changes a validator's commission from the next epoch on.
    SetValidatorCommission {
        /// Commission in basis points, at most 10,000.
        commission_bps: u16,
    },
    /// A validator announces the newest protocol version that it can run.
    AnnounceProtocolVersion {
        /// The version.
        version: u64,
    },
}

impl TransactionKind {
    /// The kind as one word, as in events, logs and filters.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Transfer { .. } => "transfer",
            Self::PayMany { .. } => "pay_many",
            Self::Stake { .. } => "stake",
            Self::StakeToModel { .. } => "stake_to_model",
            Self::Unstake { .. } => "unstake",
            Self::CreateModel { .. } => "create_model",
            Self::CommitModel { .. } => "commit_model",
            Self::RevealModel { .. } => "reveal_model",
            Self::SetModelCommission { .. } => "set_model_commission",
            Self::DeactivateModel { .. } => "deactivate_model",
            Self::CommitSubmission { .. } => "commit_submission",
            Self::SubmitData(_) => "submit_data",
            Self::ClaimRewards { .. } => "claim_rewards",
            Self::ReportSubmission { .. } => "report_submission",
            Self::UndoReportSubmission { .. } => "undo_report_submission",
            Self::ChallengeSubmission { .. } => "challenge_submission",
            Self::ReportModel { .. } => "report_model",
            Self::UndoReportModel { .. } => "undo_report_model",
            Self::ReportValidator { .. } => "report_validator",
            Self::UndoReportValidator { .. } => "undo_report_validator",
            Self::AddValidator(_) => "add_validator",
            Self::RemoveValidator => "remove_validator",
            Self::UpdateValidatorMetadata(_) => "update_validator_metadata",
            Self::SetValidatorCommission { .. } => "set_validator_commission",
            Self::AnnounceProtocolVersion { .. } => "announce_protocol_version",
        }
    }

    /// True for a validator's duty, which costs no fee when it succeeds.
    pub const fn is_validator_duty(&self) -> bool {
        matches!(
            self,
            Self::ReportSubmission { .. }
                | Self::UndoReportSubmission { .. }
                | Self::ReportModel { .. }
                | Self::UndoReportModel { .. }
                | Self::ReportValidator { .. }
                | Self::UndoReportValidator { .. }
                | Self::AnnounceProtocolVersion { .. }
        )
    }
}
