//! The statistic of SIGReg, row by row.

use pulp::NullaryFnOnce;
use rayon::prelude::*;

use crate::sigreg::{POINTS, STEP, points};

/// Partial sums side by side, so that a sum becomes vector instructions.
const LANES: usize = 16;

/// Statistics of all rows of `x`, each with `slices` numbers.
pub(super) fn statistics(x: &[f32], slices: usize) -> Vec<f32> {
    let (arch, points) = (pulp::Arch::new(), points());
    x.par_chunks(slices.max(1))
        .map_init(Angles::default, |angles, row| {
            angles.set(row);
            arch.dispatch(Statistic(angles, &points))
        })
        .collect()
}

/// Cosines and sines of one row: at the first point, and at the current one.
#[derive(Default)]
struct Angles {
    first_cos: Vec<f32>,
    first_sin: Vec<f32>,
    cos: Vec<f32>,
    sin: Vec<f32>,
}

impl Angles {
    fn set(&mut self, row: &[f32]) {
        let angles = row.iter().map(|x| libm::sincosf(x * STEP as f32));
        (self.first_sin, self.first_cos) = angles.unzip();
        self.cos.clear();
        self.cos.resize(row.len(), 1.0);
        self.sin.clear();
        self.sin.resize(row.len(), 0.0);
    }
}

struct Statistic<'a>(&'a mut Angles, &'a [(f32, f32); POINTS]);

impl NullaryFnOnce for Statistic<'_> {
    type Output = f32;

    #[inline(always)]
    fn call(self) -> f32 {
        let Angles {
            first_cos,
            first_sin,
            cos,
            sin,
        } = self.0;
        let slices = cos.len() as f32;
        let mut total = 0.0;
        for (j, (phi, weight)) in self.1.iter().enumerate() {
            if j > 0 {
                turn(cos, sin, first_cos, first_sin);
            }
            let real = sum(cos) / slices - phi;
            let imaginary = sum(sin) / slices;
            total += weight * (real * real + imaginary * imaginary);
        }
        total * slices
    }
}

/// Adds the first angle to the current one.
#[inline(always)]
fn turn(cos: &mut [f32], sin: &mut [f32], first_cos: &[f32], first_sin: &[f32]) {
    for (((cos, sin), a), b) in cos.iter_mut().zip(sin).zip(first_cos).zip(first_sin) {
        let next = *cos * a - *sin * b;
        *sin = *sin * a + *cos * b;
        *cos = next;
    }
}

#[inline(always)]
fn sum(values: &[f32]) -> f32 {
    let mut sums = [0.0f32; LANES];
    let (parts, rest) = values.as_chunks::<LANES>();
    for part in parts {
        for (value, sum) in part.iter().zip(&mut sums) {
            *sum += *value;
        }
    }
    let mut total = 0.0;
    for value in rest.iter().chain(&sums) {
        total += *value;
    }
    total
}
