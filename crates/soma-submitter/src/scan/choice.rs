//! Which hits to submit: as many targets as the money is enough for.

use std::collections::BTreeMap;

use soma_types::{Shannons, TargetId};

use super::judge::Hit;

/// Money that submissions may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Funds {
    /// For bonds and fees together.
    pub balance: Shannons,
    /// For bonds alone.
    pub bonds: Shannons,
    /// The most submissions to begin.
    pub submissions: usize,
}

/// What to submit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Choice {
    /// At most one hit for each target, in the order in which to submit them.
    pub chosen: Vec<Hit>,
    /// What the cheapest hit that was left out for want of money needs.
    pub wanting: Option<Shannons>,
}

/// Chooses of `hits` so that most targets are filled. `price` gives bond and fees of a hit.
///
/// A candidate may fill any number of targets, so each target takes its cheapest hit on its own, the
/// nearest of those that cost the same; and money goes to the cheapest targets first. No other
/// choice fills more.
pub fn choose<'a>(
    hits: impl IntoIterator<Item = &'a Hit>,
    funds: Funds,
    price: impl Fn(&Hit) -> Price,
) -> Choice {
    let rank = |hit: &Hit| (price(hit).bond, hit.distance, hit.checksum);
    let mut best: BTreeMap<TargetId, &Hit> = BTreeMap::new();
    for hit in hits {
        let place = best.entry(hit.target).or_insert(hit);
        if rank(hit) < rank(place) {
            *place = hit;
        }
    }
    let mut in_order: Vec<&Hit> = best.into_values().collect();
    in_order.sort_by_key(|hit| (rank(hit), hit.target));
    let (mut balance, mut bonds) = (funds.balance, funds.bonds);
    let mut choice = Choice::default();
    for hit in in_order {
        if choice.chosen.len() >= funds.submissions {
            break;
        }
        let Price { bond, fees } = price(hit);
        let all = bond.saturating_add(fees);
        let (Some(rest), Some(bonds_left)) = (balance.checked_sub(all), bonds.checked_sub(bond))
        else {
            // All that follow cost at least as much.
            choice.wanting = Some(all);
            break;
        };
        (balance, bonds) = (rest, bonds_left);
        choice.chosen.push(hit.clone());
    }
    choice
}

/// What a submission takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    /// The bond; it comes back.
    pub bond: Shannons,
    /// The fees of sealing and opening.
    pub fees: Shannons,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use soma_types::{Checksum, Distance, ModelId};

    use super::*;

    fn hit(candidate: u8, target: u8, size: u64, distance: u32) -> Hit {
        Hit {
            checksum: Checksum([candidate; 32]),
            size,
            target: TargetId([target; 32]),
            model: ModelId([0; 32]),
            loss: 1.0,
            distance: Distance(distance),
        }
    }

    fn price(hit: &Hit) -> Price {
        Price {
            bond: Shannons(hit.size * 10),
            fees: Shannons(3),
        }
    }

    fn funds(balance: u64, bonds: u64) -> Funds {
        Funds {
            balance: Shannons(balance),
            bonds: Shannons(bonds),
            submissions: usize::MAX,
        }
    }

    #[test]
    fn one_candidate_fills_several_targets_the_nearest_first() {
        let hits = [hit(1, 1, 5, 30), hit(1, 2, 5, 10), hit(1, 3, 5, 20)];
        let choice = choose(&hits, funds(1_000, 1_000), price);
        let targets: Vec<u8> = choice.chosen.iter().map(|hit| hit.target.0[0]).collect();
        assert_eq!(targets, [2, 3, 1]);
        assert_eq!(choice.wanting, None);
    }

    #[test]
    fn the_nearest_of_equally_large_candidates_takes_a_target() {
        let hits = [hit(1, 1, 5, 30), hit(2, 1, 5, 20), hit(3, 1, 9, 1)];
        let choice = choose(&hits, funds(1_000, 1_000), price);
        assert_eq!(choice.chosen, [hits[1].clone()]);
    }

    #[test]
    fn money_that_is_not_enough_says_how_much_is_wanted() {
        let hits = [hit(1, 1, 5, 30), hit(2, 2, 7, 20)];
        let choice = choose(&hits, funds(53, 1_000), price);
        assert_eq!(choice.chosen.len(), 1);
        assert_eq!(choice.wanting, Some(Shannons(73)));
        // The bound on bonds leaves fees out.
        assert_eq!(choose(&hits, funds(1_000, 120), price).chosen.len(), 2);
        assert_eq!(choose(&hits, funds(1_000, 119), price).chosen.len(), 1);
        assert_eq!(
            choose(&hits, funds(1_000, 49), price).wanting,
            Some(Shannons(53))
        );
    }

    /// The most targets that any choice fills: tries all.
    fn most(hits: &[Hit], balance: u64, bonds: u64) -> usize {
        let subsets = 0..1_u32 << hits.len();
        let sizes = subsets.filter_map(|subset| {
            let chosen: Vec<&Hit> = (0..hits.len())
                .filter(|place| subset & (1 << place) != 0)
                .map(|place| &hits[place])
                .collect();
            let mut targets: Vec<_> = chosen.iter().map(|hit| hit.target).collect();
            targets.sort();
            targets.dedup();
            let bond: u64 = chosen.iter().map(|hit| price(hit).bond.0).sum();
            let all = bond + 3 * chosen.len() as u64;
            let is_good = targets.len() == chosen.len() && bond <= bonds && all <= balance;
            is_good.then_some(chosen.len())
        });
        sizes.max().unwrap()
    }

    proptest! {
        #[test]
        fn no_other_choice_fills_more_targets(
            hits in prop::collection::vec((0u8..4, 0u8..5, 1u64..6, 0u32..50), 0..9),
            balance in 0u64..250,
            bonds in 0u64..250,
        ) {
            let hits: Vec<Hit> = hits.into_iter().map(|(c, t, s, d)| hit(c, t, s, d)).collect();
            let choice = choose(&hits, funds(balance, bonds), price);
            prop_assert_eq!(choice.chosen.len(), most(&hits, balance, bonds));
            let spent: u64 = choice.chosen.iter().map(|hit| price(hit).bond.0 + 3).sum();
            prop_assert!(spent <= balance);
        }
    }
}
