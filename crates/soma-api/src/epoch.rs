//! Epochs, the system state and the supply.

use serde::{Deserialize, Serialize};
use soma_types::time::Height;
use soma_types::{
    DifficultyState, Distance, Epoch, EpochSummary, MAX_SUPPLY, Shannons, Supply, SystemState,
    TimestampMs,
};

use crate::validator::CommitteeView;

/// What an epoch is or was like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EpochView {
    /// The epoch.
    pub epoch: Epoch,
    /// True for the epoch that is not over.
    pub is_current: bool,
    /// When it began.
    pub start_ms: TimestampMs,
    /// When it ended; absent for the current epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_ms: Option<TimestampMs>,
    /// Its first block.
    pub first_height: Height,
    /// Its last block; absent for the current epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_height: Option<Height>,
    /// Version of the protocol parameters.
    pub protocol_version: u64,
    /// Data of its targets must lie at most this far from them.
    pub distance_threshold: f64,
    /// The threshold in units of 2^-30.
    pub distance_threshold_fixed: u32,
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
    /// Its committee, where the node still has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub committee: Option<CommitteeView>,
}

impl From<&EpochSummary> for EpochView {
    fn from(summary: &EpochSummary) -> Self {
        Self {
            epoch: summary.epoch,
            is_current: summary.end_ms.is_none(),
            start_ms: summary.start_ms,
            end_ms: summary.end_ms,
            first_height: summary.first_height,
            last_height: summary.last_height,
            protocol_version: summary.protocol_version,
            distance_threshold: summary.distance_threshold.to_f64(),
            distance_threshold_fixed: summary.distance_threshold.0,
            targets_drawn: summary.targets_drawn,
            hits: summary.hits,
            reward_per_target: summary.reward_per_target,
            burned: summary.burned,
            released: summary.released,
            committee: None,
        }
    }
}

/// Steering of the distance threshold.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DifficultyView {
    /// Threshold of new targets.
    pub distance_threshold: f64,
    /// The threshold in units of 2^-30.
    pub distance_threshold_fixed: u32,
    /// Exponential average of hits per epoch; absent before the first epoch ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hits_average: Option<f64>,
    /// The average in units of 2^-16.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hits_average_fixed: Option<u64>,
}

impl From<DifficultyState> for DifficultyView {
    fn from(state: DifficultyState) -> Self {
        Self {
            distance_threshold: Distance::to_f64(state.distance_threshold),
            distance_threshold_fixed: state.distance_threshold.0,
            hits_average: state.hits_average.map(|hits| hits as f64 / 65_536.0),
            hits_average_fixed: state.hits_average,
        }
    }
}

/// The system state: the few numbers that every epoch turns on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SystemView {
    /// The current epoch.
    pub epoch: Epoch,
    /// When it began.
    pub epoch_start_ms: TimestampMs,
    /// Its first block.
    pub epoch_start_height: Height,
    /// Version of the protocol parameters.
    pub protocol_version: u64,
    /// The value fee in parts per million.
    pub value_fee_ppm: u32,
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
    /// For targets of this epoch not drawn yet.
    pub target_pot: Shannons,
    /// Reward of each target drawn in this epoch.
    pub reward_per_target: Shannons,
    /// Targets drawn in this epoch.
    pub targets_drawn: u64,
    /// Targets filled in this epoch.
    pub hits: u64,
    /// Draws that wait for the next block.
    pub pending_draws: u64,
    /// Threshold and average of hits.
    pub difficulty: DifficultyView,
}

impl From<&SystemState> for SystemView {
    fn from(state: &SystemState) -> Self {
        Self {
            epoch: state.epoch,
            epoch_start_ms: state.epoch_start_ms,
            epoch_start_height: state.epoch_start_height,
            protocol_version: state.protocol_version,
            value_fee_ppm: state.value_fee.0,
            burned_this_epoch: state.burned_this_epoch,
            burned: state.burned,
            emission_pool: state.emission_pool,
            emission_per_epoch: state.emission_per_epoch,
            validator_pot: state.validator_pot,
            target_pot: state.target_pot,
            reward_per_target: state.targets.reward_per_target,
            targets_drawn: state.targets.drawn,
            hits: state.targets.hits,
            pending_draws: state.targets.pending_draws,
            difficulty: state.targets.difficulty.into(),
        }
    }
}

/// Where all SOMA are: every pool and the sum, in shannons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SupplyView {
    /// The epoch of the certificate, or the current one.
    pub epoch: Epoch,
    /// The block after which this was so.
    pub height: Height,
    /// True for the certificate of an epoch that is over.
    pub is_certificate: bool,
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
    /// Sum of all pools.
    pub total: Shannons,
    /// What the sum must be.
    pub maximum: Shannons,
    /// True when it is.
    pub ok: bool,
}

impl SupplyView {
    /// The view of `supply` after block `height` of `epoch`.
    pub fn new(epoch: Epoch, height: Height, supply: &Supply, is_certificate: bool) -> Self {
        let total = supply.total();
        Self {
            epoch,
            height,
            is_certificate,
            circulating: supply.circulating,
            staked: supply.staked,
            stake_pending: supply.stake_pending,
            unbonding: supply.unbonding,
            submission_bonds: supply.submission_bonds,
            challenge_bonds: supply.challenge_bonds,
            target_rewards: supply.target_rewards,
            target_pot: supply.target_pot,
            validator_pot: supply.validator_pot,
            emission_pool: supply.emission_pool,
            burned: supply.burned,
            total: total.unwrap_or(Shannons(u64::MAX)),
            maximum: MAX_SUPPLY,
            ok: total == Some(MAX_SUPPLY),
        }
    }
}
