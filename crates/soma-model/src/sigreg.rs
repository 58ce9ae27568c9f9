//! SIGReg: how far the representations are from an isotropic normal distribution.
//!
//! With X = R·A, where A is the noise with columns of length 1, and M columns (slices), the
//! empirical characteristic function over the slices at one place is compared with that of the
//! normal distribution, φ(t) = exp(−t²/2), at t_j = 3j/16 for j = 0..16:
//!
//! ```text
//! C_j = mean over slices of cos(t_j·X),   D_j = mean over slices of sin(t_j·X)
//! statistic = M · Σ_j w_j·((C_j − φ_j)² + D_j²)
//! ```
//!
//! with the weights w_j = φ_j·q_j of the trapezoid rule on both sides of zero: q = 2·3/16, and half
//! of that at both ends. SIGReg is the mean of the statistic over all places.

use burn::tensor::{Tensor, TensorData};

use crate::backend::ModelBackend;

/// Slices: columns of the noise.
pub const SLICES: usize = 256;
/// Points at which the characteristic functions are compared.
pub const POINTS: usize = 17;
/// Distance of two points.
pub const STEP: f64 = 3.0 / 16.0;
/// Factor of SIGReg in the loss.
pub const COEFFICIENT: f64 = 0.02;

/// φ_j and w_j of every point.
pub(crate) fn points() -> [(f32, f32); POINTS] {
    std::array::from_fn(|j| {
        let t = STEP * j as f64;
        let phi = libm::exp(-0.5 * t * t);
        let is_end = j == 0 || j == POINTS - 1;
        let quadrature = if is_end { STEP } else { 2.0 * STEP };
        (phi as f32, (phi * quadrature) as f32)
    })
}

/// The noise with columns of length 1: dim × slices.
pub fn directions<B: ModelBackend>(
    noise: Vec<f32>,
    dim: usize,
    device: &B::Device,
) -> Tensor<B, 2> {
    let slices = noise.len() / dim.max(1);
    let noise = Tensor::<B, 2>::from_data(TensorData::new(noise, [dim, slices]), device);
    let lengths = noise.clone().powi_scalar(2).sum_dim(0).sqrt();
    noise / lengths
}

/// The statistic of every place: `representations` is batch × places × dim, the answer batch ×
/// places.
pub fn statistics<B: ModelBackend>(
    representations: Tensor<B, 3>,
    directions: Tensor<B, 2>,
) -> Tensor<B, 2> {
    let [batch, places, dim] = representations.dims();
    let flat = representations.reshape([batch * places, dim]);
    B::sigreg_statistics(B::product(flat, directions)).reshape([batch, places])
}
