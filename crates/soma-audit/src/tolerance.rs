//! How far two honest computations may be apart.

/// Difference that is always allowed.
pub const ABSOLUTE: f64 = 0.01;
/// Difference that is allowed as a part of the larger magnitude.
pub const RELATIVE: f64 = 0.01;

fn allowed(a: f64, b: f64) -> f64 {
    ABSOLUTE.max(RELATIVE * a.abs().max(b.abs()))
}

/// True when |a − b| ≤ max(0.01, 0.01 · max(|a|, |b|)). False when either is not finite.
pub fn within(a: f64, b: f64) -> bool {
    a.is_finite() && b.is_finite() && (a - b).abs() <= allowed(a, b)
}

/// True when `a` is larger than `b` by more than the tolerance. False when either is not finite.
pub fn exceeds(a: f64, b: f64) -> bool {
    a.is_finite() && b.is_finite() && a - b > allowed(a, b)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn small_numbers_may_differ_by_a_hundredth_and_large_ones_by_a_percent() {
        assert!(within(0.5, 0.509));
        assert!(!within(0.5, 0.511));
        assert!(within(100.0, 100.9));
        assert!(!within(100.0, 102.0));
        assert!(within(0.0, -0.01));
    }

    #[test]
    fn what_is_not_finite_is_within_nothing() {
        for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(!within(odd, odd));
            assert!(!within(odd, 1.0) && !within(1.0, odd));
            assert!(!exceeds(odd, 1.0) && !exceeds(1.0, odd));
        }
    }

    proptest! {
        #[test]
        fn exactly_one_of_within_below_and_above_holds(a in -1e6..1e6f64, b in -1e6..1e6f64) {
            let count = [within(a, b), exceeds(a, b), exceeds(b, a)];
            prop_assert_eq!(count.into_iter().filter(|is| *is).count(), 1);
            prop_assert_eq!(within(a, b), within(b, a));
        }
    }
}
