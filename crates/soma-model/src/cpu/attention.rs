//! Causal attention: softmax(q·kᵀ/√head_dim)·v, where a place sees itself and those before it.
//!
//! Queries are taken in blocks. Keys after a block's last query are never touched, which saves
//! almost half of the work, and the scores of a block stay in the second-level cache.

use pulp::NullaryFnOnce;
use rayon::prelude::*;

use super::math::exp_of_negative;
use super::matrix::{Part, Right, product};

/// Queries in a block.
const BLOCK: usize = 128;
/// Partial results side by side, so that sums and maxima become vector instructions.
const LANES: usize = 16;

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
            let scale = 1.0 / (shape.head_dim as f32).sqrt();
            let (queries, keys) = (part(q, first, rows), part(k, 0, seen));
            product(scores, seen, queries, keys, Right::Transposed, scale);
            softmax(scores, seen, first);
            if let Some(kept) = kept {
                let rows = kept.chunks_exact(shape.places).skip(first);
                for (scores, kept) in scores.chunks_exact_mut(seen).zip(rows) {
                    multiply(scores, kept);
                }
            }
            let weights = Part::new(scores, rows, seen, seen);
            let out = &mut out[head * shape.head_dim..];
            product(out, dim, weights, part(v, 0, seen), Right::Plain, 1.0);
        }
    });
}

/// Multiplies numbers by factors.
fn multiply(values: &mut [f32], factors: &[f32]) {
    for (value, factor) in values.iter_mut().zip(factors) {
        *value *= factor;
    }
}

/// Softmax of every row of `scores`; row r sees the first `first` + r + 1 columns, the rest is 0.
fn softmax(scores: &mut [f32], columns: usize, first: usize) {
    let arch = pulp::Arch::new();
    for (row, scores) in scores.chunks_exact_mut(columns).enumerate() {
        let (seen, hidden) = scores.split_at_mut(first + row + 1);
        arch.dispatch(Softmax(seen));
        hidden.fill(0.0);
    }
}

struct Softmax<'a>(&'a mut [f32]);

impl NullaryFnOnce for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let largest = largest(self.0);
        let mut sums = [0.0f32; LANES];
        let (parts, rest) = self.0.as_chunks_mut::<LANES>();
        for part in parts {
            for (value, sum) in part.iter_mut().zip(&mut sums) {
                *value = exp_of_negative(*value - largest);
                *sum += *value;
            }
        }
        let mut sum: f32 = 0.0;
        for value in rest {
            *value = exp_of_negative(*value - largest);
            sum += *value;
        }
        for part in sums {
            sum += part;
        }
        let factor = 1.0 / sum;
        for value in self.0 {
            *value *= factor;
        }
    }
}

#[inline(always)]
fn largest(values: &[f32]) -> f32 {
    let mut largest = [f32::NEG_INFINITY; LANES];
    let (parts, rest) = values.as_chunks::<LANES>();
    for part in parts {
        for (value, largest) in part.iter().zip(&mut largest) {
            *largest = if *value > *largest { *value } else { *largest };
        }
    }
    let mut best = f32::NEG_INFINITY;
    for value in rest.iter().chain(&largest) {
        best = if *value > best { *value } else { best };
    }
    best
}
