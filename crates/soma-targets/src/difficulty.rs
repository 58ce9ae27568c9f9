//! The difficulty controller: moves the distance threshold so that hits per epoch meet a goal.
//!
//! The distance of unrelated data to a target is spread around 1 with a deviation of
//! σ = 1/√dim, so a threshold is measured as T = 1 − z·σ. After each epoch z moves by
//!
//! ```text
//! Δz = gain(z) · log2(signal / goal)      gain(z) = min(1/2, 5/8 / (z + 4/5)),  |Δz| ≤ 1/2
//! ```
//!
//! - **Signal.** Of the epoch's hits and their exponential average, the one nearer to the goal; no
//!   move when they lie on different sides of it, or within 5 %. The average keeps noise out, the
//!   epoch's own hits keep its delay from driving z past the goal.
//! - **Gain.** For normally spread distances, log(hits) falls by about z + 4/5 for each unit of z
//!   (the hazard rate of the normal distribution is below that for z ≥ 0). The gain is 0.9 of its
//!   inverse, so one step never overshoots, and at most half a unit for each doubling.
//!
//! All numbers are integers; the same hits give the same threshold everywhere.

use soma_types::{DifficultyState, Distance};

/// Fraction bits of z.
const Z_BITS: u32 = 16;
/// One, in the units of z.
const Z_ONE: i64 = 1 << Z_BITS;
/// Largest move of z in an epoch: 1/2.
const MAX_STEP: i64 = Z_ONE / 2;
/// Dead band: 5 % of the goal, in basis points.
const DEAD_BAND_BPS: u128 = 500;
/// Fraction bits of the average of hits.
const AVERAGE_BITS: u32 = 16;
/// One, in the units of a distance.
const ONE: i64 = 1 << 30;

/// What the controller steers by.
#[derive(Clone, Copy, Debug)]
pub struct Parameters {
    /// Hits per epoch to steer to; 0 counts as 1.
    pub hits_goal: u64,
    /// Components of an embedding.
    pub dim: u64,
    /// Weight of the past in the average, in basis points.
    pub ema_decay_bps: u64,
}

/// Threshold and average of hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difficulty {
    /// Threshold of new targets.
    pub threshold: Distance,
    /// Average of hits in units of 2^-16; none before the first epoch ended.
    pub hits_average: Option<u64>,
}

impl From<DifficultyState> for Difficulty {
    fn from(state: DifficultyState) -> Self {
        Self {
            threshold: state.distance_threshold,
            hits_average: state.hits_average,
        }
    }
}

impl From<Difficulty> for DifficultyState {
    fn from(difficulty: Difficulty) -> Self {
        Self {
            distance_threshold: difficulty.threshold,
            hits_average: difficulty.hits_average,
        }
    }
}

impl Difficulty {
    /// The state after an epoch with `hits`. Total: any input gives a threshold in range.
    #[must_use]
    pub fn next(&self, hits: u64, parameters: &Parameters) -> Self {
        let average = average(self.hits_average, hits, parameters.ema_decay_bps);
        let sigma = deviation(parameters.dim);
        let step = step(self.z(sigma), hits, average, parameters.hits_goal.max(1));
        // Harder is a larger z and a smaller threshold.
        let moved = i64::from(self.threshold.0) - ((step * sigma) >> Z_BITS);
        let hardest = (ONE - 6 * sigma).max(1);
        let threshold = moved.clamp(hardest, i64::from(Distance::MAX.0));
        Self {
            threshold: u32::try_from(threshold).map_or(Distance::MAX, Distance),
            hits_average: Some(average),
        }
    }

    /// z = (1 − T) / σ in units of 2^-16.
    fn z(&self, sigma: i64) -> i64 {
        ((ONE - i64::from(self.threshold.0)) << Z_BITS) / sigma
    }
}

/// σ = 1/√dim in units of 2^-30, rounded down, at least one unit.
fn deviation(dim: u64) -> i64 {
    let square = (1u64 << 60) / dim.max(1);
    i64::try_from(square.isqrt()).unwrap_or(ONE).max(1)
}

/// The exponential average; the first epoch starts it.
fn average(before: Option<u64>, hits: u64, decay_bps: u64) -> u64 {
    let hits = u128::from(hits) << AVERAGE_BITS;
    let decay = u128::from(decay_bps.min(10_000));
    let next = match before {
        Some(before) => (u128::from(before) * decay + hits * (10_000 - decay)) / 10_000,
        None => hits,
    };
    u64::try_from(next).unwrap_or(u64::MAX)
}

/// The move of z in units of 2^-16.
fn step(z: i64, hits: u64, average: u64, goal: u64) -> i64 {
    let goal = u128::from(goal) << AVERAGE_BITS;
    let hits = u128::from(hits) << AVERAGE_BITS;
    let average = u128::from(average);
    let signal = match (hits > goal, average > goal) {
        (true, true) => hits.min(average),
        (false, false) => hits.max(average),
        _ => return 0,
    };
    if signal.abs_diff(goal) * 10_000 <= goal * DEAD_BAND_BPS {
        return 0;
    }
    if signal == 0 {
        return -MAX_STEP;
    }
    let log = log2_ratio(signal, goal);
    let gain = (Z_ONE * Z_ONE * 5 / 8 / (z + Z_ONE * 4 / 5).max(1)).min(Z_ONE / 2);
    ((gain * log) >> Z_BITS).clamp(-MAX_STEP, MAX_STEP)
}

/// log2(a / b) in units of 2^-16, rounded toward −∞, within ±64; `a` and `b` are not 0.
///
/// The whole part is the number of halvings that bring the ratio into 1..2. Each further bit
/// squares the ratio and asks whether it reached 2.
fn log2_ratio(a: u128, b: u128) -> i64 {
    const BITS: u32 = 62;
    let mut whole = i64::from(b.leading_zeros()) - i64::from(a.leading_zeros());
    // Both with the highest bit at 63: what is cut is below 2^-62 of the ratio.
    let align = |value: u128| match value.leading_zeros() {
        zeros @ 65.. => value << (zeros - 64),
        zeros => value >> (64 - zeros),
    };
    let mut ratio = (align(a) << BITS) / align(b).max(1);
    if ratio < 1 << BITS {
        ratio <<= 1;
        whole -= 1;
    }
    let mut log = whole << Z_BITS;
    for bit in (0..Z_BITS).rev() {
        ratio = (ratio * ratio) >> BITS;
        if ratio >= 2 << BITS {
            ratio >>= 1;
            log |= 1 << bit;
        }
    }
    log.clamp(-64 * Z_ONE, 64 * Z_ONE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parameters(dim: u64, hits_goal: u64) -> Parameters {
        Parameters {
            hits_goal,
            dim,
            ema_decay_bps: 9_000,
        }
    }

    /// Hits of an epoch: `tries` pieces of data with normally spread distances, at most twice the
    /// goal because the budget pays for no more targets.
    fn hits(difficulty: &Difficulty, p: &Parameters, tries: f64) -> u64 {
        let z = (1.0 - difficulty.threshold.to_f64()) * (p.dim as f64).sqrt();
        let tail = 0.5 * libm::erfc(z / std::f64::consts::SQRT_2);
        ((tries * tail) as u64).min(2 * p.hits_goal)
    }

    fn simulate(dim: u64, start: Distance, balanced_z: f64, epochs: usize) -> Vec<f64> {
        let p = parameters(dim, 86_400);
        let tail = 0.5 * libm::erfc(balanced_z / std::f64::consts::SQRT_2);
        let tries = p.hits_goal as f64 / tail;
        let mut difficulty = Difficulty {
            threshold: start,
            hits_average: None,
        };
        (0..epochs)
            .map(|_| {
                let hits = hits(&difficulty, &p, tries);
                difficulty = difficulty.next(hits, &p);
                hits as f64 / p.hits_goal as f64
            })
            .collect()
    }

    #[test]
    fn hits_reach_the_goal_from_both_ends_without_oscillation() {
        for dim in [16, 2_048] {
            let hardest = (ONE - 6 * deviation(dim)).max(1);
            for start in [Distance::MAX, Distance(u32::try_from(hardest).unwrap())] {
                for balanced_z in [-1.0, 0.0, 1.0, 2.0, 3.0, 4.0] {
                    let ratios = simulate(dim, start, balanced_z, 300);
                    let (settled, course) = ratios.split_last().unwrap();
                    assert!(
                        (0.8..=1.2).contains(settled),
                        "{dim} {start} {balanced_z}: {settled}"
                    );
                    // From one side: the goal is never passed by more than the dead band.
                    let from_easy = course[0] > 1.0;
                    for ratio in course {
                        let passed = if from_easy {
                            *ratio < 0.94
                        } else {
                            *ratio > 1.06
                        };
                        assert!(!passed, "{dim} {start} {balanced_z}: {ratios:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn an_epoch_without_hits_makes_it_easier() {
        let p = parameters(2_048, 100);
        let start = Difficulty {
            threshold: Distance(1 << 30),
            hits_average: None,
        };
        let next = start.next(0, &p);
        assert_eq!(next.hits_average, Some(0));
        assert_eq!(
            next.threshold.0 - start.threshold.0,
            deviation(2_048) as u32 / 2
        );
    }

    #[test]
    fn inside_the_dead_band_nothing_moves() {
        let p = parameters(2_048, 100);
        let start = Difficulty {
            threshold: Distance(1 << 30),
            hits_average: None,
        };
        assert_eq!(start.next(105, &p).threshold, start.threshold);
        assert_eq!(start.next(95, &p).threshold, start.threshold);
        assert!(start.next(106, &p).threshold < start.threshold);
        assert!(start.next(94, &p).threshold > start.threshold);
    }

    proptest! {
        #[test]
        fn any_input_gives_a_threshold_in_range_and_a_bounded_step(
            threshold: u32, hits: u64, average: Option<u64>, goal: u64, dim: u64, decay: u64,
        ) {
            let p = Parameters { hits_goal: goal, dim, ema_decay_bps: decay };
            let before = Difficulty {
                threshold: Distance(threshold.min(Distance::MAX.0)), hits_average: average,
            };
            let after = before.next(hits, &p);
            prop_assert!(after.threshold <= Distance::MAX);
            let sigma = deviation(dim);
            let hardest = (ONE - 6 * sigma).max(1);
            let start = i64::from(before.threshold.0).max(hardest);
            prop_assert!((i64::from(after.threshold.0) - start).abs() <= sigma / 2 + 1);
        }

        #[test]
        fn the_logarithm_is_exact_to_its_last_bit(a in 1u64.., b in 1u64..) {
            let log = log2_ratio(u128::from(a), u128::from(b)) as f64 / Z_ONE as f64;
            let exact = (a as f64).log2() - (b as f64).log2();
            prop_assert!((log - exact).abs() <= 2.0 / Z_ONE as f64, "{log} {exact}");
        }
    }
}
