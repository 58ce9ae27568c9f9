//! Gradients of causal attention. The weights are computed again, block by block.

use rayon::prelude::*;

use super::{BLOCK, Shape, drop, softmax};
use crate::cpu::matrix::{Old, Part, product};

/// Blocks of one thread.
#[derive(Default)]
struct Scratch {
    /// Weights of a block of queries for the places that they see.
    weights: Vec<f32>,
    /// What comes back to the weights, then to the scores.
    flows: Vec<f32>,
}

/// What `grad` at the result of [`causal`](super::causal) is at its queries, keys and values.
///
/// Inputs are laid out as there; the results have a part of places × head_dim for each head of each
/// sequence, so that every task has its own.
pub(in crate::cpu) fn gradients(
    shape: Shape,
    qkv: [&[f32]; 3],
    kept: Option<&[f32]>,
    grad: &[f32],
    results: [&mut [f32]; 3],
) {
    let size = shape.places * shape.head_dim;
    let [q, k, v] = results.map(|result| result.par_chunks_mut(size));
    q.zip(k).zip(v).enumerate().for_each_init(
        Scratch::default,
        |scratch, (number, ((q, k), v))| {
            let task = Task {
                shape,
                qkv,
                kept,
                grad,
                at: number / shape.heads * size * shape.heads
                    + number % shape.heads * shape.head_dim,
            };
            task.run(scratch, [q, k, v]);
        },
    );
}

/// One head of one sequence.
struct Task<'a> {
    shape: Shape,
    qkv: [&'a [f32]; 3],
    kept: Option<&'a [f32]>,
    grad: &'a [f32],
    /// Where its first number lies.
    at: usize,
}

impl Task<'_> {
    /// `rows` rows of this head, from `first` on.
    fn part<'a>(&self, values: &'a [f32], first: usize, rows: usize) -> Part<'a> {
        let dim = self.shape.heads * self.shape.head_dim;
        let values = &values[self.at + first * dim..];
        Part::new(values, rows, self.shape.head_dim, dim)
    }

    fn run(&self, scratch: &mut Scratch, [of_q, of_k, of_v]: [&mut [f32]; 3]) {
        let Shape {
            places, head_dim, ..
        } = self.shape;
        let scale = self.shape.scale();
        let Scratch { weights, flows } = scratch;
        of_k.fill(0.0);
        of_v.fill(0.0);
        for first in (0..places).step_by(BLOCK) {
            let rows = BLOCK.min(places - first);
            let seen = first + rows;
            weights.resize(rows * seen, 0.0);
            flows.resize(rows * seen, 0.0);
            let [q, k, v] = self.qkv;
            let queries = self.part(q, first, rows);
            let keys = self.part(k, 0, seen);
            let values = self.part(v, 0, seen);
            let grad = self.part(self.grad, first, rows);

            product(
                weights,
                seen,
                Old::Replaced,
                queries,
                keys.transposed(),
                scale,
            );
            softmax::softmax(weights, seen, first);
            product(flows, seen, Old::Replaced, grad, values.transposed(), 1.0);
            drop(flows, seen, self.kept, places, first);
            softmax::gradient(flows, weights, seen, first);
            drop(weights, seen, self.kept, places, first);

            let weights = Part::new(weights, rows, seen, seen).transposed();
            product(of_v, head_dim, Old::Kept, weights, grad, 1.0);
            let flows = Part::new(flows, rows, seen, seen);
            let of_q = &mut of_q[first * head_dim..seen * head_dim];
            product(of_q, head_dim, Old::Replaced, flows, keys, scale);
            product(
                of_k,
                head_dim,
                Old::Kept,
                flows.transposed(),
                queries,
                scale,
            );
        }
    }
}
