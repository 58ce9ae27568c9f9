//! Voting power: 10,000 in all, by stake, capped where enough validators share it.

use soma_types::validator::TOTAL_VOTING_POWER;
use soma_types::{
    Address, Committee, CommitteeMember, Epoch, Parameters, Shannons, Validator, ValidatorStatus,
};

use crate::key::{Key, prefix};
use crate::state::{State, Step};

/// Fixes the committee of `epoch` from the active validators and their stake.
pub(crate) fn form_committee(state: &mut State<'_>, epoch: Epoch) -> Step<()> {
    let mut active = Vec::new();
    for validator in state.scan_values::<Validator>(&prefix::VALIDATORS)? {
        if validator.status == ValidatorStatus::Active {
            let stake = state.pool(&validator.pool)?.soma;
            active.push((validator, stake));
        }
    }
    let stakes: Vec<(Address, Shannons)> = active
        .iter()
        .map(|(validator, stake)| (validator.address, *stake))
        .collect();
    let powers = voting_powers(&stakes, &state.parameters);
    let members = active
        .into_iter()
        .zip(powers)
        .map(|((validator, stake), voting_power)| CommitteeMember {
            address: validator.address,
            consensus_key: validator.metadata.consensus_key,
            voting_power,
            stake,
        })
        .collect();
    state.save(Key::Committee(epoch), &Committee { epoch, members });
    Ok(())
}

/// Voting power of each of `stakes`, in their order; the sum is 10,000 (0 for no validators).
///
/// Power is in proportion to stake. Where at least `voting_power_cap_min_validators` share it,
/// none gets more than `voting_power_cap`: what is cut goes to those below the cap, again in
/// proportion, until nobody is above. What rounding leaves goes to the largest remainders below
/// the cap, ties by address.
pub fn voting_powers(stakes: &[(Address, Shannons)], parameters: &Parameters) -> Vec<u64> {
    let count = stakes.len() as u64;
    let capped = count >= parameters.voting_power_cap_min_validators;
    let cap = if capped {
        parameters.voting_power_cap
    } else {
        TOTAL_VOTING_POWER
    };
    // A committee without any stake shares equally.
    let staked = stakes.iter().any(|(_, stake)| !stake.is_zero());
    let weight = |index: usize| match staked {
        true => u128::from(stakes[index].1.0),
        false => 1,
    };

    let mut powers = vec![0u64; stakes.len()];
    let mut open: Vec<usize> = (0..stakes.len()).collect();
    let mut power_left = TOTAL_VOTING_POWER;
    loop {
        let weight_left: u128 = open.iter().map(|index| weight(*index)).sum();
        let above: Vec<usize> = open
            .iter()
            .copied()
            .filter(|index| u128::from(power_left) * weight(*index) > u128::from(cap) * weight_left)
            .collect();
        if above.is_empty() {
            break;
        }
        for index in &above {
            powers[*index] = cap;
            power_left = power_left.saturating_sub(cap);
        }
        open.retain(|index| !above.contains(index));
    }

    let weight_left: u128 = open.iter().map(|index| weight(*index)).sum();
    let mut remainders = Vec::with_capacity(open.len());
    let mut given = 0;
    for index in &open {
        let exact = u128::from(power_left) * weight(*index);
        let share = exact.checked_div(weight_left).unwrap_or(0);
        powers[*index] = u64::try_from(share).unwrap_or(cap);
        given += powers[*index];
        let remainder = exact.checked_rem(weight_left).unwrap_or(0);
        remainders.push((std::cmp::Reverse(remainder), stakes[*index].0, *index));
    }
    remainders.sort();
    let mut rest = power_left.saturating_sub(given);
    while rest > 0 {
        let before = rest;
        for (_, _, index) in &remainders {
            if rest > 0 && powers[*index] < cap {
                powers[*index] += 1;
                rest -= 1;
            }
        }
        if rest == before {
            break;
        }
    }
    powers
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stakes(amounts: &[u64]) -> Vec<(Address, Shannons)> {
        (0u8..)
            .zip(amounts)
            .map(|(n, amount)| (Address([n; 32]), Shannons(*amount)))
            .collect()
    }

    #[test]
    fn power_follows_stake_among_few() {
        let powers = voting_powers(&stakes(&[300, 100]), &Parameters::v1());
        assert_eq!(powers, [7_500, 2_500]);
        assert_eq!(voting_powers(&stakes(&[5]), &Parameters::v1()), [10_000]);
        assert_eq!(
            voting_powers(&stakes(&[0, 0, 0]), &Parameters::v1()),
            [3_334, 3_333, 3_333]
        );
        assert!(voting_powers(&[], &Parameters::v1()).is_empty());
    }

    proptest! {
        #[test]
        fn the_sum_is_exact_and_nobody_is_above_the_cap(
            amounts in prop::collection::vec(0u64..1 << 53, 1..40),
        ) {
            let powers = voting_powers(&stakes(&amounts), &Parameters::v1());
            prop_assert_eq!(powers.iter().sum::<u64>(), 10_000);
            if amounts.len() >= 10 {
                prop_assert!(powers.iter().all(|power| *power <= 1_000));
            }
            for (a, x) in amounts.iter().zip(&powers) {
                for (b, y) in amounts.iter().zip(&powers) {
                    prop_assert!(a >= b || x <= &(y + 1), "more stake never means less power");
                }
            }
        }
    }
}
