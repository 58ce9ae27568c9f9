//! Factors of dropout. Each depends on its place and the seed alone, so that threads do not matter.

use rayon::prelude::*;

use crate::v1::mixed;

/// Numbers that one task takes; even.
const PART: usize = 16_384;

/// `len` factors: 0 for the part `rate` of them, and 1 / (1 − `rate`) for the others.
pub(super) fn factors(len: usize, rate: f64, seed: u64) -> Vec<f32> {
    let factor = (1.0 / (1.0 - rate)) as f32;
    let bound = (rate * 2f64.powi(32)) as u32;
    let of = |bits: u32| if bits < bound { 0.0 } else { factor };
    let mut factors = vec![0.0; len];
    factors
        .par_chunks_mut(PART)
        .enumerate()
        .for_each(|(part, factors)| {
            let first = (part * PART / 2) as u64;
            for (pair, number) in factors.chunks_mut(2).zip(first..) {
                let bits = mixed(seed, number);
                for (factor, bits) in pair.iter_mut().zip([bits as u32, (bits >> 32) as u32]) {
                    *factor = of(bits);
                }
            }
        });
    factors
}
