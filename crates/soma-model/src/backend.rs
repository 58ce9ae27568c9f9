//! What the model asks of a backend beyond burn's own operations.
//!
//! The defaults are made of burn's operations: they run on every backend and have gradients.
//! Backends with quicker ways override them.

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, activation};

use crate::sigreg;

/// Queries that the default attention takes at a time.
const BLOCK: usize = 256;
/// Score of a place that must not be seen: its weight is 0 after the softmax.
const HIDDEN: f32 = -1e30;

/// A backend that can run the model.
pub trait ModelBackend: Backend {
    /// x·Φ(x), with the error function itself. Shape kept.
    fn gelu_exact(x: Tensor<Self, 3>) -> Tensor<Self, 3> {
        activation::gelu(x)
    }

    /// Rotates every head of `x` (batch × places × dim) by its position: with a and b the first
    /// and second half of a head, a·cos − b·sin and b·cos + a·sin. `cos` and `sin` are batch ×
    /// places × half a head.
    fn rotate(
        x: Tensor<Self, 3>,
        cos: Tensor<Self, 3>,
        sin: Tensor<Self, 3>,
        heads: usize,
    ) -> Tensor<Self, 3> {
        let [batch, places, dim] = x.dims();
        let half = dim / heads / 2;
        let x = x.reshape([batch, places, heads, 2, half]);
        let at = |index: usize| {
            let ranges = [0..batch, 0..places, 0..heads, index..index + 1, 0..half];
            x.clone().slice(ranges)
        };
        let table = |table: Tensor<Self, 3>| table.reshape([batch, places, 1, 1, half]);
        let (a, b, cos, sin) = (at(0), at(1), table(cos), table(sin));
        let first = a.clone() * cos.clone() - b.clone() * sin.clone();
        let second = b * cos + a * sin;
        Tensor::cat(vec![first, second], 3).reshape([batch, places, dim])
    }

    /// softmax(q·kᵀ/√head_dim)·v for every head, where a place sees itself and those before it.
    /// All shapes are batch × places × dim, with the heads side by side.
    ///
    /// In training, the results of the softmax are multiplied by `kept` (places × places, rows are
    /// queries) for every sequence and head.
    fn causal_attention(
        q: Tensor<Self, 3>,
        k: Tensor<Self, 3>,
        v: Tensor<Self, 3>,
        heads: usize,
        kept: Option<Tensor<Self, 2>>,
    ) -> Tensor<Self, 3> {
        let [batch, places, dim] = q.dims();
        let head_dim = dim / heads;
        let split =
            |x: Tensor<Self, 3>| x.reshape([batch, places, heads, head_dim]).swap_dims(1, 2);
        let (q, k, v) = (split(q), split(k), split(v));
        let scale = 1.0 / (head_dim as f64).sqrt();
        let part = |x: &Tensor<Self, 4>, from: usize, to: usize| {
            x.clone().slice([0..batch, 0..heads, from..to, 0..head_dim])
        };
        let blocks = (0..places).step_by(BLOCK).map(|first| {
            let end = places.min(first + BLOCK);
            let scores = part(&q, first, end)
                .mul_scalar(scale)
                .matmul(part(&k, 0, end).swap_dims(2, 3));
            let mask = Tensor::<Self, 2, burn::tensor::Bool>::tril_mask(
                [end - first, end],
                first as i64,
                &scores.device(),
            );
            let mask = mask.reshape([1, 1, end - first, end]);
            let mask = mask.expand([batch, heads, end - first, end]);
            let mut weights = activation::softmax(scores.mask_fill(mask, HIDDEN), 3);
            if let Some(kept) = &kept {
                weights = weights * kept.clone().slice([first..end, 0..end]).unsqueeze();
            }
            weights.matmul(part(&v, 0, end))
        });
        Tensor::cat(blocks.collect(), 2)
            .swap_dims(1, 2)
            .reshape([batch, places, dim])
    }

    /// Sets the part `rate` of the numbers of `x` to 0, chosen by `seed`, and divides the others by
    /// the part that is kept.
    ///
    /// The default seeds the backend's own generator: another thread that draws from it in the same
    /// moment makes the choice another one.
    fn dropout<const D: usize>(x: Tensor<Self, D>, rate: f64, seed: u64) -> Tensor<Self, D> {
        let kept = 1.0 - rate;
        Self::seed(&x.device(), seed);
        let mask = x.random_like(burn::tensor::Distribution::Bernoulli(kept));
        x * mask.div_scalar(kept)
    }

    /// The statistic of SIGReg for every row of `x` (places × slices): places numbers.
    ///
    /// cos and sin of t_j·x follow from those of t_1·x by rotation, one point after the other.
    fn sigreg_statistics(x: Tensor<Self, 2>) -> Tensor<Self, 1> {
        let [places, slices] = x.dims();
        let angle = x.mul_scalar(sigreg::STEP);
        let (first_cos, first_sin) = (angle.clone().cos(), angle.sin());
        let (mut cos, mut sin) = (first_cos.ones_like(), first_sin.zeros_like());
        let mut total: Option<Tensor<Self, 2>> = None;
        for (j, (phi, weight)) in sigreg::points().into_iter().enumerate() {
            if j > 0 {
                let next = cos.clone() * first_cos.clone() - sin.clone() * first_sin.clone();
                sin = sin * first_cos.clone() + cos * first_sin.clone();
                cos = next;
            }
            let real = cos.clone().mean_dim(1).sub_scalar(phi).powi_scalar(2);
            let imaginary = sin.clone().mean_dim(1).powi_scalar(2);
            let term = (real + imaginary).mul_scalar(weight * slices as f32);
            total = Some(match total {
                Some(total) => total + term,
                None => term,
            });
        }
        match total {
            Some(total) => total.reshape([places]),
            None => Tensor::zeros([places], &cos.device()),
        }
    }
}

#[cfg(feature = "autodiff")]
impl<B: ModelBackend, C: burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy>
    ModelBackend for burn::backend::Autodiff<B, C>
{
}

#[cfg(feature = "wgpu")]
impl ModelBackend for burn::backend::Wgpu {}

#[cfg(feature = "cuda")]
impl ModelBackend for burn::backend::Cuda {}
