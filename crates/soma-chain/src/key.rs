//! Keys of the state: one entry kind each, in an order that makes sweeps short scans.

use serde::{Deserialize, Serialize};
use soma_types::receipt::ObjectRef;
use soma_types::{
    Address, Checksum, Commitment, Epoch, Height, ModelId, PoolId, StakeId, TargetId,
};

/// Key of a state entry. Every entry is part of the state root and can be proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Key {
    /// [`soma_types::SystemState`].
    System,
    /// [`soma_types::Supply`] after the last block.
    Supply,
    /// [`soma_types::SupplyCertificate`] of an epoch.
    SupplyCertificate(Epoch),
    /// [`soma_types::EpochSummary`].
    EpochSummary(Epoch),
    /// [`soma_types::Committee`].
    Committee(Epoch),
    /// [`soma_types::Account`].
    Account(Address),
    /// [`soma_types::StakingPool`].
    Pool(PoolId),
    /// [`soma_types::PoolRate`] at the start of an epoch.
    PoolRate(PoolId, Epoch),
    /// [`soma_types::StakePosition`].
    Stake(StakeId),
    /// Marks a position that is due at the start of an epoch.
    Unbonding(Epoch, StakeId),
    /// [`soma_types::Model`].
    Model(ModelId),
    /// [`soma_types::Embedding`] of a model's revealed weights.
    ModelEmbedding(ModelId),
    /// [`soma_types::WeightsRecord`] by plaintext checksum.
    Weights(Checksum),
    /// A validator's report of a model: [`soma_types::ModelFault`].
    ModelReport(ModelId, Address),
    /// [`soma_types::Target`].
    Target(TargetId),
    /// [`soma_types::Embedding`] of a target.
    TargetEmbedding(TargetId),
    /// [`soma_types::Embedding`] of the data that filled a target.
    FillEmbedding(TargetId),
    /// Marks an open target, by its epoch.
    OpenTarget(Epoch, TargetId),
    /// Marks a filled target, by the epoch of the fill.
    FilledTarget(Epoch, TargetId),
    /// Marks a target that was claimed, expired, a fraud or void, by the epoch of its end.
    RetiredTarget(Epoch, TargetId),
    /// A sealed submission: the [`Height`] of its block.
    Sealed(Address, Commitment),
    /// Marks a sealed submission by the height after which it lapses.
    SealedExpiry(Height, Address, Commitment),
    /// [`soma_types::DataRecord`] by checksum.
    Data(Checksum),
    /// A validator's report of a submission, by the epoch of the fill:
    /// [`soma_types::SubmissionFault`].
    SubmissionReport(Epoch, TargetId, Address),
    /// [`soma_types::Challenge`], by the epoch of the fill.
    Challenge(Epoch, TargetId),
    /// [`soma_types::Validator`].
    Validator(Address),
    /// Who uses a consensus key or peer address, by its hash: [`Address`].
    ValidatorUnique([u8; 32]),
    /// Marks a validator's report of another: reported, reporter.
    ValidatorReport(Address, Address),
}

/// Prefix of all state entries in the store.
pub const STATE_PREFIX: u8 = b's';

mod tag {
    pub(super) const SYSTEM: u8 = 0x01;
    pub(super) const SUPPLY: u8 = 0x02;
    pub(super) const SUPPLY_CERTIFICATE: u8 = 0x03;
    pub(super) const EPOCH_SUMMARY: u8 = 0x04;
    pub(super) const COMMITTEE: u8 = 0x05;
    pub(super) const ACCOUNT: u8 = 0x10;
    pub(super) const POOL: u8 = 0x11;
    pub(super) const POOL_RATE: u8 = 0x12;
    pub(super) const STAKE: u8 = 0x13;
    pub(super) const UNBONDING: u8 = 0x14;
    pub(super) const MODEL: u8 = 0x20;
    pub(super) const MODEL_EMBEDDING: u8 = 0x21;
    pub(super) const WEIGHTS: u8 = 0x22;
    pub(super) const MODEL_REPORT: u8 = 0x23;
    pub(super) const TARGET: u8 = 0x30;
    pub(super) const TARGET_EMBEDDING: u8 = 0x31;
    pub(super) const FILL_EMBEDDING: u8 = 0x32;
    pub(super) const OPEN_TARGET: u8 = 0x33;
    pub(super) const FILLED_TARGET: u8 = 0x34;
    pub(super) const RETIRED_TARGET: u8 = 0x35;
    pub(super) const SEALED: u8 = 0x36;
    pub(super) const SEALED_EXPIRY: u8 = 0x37;
    pub(super) const DATA: u8 = 0x38;
    pub(super) const SUBMISSION_REPORT: u8 = 0x39;
    pub(super) const CHALLENGE: u8 = 0x3a;
    pub(super) const VALIDATOR: u8 = 0x40;
    pub(super) const VALIDATOR_UNIQUE: u8 = 0x41;
    pub(super) const VALIDATOR_REPORT: u8 = 0x42;
}

/// Prefixes of groups of entries, for scans.
pub mod prefix {
    use super::{Epoch, Height, ModelId, STATE_PREFIX, TargetId, join, tag};
    use soma_types::Address;

    /// All positions on their way out.
    pub const UNBONDING: [u8; 2] = [STATE_PREFIX, tag::UNBONDING];
    /// All models.
    pub const MODELS: [u8; 2] = [STATE_PREFIX, tag::MODEL];
    /// All reports of models.
    pub const MODEL_REPORTS: [u8; 2] = [STATE_PREFIX, tag::MODEL_REPORT];
    /// All targets.
    pub const TARGETS: [u8; 2] = [STATE_PREFIX, tag::TARGET];
    /// All open targets.
    pub const OPEN: [u8; 2] = [STATE_PREFIX, tag::OPEN_TARGET];
    /// All filled targets.
    pub const FILLED: [u8; 2] = [STATE_PREFIX, tag::FILLED_TARGET];
    /// All retired targets.
    pub const RETIRED: [u8; 2] = [STATE_PREFIX, tag::RETIRED_TARGET];
    /// All validators.
    pub const VALIDATORS: [u8; 2] = [STATE_PREFIX, tag::VALIDATOR];
    /// All reports of validators.
    pub const VALIDATOR_REPORTS: [u8; 2] = [STATE_PREFIX, tag::VALIDATOR_REPORT];
    /// The whole state.
    pub const STATE: [u8; 1] = [STATE_PREFIX];

    /// Positions due at the start of `epoch`.
    pub fn unbonding(epoch: Epoch) -> Vec<u8> {
        join(tag::UNBONDING, &[&epoch.0.to_be_bytes()])
    }

    /// Targets of `epoch` that are open.
    pub fn open_targets(epoch: Epoch) -> Vec<u8> {
        join(tag::OPEN_TARGET, &[&epoch.0.to_be_bytes()])
    }

    /// Sealed submissions that lapse with block `height`.
    pub fn sealed_expiry(height: Height) -> Vec<u8> {
        join(tag::SEALED_EXPIRY, &[&height.to_be_bytes()])
    }

    /// Reports of submissions that filled targets in `epoch`.
    pub fn submission_reports(epoch: Epoch) -> Vec<u8> {
        join(tag::SUBMISSION_REPORT, &[&epoch.0.to_be_bytes()])
    }

    /// Reports of one submission.
    pub fn submission_reports_of(epoch: Epoch, target: &TargetId) -> Vec<u8> {
        join(tag::SUBMISSION_REPORT, &[&epoch.0.to_be_bytes(), &target.0])
    }

    /// Challenges of submissions that filled targets in `epoch`.
    pub fn challenges(epoch: Epoch) -> Vec<u8> {
        join(tag::CHALLENGE, &[&epoch.0.to_be_bytes()])
    }

    /// Reports of one model.
    pub fn model_reports_of(model: &ModelId) -> Vec<u8> {
        join(tag::MODEL_REPORT, &[&model.0])
    }

    /// Reports of one validator.
    pub fn validator_reports_of(validator: &Address) -> Vec<u8> {
        join(tag::VALIDATOR_REPORT, &[&validator.0])
    }
}

fn join(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length = parts.iter().map(|part| part.len()).sum::<usize>() + 2;
    let mut bytes = Vec::with_capacity(length);
    bytes.push(STATE_PREFIX);
    bytes.push(tag);
    for part in parts {
        bytes.extend_from_slice(part);
    }
    bytes
}

impl Key {
    /// The key in the store and in proofs. Numbers are big-endian, so that order is kept.
    pub fn to_bytes(self) -> Vec<u8> {
        let be = |number: u64| number.to_be_bytes();
        match self {
            Self::System => join(tag::SYSTEM, &[]),
            Self::Supply => join(tag::SUPPLY, &[]),
            Self::SupplyCertificate(epoch) => join(tag::SUPPLY_CERTIFICATE, &[&be(epoch.0)]),
            Self::EpochSummary(epoch) => join(tag::EPOCH_SUMMARY, &[&be(epoch.0)]),
            Self::Committee(epoch) => join(tag::COMMITTEE, &[&be(epoch.0)]),
            Self::Account(address) => join(tag::ACCOUNT, &[&address.0]),
            Self::Pool(id) => join(tag::POOL, &[&id.0]),
            Self::PoolRate(id, epoch) => join(tag::POOL_RATE, &[&id.0, &be(epoch.0)]),
            Self::Stake(id) => join(tag::STAKE, &[&id.0]),
            Self::Unbonding(epoch, id) => join(tag::UNBONDING, &[&be(epoch.0), &id.0]),
            Self::Model(id) => join(tag::MODEL, &[&id.0]),
            Self::ModelEmbedding(id) => join(tag::MODEL_EMBEDDING, &[&id.0]),
            Self::Weights(checksum) => join(tag::WEIGHTS, &[&checksum.0]),
            Self::ModelReport(id, reporter) => join(tag::MODEL_REPORT, &[&id.0, &reporter.0]),
            Self::Target(id) => join(tag::TARGET, &[&id.0]),
            Self::TargetEmbedding(id) => join(tag::TARGET_EMBEDDING, &[&id.0]),
            Self::FillEmbedding(id) => join(tag::FILL_EMBEDDING, &[&id.0]),
            Self::OpenTarget(epoch, id) => join(tag::OPEN_TARGET, &[&be(epoch.0), &id.0]),
            Self::FilledTarget(epoch, id) => join(tag::FILLED_TARGET, &[&be(epoch.0), &id.0]),
            Self::RetiredTarget(epoch, id) => join(tag::RETIRED_TARGET, &[&be(epoch.0), &id.0]),
            Self::Sealed(sender, seal) => join(tag::SEALED, &[&sender.0, &seal.0]),
            Self::SealedExpiry(height, sender, seal) => {
                join(tag::SEALED_EXPIRY, &[&be(height), &sender.0, &seal.0])
            }
            Self::Data(checksum) => join(tag::DATA, &[&checksum.0]),
            Self::SubmissionReport(epoch, target, reporter) => join(
                tag::SUBMISSION_REPORT,
                &[&be(epoch.0), &target.0, &reporter.0],
            ),
            Self::Challenge(epoch, target) => join(tag::CHALLENGE, &[&be(epoch.0), &target.0]),
            Self::Validator(address) => join(tag::VALIDATOR, &[&address.0]),
            Self::ValidatorUnique(hash) => join(tag::VALIDATOR_UNIQUE, &[&hash]),
            Self::ValidatorReport(reported, reporter) => {
                join(tag::VALIDATOR_REPORT, &[&reported.0, &reporter.0])
            }
        }
    }

    /// The object that users see under a stored key, if it is one.
    pub fn object_of(bytes: &[u8]) -> Option<ObjectRef> {
        let (head, rest) = bytes.split_at_checked(2)?;
        let id: [u8; 32] = rest.try_into().ok()?;
        match head[1] {
            tag::ACCOUNT => Some(ObjectRef::Coin(Address(id))),
            tag::STAKE => Some(ObjectRef::Stake(StakeId(id))),
            tag::MODEL => Some(ObjectRef::Model(ModelId(id))),
            tag::TARGET => Some(ObjectRef::Target(TargetId(id))),
            tag::VALIDATOR => Some(ObjectRef::Validator(Address(id))),
            _ => None,
        }
    }

    /// The last 32 bytes of a stored key: the id at its end.
    pub(crate) fn last_id(bytes: &[u8]) -> [u8; 32] {
        let mut id = [0; 32];
        if let Some(tail) = bytes
            .len()
            .checked_sub(32)
            .and_then(|start| bytes.get(start..))
        {
            id.copy_from_slice(tail);
        }
        id
    }

    /// What a stored key's entry holds of the money, if any.
    pub(crate) fn holding_of(bytes: &[u8]) -> Option<Holding> {
        match bytes.get(1) {
            Some(&tag::SYSTEM) => Some(Holding::System),
            Some(&tag::ACCOUNT) => Some(Holding::Account),
            Some(&tag::POOL) => Some(Holding::Pool),
            Some(&tag::TARGET) => Some(Holding::Target),
            Some(&tag::CHALLENGE) => Some(Holding::Challenge),
            _ => None,
        }
    }

    /// What a stored key's entry is to the indexes beside the state, if they follow it.
    pub(crate) fn kind_of(bytes: &[u8]) -> Option<IndexedKind> {
        match bytes.get(1) {
            Some(&tag::POOL) => Some(IndexedKind::Pool),
            Some(&tag::MODEL) => Some(IndexedKind::Model),
            Some(&tag::STAKE) => Some(IndexedKind::Stake),
            Some(&tag::TARGET) => Some(IndexedKind::Target),
            _ => None,
        }
    }
}

/// Entries that hold money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holding {
    System,
    Account,
    Pool,
    Target,
    Challenge,
}

/// Entries that indexes beside the state follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IndexedKind {
    Pool,
    Model,
    Stake,
    Target,
}
