//! Why a transaction failed: stable names that users match on.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::embedding::Distance;
use crate::id::ModelId;
use crate::money::Shannons;
use crate::time::{Epoch, Height};

/// Why a transaction had no effect. It paid the base fee and used its nonce.
///
/// [`ExecutionError::name`] is stable: scripts may match on it.
#[derive(Clone, Debug, Error, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExecutionError {
    /// The sender cannot pay the fee.
    #[error("the fee is {needed}, but the sender has {available}; fund the account")]
    InsufficientGas {
        /// The fee.
        needed: Shannons,
        /// The sender's balance.
        available: Shannons,
    },
    /// The sender cannot pay amount and fee together.
    #[error("the transaction needs {needed} with its fee, but the sender has {available}")]
    InsufficientCoinBalance {
        /// Amount and fee.
        needed: Shannons,
        /// The sender's balance.
        available: Shannons,
    },
    /// The sender cannot pay bond and fee together.
    #[error(
        "bond and fee are {needed}, but the sender has {available}; the bond is paid back after a clean audit"
    )]
    InsufficientBond {
        /// Bond and fee.
        needed: Shannons,
        /// The sender's balance.
        available: Shannons,
    },
    /// Amounts add up to more than can exist.
    #[error("the amounts add up to more than 2^64 − 1 shannons")]
    ArithmeticOverflow,
    /// An argument makes no sense.
    #[error("{reason}")]
    InvalidArguments {
        /// What is wrong, and what to do.
        reason: String,
    },
    /// The object belongs to somebody else.
    #[error("the object belongs to another address; sign with its owner's key")]
    InvalidOwnership,
    /// No object with this id.
    #[error("no object with this id; it may have been withdrawn already")]
    ObjectNotFound,

    /// The address is a validator, or has applied.
    #[error("this address is a validator already, or has applied to be one")]
    DuplicateValidator,
    /// Another validator uses the same key or address.
    #[error("another validator has the same {field}; choose another")]
    DuplicateValidatorMetadata {
        /// The field.
        field: String,
    },
    /// A new consensus key came without a proof that its secret is held.
    #[error("a new consensus key needs a proof of possession")]
    MissingProofOfPossession,
    /// The proof does not belong to this key, chain and address.
    #[error(
        "the proof of possession is not a signature of this chain id and address by the consensus key"
    )]
    InvalidProofOfPossession,
    /// Not a member of the committee that decides.
    #[error("the address is not a validator of the committee that decides here")]
    NotAValidator,
    /// The validator is leaving already.
    #[error("the validator is leaving already")]
    ValidatorAlreadyRemoved,
    /// The chain needs at least one validator.
    #[error("the last validator cannot leave; another must join first")]
    LastValidator,
    /// No validator with this address.
    #[error("no validator with this address")]
    ValidatorNotFound,
    /// Reporting or challenging oneself.
    #[error("nobody can report or challenge itself")]
    CannotReportOneself,
    /// The same report was made before.
    #[error("this validator has made this report already")]
    DuplicateReport,
    /// Nothing to take back.
    #[error("there is no report of this validator to take back")]
    ReportRecordNotFound,
    /// A commission above 100 %.
    #[error("commission {bps} bps is above 10,000 bps (100 %)")]
    CommissionRateTooHigh {
        /// The commission asked for.
        bps: u16,
    },
    /// A version that was announced already, or an older one.
    #[error("protocol version {version} is not newer than what this validator announced")]
    ProtocolVersionNotNewer {
        /// The announced version.
        version: u64,
    },

    /// No pool with this id.
    #[error("no staking pool with this id")]
    StakingPoolNotFound,
    /// The pool takes no stake any more.
    #[error("this staking pool is closed and takes no stake")]
    StakingPoolInactive,
    /// The pool lost so much that new stake would be ill defined.
    #[error(
        "this staking pool was slashed to less than a millionth of its stake and takes no more"
    )]
    StakingPoolInsolvent,
    /// The position is on its way out already.
    #[error(
        "this stake is being withdrawn already; it is paid out from the start of epoch {release} on"
    )]
    StakeAlreadyUnbonding {
        /// The epoch of the payout.
        release: Epoch,
    },

    /// No model with this id.
    #[error("no model with this id")]
    ModelNotFound,
    /// The sender does not own the model.
    #[error("the sender does not own this model; sign with its owner's key")]
    NotModelOwner,
    /// The model is not active.
    #[error("the model is not active")]
    ModelNotActive,
    /// The model's state does not allow this.
    #[error("the model is {status} and cannot be committed to; only created and active models can")]
    ModelInvalidState {
        /// Its status.
        status: String,
    },
    /// The model has ended.
    #[error("the model has ended; create a new one")]
    ModelAlreadyInactive,
    /// A reveal in another epoch than the one after the commit.
    #[error("the reveal is due in epoch {due}, now is epoch {now}")]
    ModelRevealEpochMismatch {
        /// When to reveal.
        due: Epoch,
        /// The current epoch.
        now: Epoch,
    },
    /// The embedding is not the committed one.
    #[error("the embedding is not the one that was committed")]
    ModelEmbeddingCommitmentMismatch,
    /// The key is not the committed one.
    #[error("the key is not the one that was committed")]
    ModelDecryptionKeyCommitmentMismatch,
    /// Nothing was committed.
    #[error("nothing was committed that could be revealed; commit first")]
    ModelNoPendingUpdate,
    /// Another architecture than the network's.
    #[error("architecture version {got} is not the network's, {expected}")]
    ModelArchitectureVersionMismatch {
        /// The network's.
        expected: u64,
        /// The transaction's.
        got: u64,
    },
    /// A commission above 100 %.
    #[error("commission {bps} bps is above 10,000 bps (100 %)")]
    ModelCommissionRateTooHigh {
        /// The commission asked for.
        bps: u16,
    },
    /// Too little stake for a model.
    #[error(
        "a model needs a stake of at least {minimum} that is not being withdrawn, got {got}; stake more"
    )]
    ModelMinStakeNotMet {
        /// The least stake.
        minimum: Shannons,
        /// The transaction's.
        got: Shannons,
    },
    /// Another owner committed the same weights earlier.
    #[error(
        "the same weights were committed at height {height} for another model; exact copies do not pay"
    )]
    WeightsAlreadyRevealed {
        /// The block of the earlier commit.
        height: Height,
    },

    /// No target with this id.
    #[error("no target with this id; claimed and expired targets are dropped after some epochs")]
    TargetNotFound,
    /// Somebody filled the target before.
    #[error("the target is not open (it is {status})")]
    TargetNotOpen {
        /// Its status.
        status: String,
    },
    /// The target's epoch is over.
    #[error("the target could be filled in epoch {epoch} only, now is epoch {now}")]
    TargetExpired {
        /// The target's epoch.
        epoch: Epoch,
        /// The current epoch.
        now: Epoch,
    },
    /// The target holds no submission, or none any more.
    #[error(
        "the target is {status}: only one that is filled can be claimed, reported or challenged"
    )]
    TargetNotFilled {
        /// Its status.
        status: String,
    },
    /// The submission was not sealed first.
    #[error(
        "no sealed submission matches: send CommitSubmission first, open it 1 to {max_age} blocks later with the same target, data, model, embedding, loss and salt"
    )]
    SubmissionNotCommitted {
        /// Blocks after which a sealed submission lapses.
        max_age: u64,
    },
    /// The same commitment is waiting already.
    #[error("this sealed submission is waiting already; use a fresh salt")]
    DuplicateCommitment,
    /// The model is not assigned to the target.
    #[error("the model is not assigned to this target")]
    ModelNotInTarget,
    /// An embedding of another length than the network's.
    #[error("the embedding has {got} components, the network's have {expected}")]
    EmbeddingDimensionMismatch {
        /// The network's dimension.
        expected: u64,
        /// The transaction's.
        got: u64,
    },
    /// Not a unit vector.
    #[error("the embedding is not a unit vector in units of 2^-30; normalise it with the SDK")]
    InvalidEmbedding,
    /// A loss that is too large.
    #[error("the loss is above 2^20 nats")]
    InvalidLoss,
    /// The data is too far from the target.
    #[error("distance {distance} exceeds the target's threshold {threshold}")]
    DistanceExceedsThreshold {
        /// The distance that the chain computed.
        distance: Distance,
        /// The target's threshold.
        threshold: Distance,
    },
    /// Too much data.
    #[error("the data has {got} bytes, at most {max} are allowed")]
    DataExceedsMaxSize {
        /// Size of the data in bytes.
        got: u64,
        /// The largest size in bytes.
        max: u64,
    },
    /// No data.
    #[error("the data is empty; submit at least 1 byte")]
    EmptyData,
    /// The data was used before.
    #[error("this data filled a target before (epoch {epoch}); new data is needed")]
    DuplicateData {
        /// The epoch of its first use.
        epoch: Epoch,
    },
    /// The audit is not over.
    #[error("the audit of this submission runs until epoch {claimable}; claim then")]
    AuditWindowOpen {
        /// The first epoch in which it can be claimed.
        claimable: Epoch,
    },
    /// The audit is over.
    #[error("the audit of this submission ended with epoch {last}")]
    AuditWindowClosed {
        /// The last epoch of the audit.
        last: Epoch,
    },
    /// The target was paid out.
    #[error("the target has been claimed already")]
    TargetAlreadyClaimed,
    /// The submission was challenged before.
    #[error("this submission has been challenged already")]
    TargetAlreadyChallenged,
    /// A validator that left can still be punished for what it signed.
    #[error(
        "this address was a validator until epoch {last}, for which it still answers; apply from epoch {from} on"
    )]
    ValidatorStillAnswers {
        /// The last epoch in which it was in the committee.
        last: Epoch,
        /// The first epoch in which it may apply again.
        from: Epoch,
    },
    /// The submission was sealed for other weights than those that the audit would judge it by.
    #[error(
        "model {model} revealed other weights after the submission was sealed; score the data again, and seal it anew"
    )]
    ModelWeightsChanged {
        /// An assigned model.
        model: ModelId,
    },
    /// The model ends with this epoch.
    #[error(
        "the model is leaving: it answers for its targets until this epoch ends, and ends then"
    )]
    ModelAlreadyLeaving,
}

macro_rules! names {
    ($($name:ident,)*) => {
        impl ExecutionError {
            /// The names of all errors.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($name)),*];

            /// The stable name, such as `TargetNotOpen`.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$name { .. } => stringify!($name),)*
                }
            }
        }
    };
}

names! {
    InsufficientGas,
    InsufficientCoinBalance,
    InsufficientBond,
    ArithmeticOverflow,
    InvalidArguments,
    InvalidOwnership,
    ObjectNotFound,
    DuplicateValidator,
    DuplicateValidatorMetadata,
    MissingProofOfPossession,
    InvalidProofOfPossession,
    NotAValidator,
    ValidatorAlreadyRemoved,
    LastValidator,
    ValidatorNotFound,
    CannotReportOneself,
    DuplicateReport,
    ReportRecordNotFound,
    CommissionRateTooHigh,
    ProtocolVersionNotNewer,
    StakingPoolNotFound,
    StakingPoolInactive,
    StakingPoolInsolvent,
    StakeAlreadyUnbonding,
    ModelNotFound,
    NotModelOwner,
    ModelNotActive,
    ModelInvalidState,
    ModelAlreadyInactive,
    ModelRevealEpochMismatch,
    ModelEmbeddingCommitmentMismatch,
    ModelDecryptionKeyCommitmentMismatch,
    ModelNoPendingUpdate,
    ModelArchitectureVersionMismatch,
    ModelCommissionRateTooHigh,
    ModelMinStakeNotMet,
    WeightsAlreadyRevealed,
    TargetNotFound,
    TargetNotOpen,
    TargetExpired,
    TargetNotFilled,
    SubmissionNotCommitted,
    DuplicateCommitment,
    ModelNotInTarget,
    EmbeddingDimensionMismatch,
    InvalidEmbedding,
    InvalidLoss,
    DistanceExceedsThreshold,
    DataExceedsMaxSize,
    EmptyData,
    DuplicateData,
    AuditWindowOpen,
    AuditWindowClosed,
    TargetAlreadyClaimed,
    TargetAlreadyChallenged,
    ValidatorStillAnswers,
    ModelWeightsChanged,
    ModelAlreadyLeaving,
}

impl ExecutionError {
    /// An [`ExecutionError::InvalidArguments`].
    pub fn invalid(reason: impl Into<String>) -> Self {
        Self::InvalidArguments {
            reason: reason.into(),
        }
    }
}
