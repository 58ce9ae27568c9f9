//! The system state: the few numbers that every epoch turns on.

use serde::{Deserialize, Serialize};

use crate::embedding::Distance;
use crate::money::{Ppm, Shannons};
use crate::time::{Epoch, Height, TimestampMs};

/// Steering of the distance threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DifficultyState {
    /// Threshold of new targets.
    pub distance_threshold: Distance,
    /// Exponential average of hits per epoch, in units of 2^-16; none before the first epoch ended.
    pub hits_average: Option<u64>,
}

/// Targets of the current epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetState {
    /// Threshold and average of hits.
    pub difficulty: DifficultyState,
    /// Reward of each target drawn in this epoch.
    pub reward_per_target: Shannons,
    /// Targets drawn in this epoch.
    pub drawn: u64,
    /// Targets filled in this epoch.
    pub hits: u64,
    /// Draws that wait for the next block: their seed is a block hash that nobody knows yet.
    pub pending_draws: u64,
}

/// The system state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemState {
    /// The current epoch.
    pub epoch: Epoch,
    /// When it began.
    pub epoch_start_ms: TimestampMs,
    /// Its first block.
    pub epoch_start_height: Height,
    /// Version of the protocol parameters.
    pub protocol_version: u64,
    /// The value fee.
    pub value_fee: Ppm,
    /// Fees burned in this epoch.
    pub burned_this_epoch: Shannons,
    /// Fees burned since genesis.
    pub burned: Shannons,
    /// What was never released yet, and what was slashed.
    pub emission_pool: Shannons,
    /// Released at the end of each full-length epoch.
    pub emission_per_epoch: Shannons,
    /// For the validators, paid at the end of this epoch.
    pub validator_pot: Shannons,
    /// For targets of this epoch not drawn yet; what is left rolls over.
    pub target_pot: Shannons,
    /// Targets of this epoch.
    pub targets: TargetState,
}

/// Where all SOMA are: every pool and the sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Supply {
    /// Balances of accounts.
    pub circulating: Shannons,
    /// Stake that counts.
    pub staked: Shannons,
    /// Stake that counts from the next epoch.
    pub stake_pending: Shannons,
    /// Stake on its way out.
    pub unbonding: Shannons,
    /// Bonds of submissions under audit.
    pub submission_bonds: Shannons,
    /// Bonds of challenges.
    pub challenge_bonds: Shannons,
    /// Rewards of targets that are open or filled.
    pub target_rewards: Shannons,
    /// Budget of targets not drawn yet.
    pub target_pot: Shannons,
    /// Budget of the validators.
    pub validator_pot: Shannons,
    /// Not released yet.
    pub emission_pool: Shannons,
    /// Fees burned since genesis.
    pub burned: Shannons,
}

impl Supply {
    /// Sum of all pools, or `None` on overflow.
    pub fn total(&self) -> Option<Shannons> {
        Shannons::sum([
            self.circulating,
            self.staked,
            self.stake_pending,
            self.unbonding,
            self.submission_bonds,
            self.challenge_bonds,
            self.target_rewards,
            self.target_pot,
            self.validator_pot,
            self.emission_pool,
            self.burned,
        ])
    }
}

/// The supply at the end of an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SupplyCertificate {
    /// The epoch that ended.
    pub epoch: Epoch,
    /// Its last block.
    pub height: Height,
    /// Every pool.
    pub supply: Supply,
}

/// What an epoch was like, kept when it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochSummary {
    /// The epoch.
    pub epoch: Epoch,
    /// When it began.
    pub start_ms: TimestampMs,
    /// When it ended; none for the current epoch.
    pub end_ms: Option<TimestampMs>,
    /// Its first block.
    pub first_height: Height,
    /// Its last block; none for the current epoch.
    pub last_height: Option<Height>,
    /// Version of the protocol parameters.
    pub protocol_version: u64,
    /// Threshold of its targets.
    pub distance_threshold: Distance,
    /// Targets drawn.
    pub targets_drawn: u64,
    /// Targets filled.
    pub hits: u64,
    /// Reward of each target.
    pub reward_per_target: Shannons,
    /// Fees burned.
    pub burned: Shannons,
    /// Released from the emission pool at its end.
    pub released: Shannons,
}
