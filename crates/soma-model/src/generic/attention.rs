//! Causal attention and its gradients, a block of queries at a time.
//!
//! With S = q·kᵀ/√head_dim, P = softmax(S) where a place sees itself and those before it, and the
//! factors F of dropout, the result is O = (P∘F)·v. Gradients, with dO given:
//!
//! ```text
//! dv = (P∘F)ᵀ·dO     dP = (dO·vᵀ)∘F     dS = P∘(dP − row sums of P∘dP)
//! dq = dS·k/√head_dim     dk = dSᵀ·q/√head_dim
//! ```

use burn::tensor::backend::Backend;
use burn::tensor::{Bool, Tensor, activation};

use crate::backend::ModelBackend;

/// Queries taken at a time.
const BLOCK: usize = 256;
/// Score of a place that must not be seen: its weight is 0 after the softmax.
const HIDDEN: f32 = -1e30;

/// Sizes of the tensors, and how the heads lie.
struct Heads {
    batch: usize,
    places: usize,
    heads: usize,
    head_dim: usize,
}

impl Heads {
    fn of<B: Backend>(x: &Tensor<B, 3>, heads: usize) -> Self {
        let [batch, places, dim] = x.dims();
        Self {
            batch,
            places,
            heads,
            head_dim: dim / heads,
        }
    }

    /// batch × places × dim to batch × heads × places × head_dim.
    fn split<B: Backend>(&self, x: Tensor<B, 3>) -> Tensor<B, 4> {
        x.reshape([self.batch, self.places, self.heads, self.head_dim])
            .swap_dims(1, 2)
    }

    fn join<B: Backend>(&self, x: Tensor<B, 4>) -> Tensor<B, 3> {
        let dim = self.heads * self.head_dim;
        x.swap_dims(1, 2).reshape([self.batch, self.places, dim])
    }

    fn part<B: Backend>(&self, x: &Tensor<B, 4>, from: usize, to: usize) -> Tensor<B, 4> {
        let ranges = [0..self.batch, 0..self.heads, from..to, 0..self.head_dim];
        x.clone().slice(ranges)
    }

    fn scale(&self) -> f64 {
        1.0 / (self.head_dim as f64).sqrt()
    }

    /// Weights of the queries from `first` to `end` for all places before `end`.
    fn weights<B: ModelBackend>(
        &self,
        q: &Tensor<B, 4>,
        k: &Tensor<B, 4>,
        first: usize,
        end: usize,
    ) -> Tensor<B, 4> {
        let queries = self.part(q, first, end).mul_scalar(self.scale());
        let scores = B::product(queries, self.part(k, 0, end).swap_dims(2, 3));
        let shape = [end - first, end];
        let mask = Tensor::<B, 2, Bool>::tril_mask(shape, first as i64, &scores.device());
        let mask = mask.reshape([1, 1, end - first, end]);
        let mask = mask.expand([self.batch, self.heads, end - first, end]);
        activation::softmax(scores.mask_fill(mask, HIDDEN), 3)
    }
}

fn factors<B: Backend>(kept: &Tensor<B, 2>, first: usize, end: usize) -> Tensor<B, 4> {
    kept.clone().slice([first..end, 0..end]).unsqueeze()
}

pub(crate) fn causal<B: ModelBackend>(
    qkv: [Tensor<B, 3>; 3],
    heads: usize,
    kept: Option<Tensor<B, 2>>,
) -> Tensor<B, 3> {
    let heads = Heads::of(&qkv[0], heads);
    let [q, k, v] = qkv.map(|x| heads.split(x));
    let blocks = (0..heads.places).step_by(BLOCK).map(|first| {
        let end = heads.places.min(first + BLOCK);
        let mut weights = heads.weights(&q, &k, first, end);
        if let Some(kept) = &kept {
            weights = weights * factors(kept, first, end);
        }
        B::product(weights, heads.part(&v, 0, end))
    });
    heads.join(Tensor::cat(blocks.collect(), 2))
}

pub(crate) fn gradients<B: ModelBackend>(
    qkv: [Tensor<B, 3>; 3],
    heads: usize,
    kept: Option<Tensor<B, 2>>,
    grad: Tensor<B, 3>,
) -> [Tensor<B, 3>; 3] {
    let heads = Heads::of(&qkv[0], heads);
    let [q, k, v] = qkv.map(|x| heads.split(x));
    let grad = heads.split(grad);
    let (mut of_keys, mut of_values) = (k.zeros_like(), v.zeros_like());
    let add = |total: Tensor<B, 4>, end, part: Tensor<B, 4>| {
        let sum = heads.part(&total, 0, end) + part;
        total.slice_assign(
            [0..heads.batch, 0..heads.heads, 0..end, 0..heads.head_dim],
            sum,
        )
    };
    let mut of_queries = Vec::new();
    for first in (0..heads.places).step_by(BLOCK) {
        let end = heads.places.min(first + BLOCK);
        let weights = heads.weights(&q, &k, first, end);
        let grad = heads.part(&grad, first, end);
        let mut flows = grad.clone().matmul(heads.part(&v, 0, end).swap_dims(2, 3));
        let mut dropped = weights.clone();
        if let Some(kept) = &kept {
            let factors = factors(kept, first, end);
            flows = flows * factors.clone();
            dropped = dropped * factors;
        }
        of_values = add(of_values, end, dropped.swap_dims(2, 3).matmul(grad));
        let sums = (weights.clone() * flows.clone()).sum_dim(3);
        let flows = (weights * (flows - sums)).mul_scalar(heads.scale());
        of_queries.push(flows.clone().matmul(heads.part(&k, 0, end)));
        let queries = heads.part(&q, first, end);
        of_keys = add(of_keys, end, flows.swap_dims(2, 3).matmul(queries));
    }
    [Tensor::cat(of_queries, 2), of_keys, of_values].map(|x| heads.join(x))
}
