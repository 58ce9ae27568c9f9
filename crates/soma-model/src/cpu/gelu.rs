//! GELU over a slice.

use pulp::NullaryFnOnce;
use rayon::prelude::*;

use super::math::gelu;

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
