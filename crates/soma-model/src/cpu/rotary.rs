//! Rotation of queries and keys by their positions.

use pulp::NullaryFnOnce;
use rayon::prelude::*;

struct Rotate<'a> {
    row: &'a mut [f32],
    cos: &'a [f32],
    sin: &'a [f32],
    heads: usize,
}

impl NullaryFnOnce for Rotate<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self {
            row,
            cos,
            sin,
            heads,
        } = self;
        let head_dim = row.len() / heads;
        for head in row.chunks_exact_mut(head_dim) {
            let (first, second) = head.split_at_mut(head_dim / 2);
            for (((a, b), cos), sin) in first.iter_mut().zip(second).zip(cos).zip(sin) {
                let (x, y) = (*a, *b);
                *a = x * cos - y * sin;
                *b = y * cos + x * sin;
            }
        }
    }
}

/// Rotates the rows of `x`, each of `heads` heads with `dim` components in all. `cos` and `sin` have
/// a row for each, half a head wide.
pub(super) fn in_place(x: &mut [f32], cos: &[f32], sin: &[f32], dim: usize, heads: usize) {
    let arch = pulp::Arch::new();
    let half = dim / heads / 2;
    x.par_chunks_mut(dim)
        .zip(cos.par_chunks(half))
        .zip(sin.par_chunks(half))
        .with_min_len(16)
        .for_each(|((row, cos), sin)| {
            arch.dispatch(Rotate {
                row,
                cos,
                sin,
                heads,
            })
        });
}
