//! Validators and committees.

use serde::{Deserialize, Serialize};

use crate::bounded::BoundedText;
use crate::id::{Address, PoolId, PublicKey, Signature};
use crate::money::{Bps, Shannons};
use crate::time::{Epoch, Height};

/// Voting power of a whole committee.
pub const TOTAL_VOTING_POWER: u64 = 10_000;
/// Power that decides: more than two thirds.
pub const QUORUM: u64 = 6_667;

/// Power whose announcements change the protocol version: a quorum, and of the rest the part
/// `upgrade_buffer_bps` in basis points.
pub const fn upgrade_power(upgrade_buffer_bps: u64) -> u64 {
    let rest = TOTAL_VOTING_POWER - QUORUM;
    QUORUM + (rest * upgrade_buffer_bps).div_ceil(10_000)
}

/// A network address, name or other short text of a validator.
pub type MetadataText = BoundedText<256>;

/// What a validator tells about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidatorMetadata {
    /// A name to show; may be empty.
    pub name: MetadataText,
    /// The key that signs consensus votes.
    pub consensus_key: PublicKey,
    /// Where other validators connect, as a multiaddress.
    pub p2p_address: MetadataText,
    /// Where clients reach its RPC; may be empty.
    pub rpc_address: MetadataText,
    /// Where it serves weights and data; may be empty.
    pub proxy_address: MetadataText,
}

/// An application to join the committee.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidatorCandidate {
    /// What it tells about itself.
    pub metadata: ValidatorMetadata,
    /// Signature by the consensus key over chain id and address.
    pub proof_of_possession: Signature,
    /// Commission in basis points, at most 10,000.
    pub commission_bps: u16,
}

/// A change of metadata from the next epoch on; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetadataUpdate {
    /// New name.
    pub name: Option<MetadataText>,
    /// New consensus key; needs `proof_of_possession`.
    pub consensus_key: Option<PublicKey>,
    /// Signature by the new consensus key.
    pub proof_of_possession: Option<Signature>,
    /// New peer address.
    pub p2p_address: Option<MetadataText>,
    /// New RPC address.
    pub rpc_address: Option<MetadataText>,
    /// New proxy address.
    pub proxy_address: Option<MetadataText>,
}

/// Where a validator is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValidatorStatus {
    /// Applied; joins at an epoch boundary once its stake suffices.
    Pending {
        /// The epoch of the application; it lapses after the grace period.
        since: Epoch,
    },
    /// In the committee.
    Active,
    /// In the committee until the end of this epoch.
    Leaving,
    /// Left. Its stake can be withdrawn; the address may apply again.
    Inactive {
        /// The epoch of its end.
        since: Epoch,
    },
}

impl ValidatorStatus {
    /// The status as one word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending { .. } => "pending",
            Self::Active => "active",
            Self::Leaving => "leaving",
            Self::Inactive { .. } => "inactive",
        }
    }

    /// True for a member of the current committee.
    pub const fn is_member(self) -> bool {
        matches!(self, Self::Active | Self::Leaving)
    }
}

/// A validator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validator {
    /// Its account.
    pub address: Address,
    /// Where it is in its life.
    pub status: ValidatorStatus,
    /// What it tells about itself.
    pub metadata: ValidatorMetadata,
    /// Changes from the next epoch on.
    pub next_metadata: MetadataUpdate,
    /// Its staking pool.
    pub pool: PoolId,
    /// Its share of what its pool earns.
    pub commission: Bps,
    /// The commission from the next epoch on.
    pub next_commission: Bps,
    /// Epochs in a row with too little stake.
    pub low_stake_epochs: u64,
    /// True when it proposed an invalid block or signed twice in this epoch.
    pub misbehaved: bool,
    /// The height of the newest evidence that it was punished for; older evidence is ignored.
    pub punished_height: Height,
    /// The newest protocol version that it announced.
    pub announced_version: u64,
}

/// A member of a committee.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitteeMember {
    /// Its account.
    pub address: Address,
    /// The key of its votes.
    pub consensus_key: PublicKey,
    /// Its part of [`TOTAL_VOTING_POWER`].
    pub voting_power: u64,
    /// The stake that gave it the power.
    pub stake: Shannons,
}

/// The validators of one epoch, by address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Committee {
    /// The epoch.
    pub epoch: Epoch,
    /// The members, in order of address.
    #[serde(deserialize_with = "crate::bounded::unreserved")]
    pub members: Vec<CommitteeMember>,
}

impl Committee {
    /// The member at `address`.
    pub fn member(&self, address: &Address) -> Option<&CommitteeMember> {
        self.members
            .binary_search_by(|member| member.address.cmp(address))
            .ok()
            .and_then(|index| self.members.get(index))
    }

    /// Voting power of `address`; 0 for others than members.
    pub fn power(&self, address: &Address) -> u64 {
        self.member(address).map_or(0, |member| member.voting_power)
    }
}

/// What a consensus engine can prove against a validator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MisbehaviorKind {
    /// Signed two different votes or proposals for one height and round.
    Equivocation,
    /// Proposed a block that cannot be executed.
    InvalidBlock,
}

/// Proven misbehaviour of a validator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Misbehavior {
    /// Who.
    pub validator: Address,
    /// What.
    pub kind: MisbehaviorKind,
    /// The height at which it happened.
    pub height: u64,
}
