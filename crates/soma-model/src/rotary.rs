//! Rotary position tables.
//!
//! For i in 0..half: timescale = 10000^(2i / head_dim), angle = position / timescale. The angle is
//! rounded to 32 bits as the published training code does; sine and cosine are computed in software
//! on the host, so all backends rotate by the same numbers.

use burn::tensor::{Tensor, TensorData};

use crate::backend::ModelBackend;

/// The longest wavelength, divided by 2π.
const MAX_WAVELENGTH: f64 = 10_000.0;

/// Sines and cosines of a batch: batch × places × half a head.
pub(crate) struct Rotary<B: ModelBackend> {
    pub(crate) cos: Tensor<B, 3>,
    pub(crate) sin: Tensor<B, 3>,
}

impl<B: ModelBackend> Rotary<B> {
    /// The tables for `positions`: `batch` rows of `places` numbers.
    pub(crate) fn new(
        positions: impl Iterator<Item = u64>,
        [batch, places]: [usize; 2],
        head_dim: usize,
        device: &B::Device,
    ) -> Self {
        let half = head_dim / 2;
        let timescales: Vec<f32> = (0..half)
            .map(|index| libm::pow(MAX_WAVELENGTH, 2.0 * index as f64 / head_dim as f64) as f32)
            .collect();
        let count = batch * places * half;
        let (mut cos, mut sin) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for position in positions {
            for timescale in &timescales {
                let angle = position as f32 / timescale;
                let (s, c) = libm::sincos(f64::from(angle));
                cos.push(c as f32);
                sin.push(s as f32);
            }
        }
        let tensor = |values| {
            let data = TensorData::new(values, [batch, places, half]);
            Tensor::from_data(data, device)
        };
        Self {
            cos: tensor(cos),
            sin: tensor(sin),
        }
    }
}
