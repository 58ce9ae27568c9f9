//! What acts on each number for itself: GELU, dropout.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

use burn::tensor::backend::Backend;
use burn::tensor::{Distribution, Tensor, activation};

pub(crate) fn gelu<B: Backend>(x: Tensor<B, 3>) -> Tensor<B, 3> {
    activation::gelu(x)
}

pub(crate) fn gelu_gradient<B: Backend>(x: Tensor<B, 3>, grad: Tensor<B, 3>) -> Tensor<B, 3> {
    let distribution = x.clone().mul_scalar(FRAC_1_SQRT_2).erf().add_scalar(1.0);
    let density = x.clone().powi_scalar(2).mul_scalar(-0.5).exp();
    let slope = distribution.mul_scalar(0.5) + x * density.div_scalar((2.0 * PI).sqrt());
    slope * grad
}

pub(crate) fn dropout_factors<B: Backend, const D: usize>(
    shape: [usize; D],
    rate: f64,
    seed: u64,
    device: &B::Device,
) -> Tensor<B, D> {
    let kept = 1.0 - rate;
    B::seed(device, seed);
    Tensor::random(shape, Distribution::Bernoulli(kept), device).div_scalar(kept)
}
