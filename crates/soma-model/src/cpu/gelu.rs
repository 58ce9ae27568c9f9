//! GELU and its gradient over slices.

use pulp::NullaryFnOnce;
use rayon::prelude::*;

use super::math::{gelu, gelu_slope};

/// Numbers that one task takes.
const PART: usize = 16_384;

struct Gelu<'a>(&'a mut [f32]);

impl NullaryFnOnce for Gelu<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        for value in self.0 {
            *value = gelu(*value);
        }
    }
}

/// Replaces every number by its GELU.
pub(super) fn in_place(values: &mut [f32]) {
    let arch = pulp::Arch::new();
    values
        .par_chunks_mut(PART)
        .for_each(|part| arch.dispatch(Gelu(part)));
}

struct Gradient<'a>(&'a mut [f32], &'a [f32]);

impl NullaryFnOnce for Gradient<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        for (grad, x) in self.0.iter_mut().zip(self.1) {
            *grad *= gelu_slope(*x);
        }
    }
}

/// Replaces what came back to the results of GELU by what comes back to its numbers `x`.
pub(super) fn gradient_in_place(grad: &mut [f32], x: &[f32]) {
    let arch = pulp::Arch::new();
    grad.par_chunks_mut(PART)
        .zip(x.par_chunks(PART))
        .for_each(|(grad, x)| arch.dispatch(Gradient(grad, x)));
}
