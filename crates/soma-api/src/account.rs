//! Accounts, stake positions and the ledger of earnings.

use serde::{Deserialize, Serialize};
use soma_types::event::EarningKind;
use soma_types::time::Height;
use soma_types::{
    Account, Address, Epoch, PoolId, Shannons, StakeId, StakePosition, StakeState, TargetId,
    TimestampMs,
};

/// Balance and nonce of an account. Unknown addresses have 0 and 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Balance {
    /// Whose.
    pub address: Address,
    /// Money that can be spent.
    pub balance: Shannons,
    /// The nonce of the next transaction to be executed.
    pub nonce: u64,
    /// The nonce that a new transaction should have: after those that wait in the node.
    pub next_nonce: u64,
    /// The height of this answer.
    pub height: Height,
}

impl Balance {
    /// The view of an account without waiting transactions.
    pub fn new(address: Address, account: Account, height: Height) -> Self {
        Self {
            address,
            balance: account.balance,
            nonce: account.nonce,
            next_nonce: account.nonce,
            height,
        }
    }
}

/// Where a stake position is in its life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum StakeStateView {
    /// Counts from an epoch on.
    Starting {
        /// First epoch in which it counts.
        from: Epoch,
    },
    /// Holds shares of its pool.
    Staked {
        /// Shares, as a decimal number of up to 39 digits.
        tokens: String,
    },
    /// On its way out.
    Unbonding {
        /// Shares, as a decimal number of up to 39 digits.
        tokens: String,
        /// The epoch from whose start on it is paid out.
        release: Epoch,
    },
}

impl From<StakeState> for StakeStateView {
    fn from(state: StakeState) -> Self {
        match state {
            StakeState::Starting { from } => Self::Starting { from },
            StakeState::Staked { tokens } => Self::Staked {
                tokens: tokens.to_string(),
            },
            StakeState::Unbonding { tokens, release } => Self::Unbonding {
                tokens: tokens.to_string(),
                release,
            },
        }
    }
}

/// A stake position.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StakeView {
    /// Its id: what a withdrawal names.
    pub id: StakeId,
    /// Who may withdraw it.
    pub owner: Address,
    /// Its pool.
    pub pool: PoolId,
    /// The validator or model that the pool belongs to: `validator` or `model`.
    pub staked_with: String,
    /// Address of the validator or id of the model.
    pub staked_with_id: String,
    /// What was staked.
    pub principal: Shannons,
    /// What it is worth now: above the principal after rewards, below after slashes.
    pub value: Shannons,
    /// Where it is in its life.
    #[serde(flatten)]
    pub state: StakeStateView,
}

impl StakeView {
    /// The view of `position`, worth `value`, in the pool of `owner`.
    pub fn new(position: &StakePosition, value: Shannons, owner: soma_types::PoolOwner) -> Self {
        let (staked_with, staked_with_id) = match owner {
            soma_types::PoolOwner::Validator(address) => ("validator", address.to_string()),
            soma_types::PoolOwner::Model(id) => ("model", id.to_string()),
        };
        Self {
            id: position.id,
            owner: position.owner,
            pool: position.pool,
            staked_with: staked_with.to_owned(),
            staked_with_id,
            principal: position.principal,
            value,
            state: position.state.into(),
        }
    }
}

/// One line of an address's ledger: money earned or lost outside plain transfers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LedgerEntryView {
    /// The block.
    pub height: Height,
    /// Its place among the entries of the block.
    pub index: u32,
    /// The epoch.
    pub epoch: Epoch,
    /// Time of the block.
    pub time_ms: TimestampMs,
    /// Why: `submission`, `bond_returned`, `bond_slashed`, `model_commission`, `model_pool`,
    /// `claim_bounty`, `validator_commission`, `validator_pool`, `fraud_report`, `challenge`,
    /// `challenge_bond_returned`, `challenge_bond_lost`, `stake_returned` or `stake_slashed`. The
    /// amounts of `model_pool`, `validator_pool` and `stake_slashed` are of all who stake there, and
    /// are listed for the model's owner or the validator.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub kind: EarningKind,
    /// How much.
    pub amount: Shannons,
    /// True when the amount was lost instead of earned.
    pub is_loss: bool,
    /// The target that it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetId>,
}
