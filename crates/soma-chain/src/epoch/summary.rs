//! The record of an epoch that ends.

use soma_types::{EpochSummary, Shannons};

use crate::key::Key;
use crate::state::State;

/// Keeps what the current epoch was like. `before` is its record at the begin of its end: rules and
/// threshold have changed to those of the next since.
pub(crate) fn keep(state: &mut State<'_>, before: &EpochSummary, released: Shannons) {
    let mut summary = EpochSummary {
        protocol_version: before.protocol_version,
        distance_threshold: before.distance_threshold,
        ..current(&state.system)
    };
    summary.end_ms = Some(state.time_ms);
    summary.last_height = Some(state.height);
    summary.released = released;
    state.save(Key::EpochSummary(summary.epoch), &summary);
}

/// The record of an epoch that goes on.
pub(crate) fn current(system: &soma_types::SystemState) -> EpochSummary {
    EpochSummary {
        epoch: system.epoch,
        start_ms: system.epoch_start_ms,
        end_ms: None,
        first_height: system.epoch_start_height,
        last_height: None,
        protocol_version: system.protocol_version,
        distance_threshold: system.targets.difficulty.distance_threshold,
        targets_drawn: system.targets.drawn,
        hits: system.targets.hits,
        reward_per_target: system.targets.reward_per_target,
        burned: system.burned_this_epoch,
        released: Shannons::ZERO,
    }
}
