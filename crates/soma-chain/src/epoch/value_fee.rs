//! The value fee: moves each epoch toward burning a fixed part of the circulating supply a year.

use soma_types::{Ppm, Supply};

use crate::key::Key;
use crate::state::{State, Step};

/// Milliseconds in a year of 365 days.
const YEAR_MS: u128 = 365 * 24 * 60 * 60 * 1_000;

/// Moves the fee after an epoch of `elapsed_ms`.
pub(crate) fn adjust(state: &mut State<'_>, elapsed_ms: u64) -> Step<()> {
    let supply: Supply = state.load(Key::Supply)?.unwrap_or_default();
    let parameters = &state.parameters;
    let yearly = u128::from(supply.circulating.0) * u128::from(parameters.annual_burn_bps) / 10_000;
    let goal = yearly.saturating_mul(elapsed_ms.into()) / YEAR_MS;
    let burned = u128::from(state.system.burned_this_epoch.0);
    let next = next_fee(
        u64::from(state.system.value_fee.0),
        burned,
        goal,
        Limits {
            min: parameters.min_value_fee_ppm,
            max: parameters.max_value_fee_ppm,
            rate_bps: parameters.fee_adjustment_rate_bps,
        },
    );
    state.system.value_fee = Ppm(u32::try_from(next).unwrap_or(1_000_000));
    Ok(())
}

#[derive(Clone, Copy)]
struct Limits {
    min: u64,
    max: u64,
    rate_bps: u64,
}

/// Burned less than the goal: up. More: down. In proportion to the gap, at most `rate_bps` of the
/// fee, and at least one unit, so that it can never stick.
fn next_fee(fee: u64, burned: u128, goal: u128, limits: Limits) -> u64 {
    if goal == 0 || burned == goal {
        return fee.clamp(limits.min, limits.max);
    }
    let gap = burned.abs_diff(goal);
    let most = u128::from(fee) * u128::from(limits.rate_bps) / 10_000;
    let proportional = u128::from(fee).saturating_mul(gap) / goal;
    let step = u64::try_from(proportional.min(most).max(1)).unwrap_or(1);
    let next = match burned < goal {
        true => fee.saturating_add(step),
        false => fee.saturating_sub(step),
    };
    next.clamp(limits.min, limits.max)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        min: 100,
        max: 5_000,
        rate_bps: 1_250,
    };

    #[test]
    fn the_fee_moves_by_an_eighth_at_most_and_one_unit_at_least() {
        assert_eq!(next_fee(1_000, 0, 1_000_000, LIMITS), 1_125);
        assert_eq!(next_fee(1_000, 9_000_000, 1_000_000, LIMITS), 875);
        assert_eq!(next_fee(1_000, 999_999, 1_000_000, LIMITS), 1_001);
        assert_eq!(next_fee(1_000, 1_000_000, 1_000_000, LIMITS), 1_000);
        assert_eq!(next_fee(1_000, 5, 0, LIMITS), 1_000);
    }

    #[test]
    fn the_fee_reaches_both_limits_and_comes_back() {
        let mut fee = 1_000;
        for _ in 0..60 {
            fee = next_fee(fee, 0, 1_000, LIMITS);
        }
        assert_eq!(fee, 5_000);
        for _ in 0..60 {
            fee = next_fee(fee, 10_000, 1_000, LIMITS);
        }
        assert_eq!(fee, 100);
        assert!(next_fee(fee, 0, 1_000, LIMITS) > 100);
    }
}
