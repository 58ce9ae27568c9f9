//! Validators and committees.

use serde::{Deserialize, Serialize};
use soma_types::validator::{
    Committee, CommitteeMember, MetadataText, MetadataUpdate, ValidatorMetadata, ValidatorStatus,
};
use soma_types::{Address, Epoch, PublicKey, Shannons, StakingPool, Validator};

use crate::model::PoolView;

/// What a validator tells about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ValidatorMetadataView {
    /// A name to show; may be empty.
    pub name: String,
    /// The key that signs consensus votes.
    pub consensus_key: PublicKey,
    /// Where other validators connect, as a multiaddress.
    pub p2p_address: String,
    /// Where clients reach its RPC; may be empty.
    pub rpc_address: String,
    /// Where it serves weights and data; may be empty.
    pub proxy_address: String,
}

impl From<&ValidatorMetadata> for ValidatorMetadataView {
    fn from(metadata: &ValidatorMetadata) -> Self {
        Self {
            name: metadata.name.to_string(),
            consensus_key: metadata.consensus_key,
            p2p_address: metadata.p2p_address.to_string(),
            rpc_address: metadata.rpc_address.to_string(),
            proxy_address: metadata.proxy_address.to_string(),
        }
    }
}

/// What changes of a validator's metadata with the next epoch; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MetadataChangesView {
    /// New name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// New key for consensus votes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consensus_key: Option<PublicKey>,
    /// New address for other validators.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p2p_address: Option<String>,
    /// New address of its RPC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rpc_address: Option<String>,
    /// New address of the weights and data that it serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy_address: Option<String>,
}

impl From<&MetadataUpdate> for MetadataChangesView {
    fn from(update: &MetadataUpdate) -> Self {
        let text = |text: &Option<MetadataText>| text.as_ref().map(ToString::to_string);
        Self {
            name: text(&update.name),
            consensus_key: update.consensus_key,
            p2p_address: text(&update.p2p_address),
            rpc_address: text(&update.rpc_address),
            proxy_address: text(&update.proxy_address),
        }
    }
}

/// A validator's report of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ValidatorReportView {
    /// Who reports.
    pub validator: Address,
}

/// A validator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ValidatorView {
    /// Its account.
    pub address: Address,
    /// `pending`, `active`, `leaving` or `inactive`.
    pub status: String,
    /// Epoch of the application of a pending validator, of the end of an inactive one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_epoch: Option<Epoch>,
    /// Its voting power in the current committee, of 10,000.
    pub voting_power: u64,
    /// Stake that counts.
    pub stake: Shannons,
    /// Its staking pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<PoolView>,
    /// Its share of what its pool earns, in basis points.
    pub commission_bps: u16,
    /// The commission from the next epoch on.
    pub next_commission_bps: u16,
    /// What it tells about itself.
    pub metadata: ValidatorMetadataView,
    /// True when metadata changes with the next epoch.
    pub metadata_changes: bool,
    /// What changes then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_metadata: Option<MetadataChangesView>,
    /// Epochs in a row with too little stake.
    pub low_stake_epochs: u64,
    /// True when it proposed an invalid block or signed twice in this epoch.
    pub misbehaved: bool,
    /// Reports of other validators in this epoch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reports: Vec<ValidatorReportView>,
    /// The newest protocol version that it announced.
    pub announced_version: u64,
}

impl ValidatorView {
    /// The view of `validator` with its power in the current committee and its pool; without
    /// reports.
    pub fn new(validator: &Validator, voting_power: u64, pool: Option<&StakingPool>) -> Self {
        let status_epoch = match validator.status {
            ValidatorStatus::Pending { since } | ValidatorStatus::Inactive { since } => Some(since),
            ValidatorStatus::Active | ValidatorStatus::Leaving => None,
        };
        let changes = validator.next_metadata != MetadataUpdate::default();
        Self {
            address: validator.address,
            status: validator.status.name().to_owned(),
            status_epoch,
            voting_power,
            stake: pool.map_or(Shannons::ZERO, |pool| pool.soma),
            pool: pool.map(PoolView::from),
            commission_bps: validator.commission.get(),
            next_commission_bps: validator.next_commission.get(),
            metadata: (&validator.metadata).into(),
            metadata_changes: changes,
            next_metadata: changes.then(|| (&validator.next_metadata).into()),
            low_stake_epochs: validator.low_stake_epochs,
            misbehaved: validator.misbehaved,
            reports: Vec::new(),
            announced_version: validator.announced_version,
        }
    }
}

/// A member of a committee.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MemberView {
    /// Its account.
    pub address: Address,
    /// The key of its votes.
    pub consensus_key: PublicKey,
    /// Its voting power, of 10,000.
    pub voting_power: u64,
    /// The stake that gave it the power.
    pub stake: Shannons,
}

impl From<&CommitteeMember> for MemberView {
    fn from(member: &CommitteeMember) -> Self {
        Self {
            address: member.address,
            consensus_key: member.consensus_key,
            voting_power: member.voting_power,
            stake: member.stake,
        }
    }
}

/// The validators of one epoch, by address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CommitteeView {
    /// The epoch.
    pub epoch: Epoch,
    /// The members, in order of address.
    pub members: Vec<MemberView>,
}

impl From<&Committee> for CommitteeView {
    fn from(committee: &Committee) -> Self {
        Self {
            epoch: committee.epoch,
            members: committee.members.iter().map(Into::into).collect(),
        }
    }
}
