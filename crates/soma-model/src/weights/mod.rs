//! Weights files: the published safetensors layout.
//!
//! Linear maps are stored as `[in, out]`, layer norms as `gamma` and `beta`. [`tensors`] lists all
//! names and shapes.

mod assemble;
mod error;
mod init;
mod read;
mod seek;
mod write;

use burn::tensor::{Tensor, TensorData};

use crate::backend::ModelBackend;
use crate::config::{ModelConfig, VOCAB_SIZE};
use crate::precision::Precision;

pub use error::WeightsError;
pub use init::random;
#[cfg(feature = "flex")]
pub(crate) use init::random_as;
pub use read::{check, largest_file_bytes, read, read_as};
pub use seek::TensorReader;
pub use write::{write, write_tensors};

/// One tensor of a weights file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorSpec {
    /// Its name.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
}

impl TensorSpec {
    /// True for the matrix of a linear map.
    pub(crate) fn is_linear(&self) -> bool {
        self.shape.len() == 2 && self.name != EMBEDDING
    }
}

/// Numbers as one row on the device; those of a linear map as a model has them that computes with
/// `precision`.
fn upload<B: ModelBackend>(
    values: Vec<f32>,
    is_linear: bool,
    precision: Precision,
    device: &B::Device,
) -> Tensor<B, 1> {
    B::checked(device, || {
        let count = values.len();
        let values = Tensor::from_data(TensorData::new(values, [count]), device);
        match is_linear {
            true => precision.apply(values),
            false => values,
        }
    })
}

/// The name of the table of embeddings.
const EMBEDDING: &str = "embedding.weight";

/// All tensors of a model of this size, in the order of the architecture.
pub fn tensors(config: &ModelConfig) -> Vec<TensorSpec> {
    let (d, h) = (config.embedding_dim, config.hidden_dim);
    let mut list = Vec::with_capacity(16 * config.layers + 5);
    let mut add = |name: String, shape: &[usize]| {
        let shape = shape.to_vec();
        list.push(TensorSpec { name, shape });
    };
    add(EMBEDDING.to_owned(), &[VOCAB_SIZE, d]);
    for layer in 0..config.layers {
        let name = |part: &str| format!("encoder.layers.{layer}.{part}");
        add(name("norm_1.gamma"), &[d]);
        add(name("norm_1.beta"), &[d]);
        for map in ["query", "key", "value", "output"] {
            add(name(&format!("attention.{map}.weight")), &[d, d]);
            add(name(&format!("attention.{map}.bias")), &[d]);
        }
        add(name("norm_2.gamma"), &[d]);
        add(name("norm_2.beta"), &[d]);
        add(name("pwff.linear_inner.weight"), &[d, h]);
        add(name("pwff.linear_inner.bias"), &[h]);
        add(name("pwff.linear_outer.weight"), &[h, d]);
        add(name("pwff.linear_outer.bias"), &[d]);
    }
    add("final_norm.gamma".to_owned(), &[d]);
    add("final_norm.beta".to_owned(), &[d]);
    add("predictor.weight".to_owned(), &[d, VOCAB_SIZE]);
    add("predictor.bias".to_owned(), &[VOCAB_SIZE]);
    list
}

#[cfg(test)]
mod tests;
