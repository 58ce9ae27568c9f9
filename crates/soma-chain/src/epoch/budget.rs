//! The emission of an epoch.

use soma_types::Shannons;

use crate::state::State;

/// Takes an epoch's emission out of the pool: whole for an epoch of full length, by the time that
/// passed for a shorter one. `full` asks for a whole one in any case.
pub(crate) fn release(state: &mut State<'_>, elapsed_ms: u64, full: bool) -> Shannons {
    let duration = state.parameters.epoch_duration_ms;
    let elapsed = if full {
        duration
    } else {
        elapsed_ms.min(duration)
    };
    let system = &mut state.system;
    let due = system
        .emission_per_epoch
        .mul_div(elapsed, duration)
        .unwrap_or_default();
    let released = due.min(system.emission_pool);
    system.emission_pool = system.emission_pool.saturating_sub(released);
    released
}
