//! Loss and embedding of data: what the network pays for.
//!
//! For every batch of 16 sequences, in the order of the data: loss = cross-entropy + 0.02 · SIGReg,
//! embedding = mean over all places. The result is the mean over batches, each with equal weight.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::backend::ModelBackend;
use crate::config::MAX_SEQ_LEN;
use crate::loss::negative_log_likelihood;
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

/// Data as sequences, ready for any number of models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenizedData {
    batches: Vec<Vec<Sequence>>,
}

impl TokenizedData {
    /// The batches of `data`.
    ///
    /// # Errors
    /// [`EmptyData`].
    pub fn new(data: &[u8]) -> Result<Self, EmptyData> {
        let batches: Vec<_> = tokenizer::batches(data).collect();
        if batches.is_empty() {
            return Err(EmptyData);
        }
        Ok(Self { batches })
    }

    /// Batches of up to 16 sequences, in the order of the data; at least one.
    pub fn batches(&self) -> &[Vec<Sequence>] {
        &self.batches
    }

    /// Number of sequences.
    pub fn sequences(&self) -> usize {
        self.batches.iter().map(Vec::len).sum()
    }
}

/// Sums over the places of one batch of one piece of data.
#[derive(Clone, Default)]
struct Sums {
    negative_log: f64,
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
        let data = TokenizedData::new(data)?;
        let noise = SeededNoise(options.seed);
        let mut results = self.evaluate_many(&[&data], &noise, options, device);
        results.pop().ok_or(EmptyData)
    }

    /// Loss and embedding of each of `pieces`, the same as alone: sequences of several pieces
    /// share the device, sums do not.
    pub fn evaluate_many(
        &self,
        pieces: &[&TokenizedData],
        noise: &impl NoiseSource,
        options: &EvaluateOptions,
        device: &B::Device,
    ) -> Vec<Evaluation> {
        let all = self.evaluate_while(pieces, noise, options, device, &mut |_| true);
        all.unwrap_or_default()
    }

    /// As [`V1Model::evaluate_many`], as long as somebody wants it: `go_on` is told after every
    /// part of the sequences how many they were, and ends the work with `false`. Then there is no
    /// result.
    pub fn evaluate_while(
        &self,
        pieces: &[&TokenizedData],
        noise: &impl NoiseSource,
        options: &EvaluateOptions,
        device: &B::Device,
        go_on: &mut dyn FnMut(usize) -> bool,
    ) -> Option<Vec<Evaluation>> {
        let mut sums: Vec<Vec<Sums>> = vec![Vec::new(); pieces.len()];
        let longest = pieces.iter().map(|piece| piece.batches.len()).max();
        for batch in 0..longest.unwrap_or_default() {
            // All batches of one number share their noise.
            let dim = self.config().embedding_dim;
            let noise = noise.noise(batch as u64, dim);
            let directions = B::checked(device, || sigreg::directions(noise, dim, device));
            let mut all: Vec<(usize, &Sequence)> = Vec::new();
            for (piece, data) in pieces.iter().enumerate() {
                if let Some(sequences) = data.batches.get(batch) {
                    all.extend(sequences.iter().map(|sequence| (piece, sequence)));
                    sums[piece].push(Sums::zero(dim));
                }
            }
            for part in all.chunks(options.sequences_at_a_time.max(1)) {
                let sequences: Vec<&Sequence> =
                    part.iter().map(|(_, sequence)| *sequence).collect();
                let results = self.sums(&sequences, &directions, device);
                for ((piece, _), result) in part.iter().zip(results) {
                    if let Some(sum) = sums[*piece].last_mut() {
                        sum.add(&result);
                    }
                }
                if !go_on(part.len()) {
                    return None;
                }
            }
        }
        let pairs = pieces.iter().zip(&sums);
        let all = pairs.map(|(piece, sums)| Evaluation::new(piece, sums));
        Some(all.collect())
    }

    /// The sums of each of `sequences`.
    fn sums(
        &self,
        sequences: &[&Sequence],
        directions: &Tensor<B, 2>,
        device: &B::Device,
    ) -> Vec<Sums> {
        let config = self.config();
        let [logs, statistics, embeddings] = B::checked(device, || {
            let part = Batch::new(sequences, &config, device);
            let representations = self.encode(&part);
            let logits = self.predict(representations.clone());
            let logs = negative_log_likelihood(logits, part.targets).sum_dim(1);
            let statistics = sigreg::statistics(representations.clone(), directions.clone());
            [
                numbers(logs),
                numbers(statistics.sum_dim(1)),
                numbers(representations.sum_dim(1)),
            ]
        });
        let embeddings = embeddings.chunks(config.embedding_dim.max(1));
        let numbers = logs.iter().zip(&statistics).zip(embeddings);
        numbers
            .map(|((log, statistic), embedding)| Sums {
                negative_log: f64::from(*log),
                statistic: f64::from(*statistic),
                embedding: embedding.iter().map(|value| f64::from(*value)).collect(),
            })
            .collect()
    }
}

impl Sums {
    fn zero(dim: usize) -> Self {
        Self {
            embedding: vec![0.0; dim],
            ..Self::default()
        }
    }

    fn add(&mut self, other: &Self) {
        self.negative_log += other.negative_log;
        self.statistic += other.statistic;
        for (sum, value) in self.embedding.iter_mut().zip(&other.embedding) {
            *sum += value;
        }
    }
}

impl Evaluation {
    /// The means over the batches of `data`.
    fn new(data: &TokenizedData, sums: &[Sums]) -> Self {
        let mut batches = Vec::with_capacity(sums.len());
        let mut embedding = vec![0.0f64; sums.first().map_or(0, |sum| sum.embedding.len())];
        let (mut negative_log, mut bytes) = (0.0, 0);
        for (sequences, sum) in data.batches.iter().zip(sums) {
            let places = (sequences.len() * MAX_SEQ_LEN) as f64;
            let predicted: usize = sequences.iter().map(Sequence::predicted).sum();
            let cross_entropy = sum.negative_log / predicted.max(1) as f64;
            let sig_reg = sum.statistic / places;
            batches.push(BatchLoss {
                sequences: sequences.len(),
                cross_entropy,
                sig_reg,
                loss: cross_entropy + COEFFICIENT * sig_reg,
            });
            for (mean, value) in embedding.iter_mut().zip(&sum.embedding) {
                *mean += value / places;
            }
            negative_log += sum.negative_log;
            bytes += sequences
                .iter()
                .map(|sequence| sequence.bytes)
                .sum::<usize>();
        }
        let count = batches.len() as f64;
        Self {
            loss: batches.iter().map(|batch| batch.loss).sum::<f64>() / count,
            embedding: embedding.iter().map(|sum| (sum / count) as f32).collect(),
            bits_per_byte: negative_log / std::f64::consts::LN_2 / bytes as f64,
            batches,
        }
    }
}

/// The numbers of a tensor, whatever floats its device computes with.
fn numbers<B: ModelBackend, const D: usize>(tensor: Tensor<B, D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

#[cfg(test)]
mod tests;
