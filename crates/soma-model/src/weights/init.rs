//! Random weights to start from.

use std::convert::Infallible;

use burn::tensor::Tensor;
use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};

use super::assemble::assemble;
use super::{TensorSpec, tensors, upload};
use crate::backend::ModelBackend;
use crate::config::ModelConfig;
use crate::precision::Precision;
use crate::v1::V1Model;

/// A model with random weights, the same for the same seed on every device: linear maps uniform in
/// ±1/√(inputs) with biases alike, embeddings uniform with deviation 1, norms one and zero.
pub fn random<B: ModelBackend>(config: &ModelConfig, seed: u64, device: &B::Device) -> V1Model<B> {
    random_as(config, seed, Precision::F32, device)
}

/// [`random`] for a model that computes with `precision`.
pub(crate) fn random_as<B: ModelBackend>(
    config: &ModelConfig,
    seed: u64,
    precision: Precision,
    device: &B::Device,
) -> V1Model<B> {
    let list = tensors(config);
    let mut take = |name: &str| -> Result<Tensor<B, 1>, Infallible> {
        let place = list.iter().position(|tensor| tensor.name == name);
        let tensor = place.map(|place| &list[place]);
        let count = tensor.map_or(0, |tensor| tensor.shape.iter().product());
        let values = match name.rsplit('.').next() {
            Some("gamma") => vec![1.0; count],
            Some("beta") => vec![0.0; count],
            _ => {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                // Every tensor has a stream of its own, so that sizes do not mix them up.
                rng.set_stream(place.unwrap_or_default() as u64);
                let range = range(name, config);
                (0..count).map(|_| range * unit(&mut rng)).collect()
            }
        };
        let is_linear = tensor.is_some_and(TensorSpec::is_linear);
        Ok(upload(values, is_linear, precision, device))
    };
    match assemble(config, device, &mut take) {
        Ok(model) => model,
        Err(never) => match never {},
    }
}

/// Uniform between −1 and 1.
fn unit(rng: &mut ChaCha8Rng) -> f32 {
    (rng.next_u32() >> 8) as f32 * (2.0 / 16_777_216.0) - 1.0
}

/// The largest number of a tensor.
fn range(name: &str, config: &ModelConfig) -> f32 {
    let inputs = match name {
        // Uniform in ±√3 has deviation 1.
        "embedding.weight" => return 3f32.sqrt(),
        _ if name.contains("linear_outer") => config.hidden_dim,
        _ => config.embedding_dim,
    };
    1.0 / (inputs as f32).sqrt()
}
