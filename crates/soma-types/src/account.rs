//! Accounts and staking: balances, pools, positions.

use serde::{Deserialize, Serialize};

use crate::id::{Address, ModelId, PoolId, StakeId};
use crate::money::Shannons;
use crate::time::Epoch;

/// Balance and nonce of one address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Money that the owner can spend.
    pub balance: Shannons,
    /// The nonce of the next transaction.
    pub nonce: u64,
}

/// Whose pool it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PoolOwner {
    /// A validator, by address.
    Validator(Address),
    /// A model, by id.
    Model(ModelId),
}

/// Life of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PoolStatus {
    /// Its validator or model is not active yet: stake counts at once.
    PreActive,
    /// Stake counts from the next epoch.
    Active,
    /// Takes no stake. Stake that was to start in a later epoch than this is refundable in full.
    Inactive {
        /// The epoch in which it ended.
        since: Epoch,
    },
}

/// Stake of a validator or model, held in shares.
///
/// A share's value is `soma / tokens`; rewards raise `soma`, slashes lower it. Unbonding stake is
/// a second share account of the same pool, so that it shares slashes but not rewards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StakingPool {
    /// Its id.
    pub id: PoolId,
    /// Its validator or model.
    pub owner: PoolOwner,
    /// Where it is in its life.
    pub status: PoolStatus,
    /// Staked money that counts.
    pub soma: Shannons,
    /// Shares of `soma`; 2^32 for each shannon at par.
    pub tokens: u128,
    /// Stake that counts from the next epoch.
    pub pending: Shannons,
    /// Money on its way out.
    pub unbonding_soma: Shannons,
    /// Shares of `unbonding_soma`; 2^32 for each shannon at par.
    pub unbonding_tokens: u128,
}

/// Rate of a pool at the start of an epoch, kept where stake started in that epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolRate {
    /// `soma` of the pool.
    pub soma: Shannons,
    /// `tokens` of the pool.
    pub tokens: u128,
}

/// State of a stake position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StakeState {
    /// Counts from `from` on, at the pool's rate of that epoch.
    Starting {
        /// First epoch in which it counts.
        from: Epoch,
    },
    /// Holds shares of the pool.
    Staked {
        /// Shares of the pool's `soma`.
        tokens: u128,
    },
    /// Leaves from the start of `release` on, when its turn comes.
    Unbonding {
        /// Shares of the pool's `unbonding_soma`.
        tokens: u128,
        /// The epoch from whose start on it is paid out.
        release: Epoch,
    },
}

/// One stake of one owner in one pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StakePosition {
    /// Its id.
    pub id: StakeId,
    /// Who may withdraw it.
    pub owner: Address,
    /// The pool.
    pub pool: PoolId,
    /// What was staked.
    pub principal: Shannons,
    /// Where it is in its life.
    pub state: StakeState,
}
