//! Loss and embedding of data: what the network pays for.
//!
//! For every batch of 16 sequences, in the order of the data: loss = cross-entropy + 0.02 · SIGReg,
//! embedding = mean over all places. The result is the mean over batches, each with equal weight.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::backend::ModelBackend;
use crate::config::MAX_SEQ_LEN;
use crate::loss::cross_entropy_sum;
use crate::noise::sigreg_noise;
use crate::sigreg::{self, COEFFICIENT, SLICES};
use crate::tokenizer::{self, Sequence};
use crate::v1::{Batch, V1Model};

/// How an evaluation is done. None of it changes the result beyond rounding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvaluateOptions {
    /// Seed of the noise: 0 wherever the network compares results.
    pub seed: u64,
    /// Sequences that are on the device at a time: 1 to 16. More need more memory.
    pub sequences_at_a_time: usize,
}

impl Default for EvaluateOptions {
    fn default() -> Self {
        Self {
            seed: 0,
            sequences_at_a_time: 4,
        }
    }
}

/// The result for one batch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BatchLoss {
    /// Sequences in the batch.
    pub sequences: usize,
    /// Mean of −log p of the next token, in nats.
    pub cross_entropy: f64,
    /// SIGReg, without its factor.
    pub sig_reg: f64,
    /// cross_entropy + 0.02 · sig_reg.
    pub loss: f64,
}

/// The result for the whole data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Mean of the batches' losses.
    pub loss: f64,
    /// Mean of the batches' embeddings, not normalised.
    pub embedding: Vec<f32>,
    /// Bits that the model needs for a byte: −log₂ p over all predicted tokens, by the number of
    /// bytes.
    pub bits_per_byte: f64,
    /// The batches, in order.
    pub batches: Vec<BatchLoss>,
}

/// Data without a byte has no loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the data is empty; there is nothing to evaluate")]
pub struct EmptyData;

/// The noise of every batch of an evaluation.
pub trait NoiseSource {
    /// dim × slices numbers for batch `batch`, row after row.
    fn noise(&self, batch: u64, dim: usize) -> Vec<f32>;
}

/// The network's noise with a seed.
#[derive(Clone, Copy, Debug)]
pub struct SeededNoise(pub u64);

impl NoiseSource for SeededNoise {
    fn noise(&self, batch: u64, dim: usize) -> Vec<f32> {
        sigreg_noise(self.0, batch, dim, SLICES)
    }
}

/// Sums over the places of a part of a batch.
struct Sums {
    negative_log: f64,
    predicted: usize,
    statistic: f64,
    embedding: Vec<f64>,
}

impl<B: ModelBackend> V1Model<B> {
    /// Loss and embedding of `data`.
    ///
    /// # Errors
    /// [`EmptyData`].
    pub fn evaluate(
        &self,
        data: &[u8],
        options: &EvaluateOptions,
        device: &B::Device,
    ) -> Result<Evaluation, EmptyData> {
        let noise = SeededNoise(options.seed);
        self.evaluate_batches(tokenizer::batches(data), &noise, options, device)
    }

    /// As [`V1Model::evaluate`], for batches that were made before and any noise.
    ///
    /// # Errors
    /// [`EmptyData`].
    pub fn evaluate_batches(
        &self,
        batches: impl IntoIterator<Item = impl AsRef<[Sequence]>>,
        noise: &impl NoiseSource,
        options: &EvaluateOptions,
        device: &B::Device,
    ) -> Result<Evaluation, EmptyData> {
        let dim = self.config().embedding_dim;
        let mut losses: Vec<BatchLoss> = Vec::new();
        let mut embedding = vec![0.0f64; dim];
        let (mut negative_log, mut bytes) = (0.0, 0);
        for (index, batch) in (0u64..).zip(batches) {
            let batch = batch.as_ref();
            let directions = sigreg::directions(noise.noise(index, dim), dim, device);
            let sums = self.sums(batch, &directions, options, device);
            let places = (batch.len() * MAX_SEQ_LEN) as f64;
            let cross_entropy = sums.negative_log / sums.predicted.max(1) as f64;
            let sig_reg = sums.statistic / places;
            losses.push(BatchLoss {
                sequences: batch.len(),
                cross_entropy,
                sig_reg,
                loss: cross_entropy + COEFFICIENT * sig_reg,
            });
            for (mean, sum) in embedding.iter_mut().zip(&sums.embedding) {
                *mean += sum / places;
            }
            negative_log += sums.negative_log;
            bytes += batch.iter().map(|sequence| sequence.bytes).sum::<usize>();
        }
        if losses.is_empty() {
            return Err(EmptyData);
        }
        let count = losses.len() as f64;
        Ok(Evaluation {
            loss: losses.iter().map(|batch| batch.loss).sum::<f64>() / count,
            embedding: embedding.iter().map(|sum| (sum / count) as f32).collect(),
            bits_per_byte: negative_log / std::f64::consts::LN_2 / bytes as f64,
            batches: losses,
        })
    }

    fn sums(
        &self,
        batch: &[Sequence],
        directions: &Tensor<B, 2>,
        options: &EvaluateOptions,
        device: &B::Device,
    ) -> Sums {
        let config = self.config();
        let mut sums = Sums {
            negative_log: 0.0,
            predicted: 0,
            statistic: 0.0,
            embedding: vec![0.0; config.embedding_dim],
        };
        for sequences in batch.chunks(options.sequences_at_a_time.max(1)) {
            let part = Batch::new(sequences, &config, device);
            let representations = self.encode(&part);
            let logits = self.predict(representations.clone());
            let log = cross_entropy_sum(logits, part.targets);
            let statistic = sigreg::statistics(representations.clone(), directions.clone()).sum();
            let [count, places, dim] = representations.dims();
            let embedding = representations.reshape([count * places, dim]).sum_dim(0);
            sums.negative_log += number(log);
            sums.statistic += number(statistic);
            sums.predicted += sequences.iter().map(Sequence::predicted).sum::<usize>();
            for (sum, value) in sums.embedding.iter_mut().zip(numbers(embedding)) {
                *sum += f64::from(value);
            }
        }
        sums
    }
}

/// The numbers of a tensor, whatever floats its device computes with.
fn numbers<B: ModelBackend, const D: usize>(tensor: Tensor<B, D>) -> impl Iterator<Item = f32> {
    let values: Vec<f32> = tensor.into_data().iter::<f32>().collect();
    values.into_iter()
}

fn number<B: ModelBackend>(tensor: Tensor<B, 1>) -> f64 {
    numbers(tensor).next().map_or(f64::NAN, f64::from)
}
