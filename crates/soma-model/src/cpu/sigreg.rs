//! The statistic of SIGReg and its gradient, row by row.

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

/// What `grad`, a number for each row, is at the numbers of `x`.
pub(super) fn gradient(x: &[f32], slices: usize, grad: &[f32]) -> Vec<f32> {
    let (arch, points) = (pulp::Arch::new(), points());
    let mut out = vec![0.0; x.len()];
    let size = slices.max(1);
    out.par_chunks_mut(size)
        .zip(x.par_chunks(size))
        .zip(grad)
        .for_each_init(Angles::default, |angles, ((out, row), grad)| {
            angles.set(row);
            let slopes = arch.dispatch(Slopes(angles, &points));
            angles.begin();
            arch.dispatch(Gradient {
                angles,
                slopes: slopes.map(|(cos, sin)| (cos * grad, sin * grad)),
                out,
            });
        });
    out
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
        self.begin();
    }

    /// Back to the angle 0.
    fn begin(&mut self) {
        self.cos.clear();
        self.cos.resize(self.first_cos.len(), 1.0);
        self.sin.clear();
        self.sin.resize(self.first_cos.len(), 0.0);
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

/// Factors of cosine and sine at every point, for a gradient of 1: 2·w_j·t_j·D_j and
/// 2·w_j·t_j·(φ_j − C_j).
struct Slopes<'a>(&'a mut Angles, &'a [(f32, f32); POINTS]);

impl NullaryFnOnce for Slopes<'_> {
    type Output = [(f32, f32); POINTS];

    #[inline(always)]
    fn call(self) -> Self::Output {
        let mut slopes = [(0.0, 0.0); POINTS];
        let Angles {
            first_cos,
            first_sin,
            cos,
            sin,
        } = self.0;
        let slices = cos.len() as f32;
        for (j, ((phi, weight), slope)) in self.1.iter().zip(&mut slopes).enumerate() {
            if j > 0 {
                turn(cos, sin, first_cos, first_sin);
            }
            let factor = 2.0 * weight * STEP as f32 * j as f32;
            *slope = (
                factor * sum(sin) / slices,
                factor * (phi - sum(cos) / slices),
            );
        }
        slopes
    }
}

struct Gradient<'a> {
    angles: &'a mut Angles,
    slopes: [(f32, f32); POINTS],
    out: &'a mut [f32],
}

impl NullaryFnOnce for Gradient<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Angles {
            first_cos,
            first_sin,
            cos,
            sin,
        } = self.angles;
        // At the point 0 the slope is 0.
        for (of_cos, of_sin) in &self.slopes[1..] {
            turn(cos, sin, first_cos, first_sin);
            for ((out, cos), sin) in self.out.iter_mut().zip(cos.iter()).zip(sin.iter()) {
                *out += of_cos * cos + of_sin * sin;
            }
        }
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
