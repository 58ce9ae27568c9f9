//! Elementary functions as plain arithmetic, which compilers turn into vector instructions.

use std::f32::consts::{FRAC_1_SQRT_2, LOG2_E};

/// ln 2 in two parts, so that the product with a small integer is exact in the first.
const LN2_HIGH: f32 = 0.693_359_4;
const LN2_LOW: f32 = -2.121_944_4e-4;
/// Adding it rounds to an integer, which is then in the lowest bits.
const ROUND: f32 = 12_582_912.0;

/// e^x within two units in the last place, for x ≤ 0; 0 where the result would be subnormal.
///
/// x = n·ln 2 + r with |r| ≤ ln 2 / 2, then the Taylor series of e^r.
#[inline(always)]
pub(crate) fn exp_of_negative(x: f32) -> f32 {
    let clamped = if x < -87.0 { -87.0 } else { x };
    let shifted = clamped.mul_add(LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = n.mul_add(-LN2_LOW, n.mul_add(-LN2_HIGH, clamped));
    let mut sum = 1.0 / 5_040.0;
    for factor in [
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        0.5,
        1.0,
        1.0,
    ] {
        sum = r.mul_add(sum, factor);
    }
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(1.0f32.to_bits()));
    let result = sum * power;
    if x < -87.0 { 0.0 } else { result }
}

/// Coefficients of erf(z)/z in t = z²/8 − 1 for |z| ≤ 4: Chebyshev interpolation of degree 16.
const ERF: [f32; 17] = [
    0.353_531,
    -0.176_576_17,
    0.131_675_1,
    -0.107_713_28,
    0.090_210_09,
    -0.074_688_37,
    0.059_871_73,
    -0.046_010_33,
    0.033_154_93,
    -0.021_672_32,
    0.014_041_013,
    -0.010_073_057,
    0.005_419_89,
    -0.001_085_529_1,
    0.000_713_755_8,
    -0.001_370_520_4,
    0.000_572_087,
];

/// The error function within 3e-7.
#[inline(always)]
fn erf(z: f32) -> f32 {
    let is_small = z.abs() < 4.0;
    let size = if is_small { z.abs() } else { 4.0 };
    let t = (size * size).mul_add(0.125, -1.0);
    let mut sum = ERF[16];
    for factor in ERF[..16].iter().rev() {
        sum = t.mul_add(sum, *factor);
    }
    let value = size * sum;
    let value = if is_small && value < 1.0 { value } else { 1.0 };
    value.copysign(z)
}

/// Gaussian error linear unit, x·Φ(x), with the error function itself.
#[inline(always)]
pub(crate) fn gelu(x: f32) -> f32 {
    let half = 0.5 * x;
    let value = erf(x * FRAC_1_SQRT_2).mul_add(half, half);
    // A number that is no number must not look like one.
    if x.is_nan() { x } else { value }
}

/// The slope of [`gelu`]: Φ(x) + x·φ(x).
#[inline(always)]
pub(crate) fn gelu_slope(x: f32) -> f32 {
    const FRAC_1_SQRT_TAU: f32 = 0.398_942_3;
    let distribution = erf(x * FRAC_1_SQRT_2).mul_add(0.5, 0.5);
    let density = FRAC_1_SQRT_TAU * exp_of_negative(-0.5 * x * x);
    let value = x.mul_add(density, distribution);
    if x.is_nan() { x } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_is_within_two_units_in_the_last_place() {
        for step in 0..=870_000 {
            let x = -(step as f32) * 1e-4;
            let exact = f64::from(x).exp();
            let error = (f64::from(exp_of_negative(x)) - exact).abs() / exact;
            assert!(error < 2.4e-7, "x = {x}: relative error {error}");
        }
        assert_eq!(exp_of_negative(0.0), 1.0);
        assert_eq!(exp_of_negative(-1e30), 0.0);
        assert_eq!(exp_of_negative(f32::NEG_INFINITY), 0.0);
    }

    #[test]
    fn gelu_is_within_a_millionth() {
        for step in -100_000..=100_000 {
            let x = step as f32 * 1e-4;
            let exact = 0.5 * f64::from(x) * (1.0 + libm::erf(f64::from(x) / 2f64.sqrt()));
            let error = (f64::from(gelu(x)) - exact).abs();
            assert!(error < 1e-6, "x = {x}: error {error}");
        }
        assert_eq!(gelu(f32::INFINITY), f32::INFINITY);
        assert_eq!(gelu(100.0), 100.0);
        assert_eq!(gelu(-100.0), 0.0);
        assert!(gelu(f32::NAN).is_nan());
    }

    #[test]
    fn the_slope_of_gelu_is_within_a_millionth() {
        for step in -100_000..=100_000 {
            let x = step as f32 * 1e-4;
            let wide = f64::from(x);
            let distribution = 0.5 * (1.0 + libm::erf(wide / 2f64.sqrt()));
            let density = (-0.5 * wide * wide).exp() / std::f64::consts::TAU.sqrt();
            let error = (f64::from(gelu_slope(x)) - distribution - wide * density).abs();
            assert!(error < 1e-6, "x = {x}: error {error}");
        }
        assert_eq!(gelu_slope(100.0), 1.0);
        assert_eq!(gelu_slope(-100.0), 0.0);
        assert!(gelu_slope(f32::NAN).is_nan());
    }
}
