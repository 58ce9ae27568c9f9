//! Causal attention: softmax(q·kᵀ/√head_dim)·v, where a place sees itself and those before it.
//!
//! Queries are taken in blocks. Keys after a block's last query are never touched, which saves
//! almost half of the work, and the scores of a block stay in the second-level cache.

mod gradients;
mod softmax;

use rayon::prelude::*;

use super::matrix::{Old, Part, product};
pub(super) use gradients::gradients;

/// Queries in a block.
const BLOCK: usize = 128;

/// Sizes of one sequence.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    /// Places of a sequence.
    pub(super) places: usize,
    /// Heads, side by side in a row.
    pub(super) heads: usize,
    /// Components of a head.
    pub(super) head_dim: usize,
}

impl Shape {
    /// Of sequences with `dim` components in all heads together.
    pub(super) fn new(places: usize, dim: usize, heads: usize) -> Self {
        Self {
            places,
            heads,
            head_dim: dim / heads,
        }
    }

    fn scale(self) -> f32 {
        1.0 / (self.head_dim as f32).sqrt()
    }
}

/// Attention of whole sequences: queries, keys, values and `out` have a row of all heads for each
/// place. Weights are multiplied by `kept`, a row for each query.
pub(super) fn causal(shape: Shape, [q, k, v]: [&[f32]; 3], kept: Option<&[f32]>, out: &mut [f32]) {
    let dim = shape.heads * shape.head_dim;
    let sequence = shape.places * dim;
    let tasks = out
        .par_chunks_mut(sequence)
        .enumerate()
        .flat_map(|(number, out)| {
            out.par_chunks_mut(BLOCK * dim)
                .enumerate()
                .map(move |(block, out)| (number * sequence, block * BLOCK, out))
        });
    tasks.for_each_init(Vec::new, |scores, (offset, first, out)| {
        let rows = out.len() / dim;
        let seen = first + rows;
        scores.resize(rows * seen, 0.0);
        for head in 0..shape.heads {
            let at = offset + head * shape.head_dim;
            let part = |values, from: usize, rows| {
                let values: &[f32] = values;
                Part::new(&values[at + from * dim..], rows, shape.head_dim, dim)
            };
            let scale = shape.scale();
            let (queries, keys) = (part(q, first, rows), part(k, 0, seen));
            product(
                scores,
                seen,
                Old::Replaced,
                queries,
                keys.transposed(),
                scale,
            );
            softmax::softmax(scores, seen, first);
            drop(scores, seen, kept, shape.places, first);
            let weights = Part::new(scores, rows, seen, seen);
            let out = &mut out[head * shape.head_dim..];
            product(out, dim, Old::Replaced, weights, part(v, 0, seen), 1.0);
        }
    });
}

/// Multiplies the weights of a block, whose first query is `first`, by the factors of dropout.
fn drop(weights: &mut [f32], seen: usize, kept: Option<&[f32]>, places: usize, first: usize) {
    let rows = kept.map(|kept| kept.chunks_exact(places).skip(first));
    for (weights, kept) in weights
        .chunks_exact_mut(seen)
        .zip(rows.into_iter().flatten())
    {
        for (weight, factor) in weights.iter_mut().zip(kept) {
            *weight *= factor;
        }
    }
}
