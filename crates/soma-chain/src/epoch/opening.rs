//! The start of an epoch: the budget and the draws. Genesis starts epoch 0 by the same function.

use soma_types::{Bps, Epoch, Shannons, TargetState};

use crate::state::{Failure, State, Step};

/// Begins `epoch` with `released` from the emission pool.
///
/// Budget = release + what the targets of the last epoch left over. The validators' part is paid
/// at the end of the epoch, the rest is for targets: exactly 100 %. A target's reward is such that
/// the budget pays for `target_supply_factor` times the hit goal.
pub(crate) fn open_epoch(state: &mut State<'_>, epoch: Epoch, released: Shannons) -> Step<()> {
    let parameters = std::sync::Arc::clone(&state.parameters);
    let rate = Bps::try_from(parameters.validator_reward_allocation_bps).unwrap_or_default();
    let supply = parameters
        .target_hits_per_epoch
        .saturating_mul(parameters.target_supply_factor);
    let overflow = Failure::Supply("the budget overflowed");
    let (height, time_ms) = (state.height, state.time_ms);

    let system = &mut state.system;
    let budget = system.target_pot.checked_add(released).ok_or(overflow)?;
    let validators = budget.share(rate);
    system.validator_pot = system.validator_pot.saturating_add(validators);
    system.target_pot = budget.saturating_sub(validators);
    system.epoch = epoch;
    system.epoch_start_ms = time_ms;
    // The block that ends an epoch belongs to it.
    system.epoch_start_height = height.saturating_add(1);
    system.burned_this_epoch = Shannons::ZERO;
    system.targets = TargetState {
        difficulty: system.targets.difficulty,
        reward_per_target: Shannons(system.target_pot.0.checked_div(supply).unwrap_or(0)),
        drawn: 0,
        hits: 0,
        pending_draws: parameters.target_initial_targets_per_epoch,
    };
    Ok(())
}
