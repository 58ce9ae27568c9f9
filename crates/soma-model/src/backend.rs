//! What the model asks of a backend beyond burn's own operations.
//!
//! The defaults are made of burn's operations and run on every backend; backends with quicker ways
//! override them. The gradients are functions of their own, so that training keeps only what they
//! need: the weights of attention, for one, are computed again instead of being kept.

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, module};

use crate::generic::{attention, elements, rotary, sigreg};

/// A backend that can run the model.
pub trait ModelBackend: Backend {
    /// Does `work` with the device: all steps of it, for backends that have a way to see that none
    /// failed. By default it is only done.
    fn checked<T: Send + 'static>(_: &Self::Device, work: impl FnOnce() -> T + Send) -> T {
        work()
    }

    /// Bytes of the device's memory that are taken, where it has its own: at least what tensors need,
    /// since it is taken in pages.
    fn taken_bytes(_: &Self::Device) -> Option<u64> {
        None
    }

    /// The matrix product a·b of 32-bit numbers, without rounding them to fewer bits.
    fn product<const D: usize>(a: Tensor<Self, D>, b: Tensor<Self, D>) -> Tensor<Self, D> {
        a.matmul(b)
    }

    /// x·weights + bias of 32-bit numbers, without rounding them to fewer bits except in training.
    /// `x` is batch × places × in, `weights` in × out.
    fn affine(
        x: Tensor<Self, 3>,
        weights: Tensor<Self, 2>,
        bias: Option<Tensor<Self, 1>>,
    ) -> Tensor<Self, 3> {
        module::linear(x, weights, bias)
    }

    /// x·Φ(x), with the error function itself. Shape kept.
    fn gelu_exact(x: Tensor<Self, 3>) -> Tensor<Self, 3> {
        elements::gelu(x)
    }

    /// What `grad` at the result of [`gelu_exact`](Self::gelu_exact) is at its `x`:
    /// grad·(Φ(x) + x·φ(x)).
    fn gelu_gradient(x: Tensor<Self, 3>, grad: Tensor<Self, 3>) -> Tensor<Self, 3> {
        elements::gelu_gradient(x, grad)
    }

    /// Rotates every head of `x` (batch × places × dim) by its position: with a and b the first
    /// and second half of a head, a·cos − b·sin and b·cos + a·sin. `cos` and `sin` are batch ×
    /// places × half a head. The gradient is the rotation by the negative angles.
    fn rotate(
        x: Tensor<Self, 3>,
        cos: Tensor<Self, 3>,
        sin: Tensor<Self, 3>,
        heads: usize,
    ) -> Tensor<Self, 3> {
        rotary::rotate(x, cos, sin, heads)
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
        attention::causal([q, k, v], heads, kept)
    }

    /// What `grad` at the result of [`causal_attention`](Self::causal_attention) is at its queries,
    /// keys and values.
    fn attention_gradients(
        qkv: [Tensor<Self, 3>; 3],
        heads: usize,
        kept: Option<Tensor<Self, 2>>,
        grad: Tensor<Self, 3>,
    ) -> [Tensor<Self, 3>; 3] {
        attention::gradients(qkv, heads, kept, grad)
    }

    /// Factors for dropout: 0 for the part `rate` of the places, chosen by `seed`, and
    /// 1 / (1 − `rate`) for the others.
    ///
    /// The default seeds the backend's own generator: another thread that draws from it in the same
    /// moment makes the choice another one.
    fn dropout_factors<const D: usize>(
        shape: [usize; D],
        rate: f64,
        seed: u64,
        device: &Self::Device,
    ) -> Tensor<Self, D> {
        elements::dropout_factors(shape, rate, seed, device)
    }

    /// The statistic of SIGReg for every row of `x` (places × slices): places numbers.
    fn sigreg_statistics(x: Tensor<Self, 2>) -> Tensor<Self, 1> {
        sigreg::statistics(x)
    }

    /// What `grad` at the result of [`sigreg_statistics`](Self::sigreg_statistics) is at its `x`.
    fn sigreg_gradient(x: Tensor<Self, 2>, grad: Tensor<Self, 1>) -> Tensor<Self, 2> {
        sigreg::gradient(x, grad)
    }
}
