//! Who proposes in a round.

use malachite::app::types::core::ValidatorSet as _;

use crate::context::{Height, Validator, ValidatorSet};

/// The proposer of a round: a pure function of validators, height and round.
///
/// The total power is a circle on which each validator has an arc of its power's length. Each
/// height, and each round, moves on by the golden section of the circle (the nearest length that
/// visits every point). So in any run of as many heights as there is power, each proposes exactly
/// as often as its power; shorter runs are spread as evenly as can be; and no validator with up to
/// 38 % of the power proposes twice in a row, so a round after a dead proposer's has another one.
pub fn proposer(validators: &ValidatorSet, height: Height, round: u32) -> &Validator {
    let total = validators.total_voting_power().max(1);
    let turn = u128::from(height.0) + u128::from(round);
    let point = (turn * u128::from(stride(total))) % u128::from(total);
    validators.at_power(u64::try_from(point).unwrap_or_default())
}

/// The least number from the golden section of `total` on that has no factor in common with it.
fn stride(total: u64) -> u64 {
    let golden = u128::from(total) * 618_034 / 1_000_000;
    let mut stride = u64::try_from(golden).unwrap_or(1).max(1);
    while gcd(stride, total) != 1 {
        stride += 1;
    }
    stride
}

fn gcd(a: u64, b: u64) -> u64 {
    let (mut a, mut b) = (a, b);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use malachite::app::types::core::Validator as _;
    use soma_types::{Address, Committee, CommitteeMember, Epoch, PublicKey, Shannons};

    use super::*;

    fn set(powers: &[u64]) -> ValidatorSet {
        let members = (0u8..)
            .zip(powers)
            .map(|(index, power)| CommitteeMember {
                address: Address([index; 32]),
                consensus_key: PublicKey([2; 33]),
                voting_power: *power,
                stake: Shannons(0),
            })
            .collect();
        let epoch = Epoch(0);
        ValidatorSet::new(Arc::new(Committee { epoch, members })).unwrap()
    }

    fn who(set: &ValidatorSet, height: u64, round: u32) -> u8 {
        proposer(set, Height(height), round).address().0.0[0]
    }

    #[test]
    fn each_proposes_exactly_by_power_in_a_full_cycle_from_any_height() {
        for powers in [
            &[2_500, 2_500, 2_500, 2_500][..],
            &[9_000, 999, 1],
            &[3_333, 1, 1_000, 2_666, 3_000],
            &[10_000],
            &[7, 5],
            &[1],
            &[1, 1],
        ] {
            let set = set(powers);
            let total: u64 = powers.iter().sum();
            for start in [0, 1, 777_777, u64::MAX - 20_000] {
                let mut counts = BTreeMap::<u8, u64>::new();
                for height in start..start + total {
                    *counts.entry(who(&set, height, 0)).or_default() += 1;
                }
                let expected: BTreeMap<u8, u64> = (0u8..).zip(powers.iter().copied()).collect();
                assert_eq!(counts, expected);
            }
        }
    }

    #[test]
    fn short_runs_are_fair_within_a_few_turns() {
        let powers = [4_000, 3_000, 2_000, 1_000];
        let set = set(&powers);
        for start in [1, 5_000, 123_456] {
            let mut counts = [0u64; 4];
            for length in 1..=500u64 {
                counts[usize::from(who(&set, start + length, 0))] += 1;
                for (count, power) in counts.iter().zip(powers) {
                    let fair = length * power / 10_000;
                    assert!(count.abs_diff(fair) <= 3, "{counts:?} after {length}");
                }
            }
        }
    }

    #[test]
    fn a_failed_proposer_is_followed_by_another() {
        let set = set(&[3_333, 3_333, 3_334]);
        for height in 1..20_000 {
            for round in 0..5 {
                assert_ne!(who(&set, height, round), who(&set, height, round + 1));
            }
        }
    }

    #[test]
    fn the_largest_rounds_and_heights_have_a_proposer() {
        let set = set(&[5_000, 5_000]);
        who(&set, u64::MAX, u32::MAX);
        who(&set, 0, 0);
    }
}
