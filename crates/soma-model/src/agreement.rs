//! Whether a device computes what the CPU does, tried before its scores decide about money.
//!
//! Both evaluate the same random model: one layer, as wide as the layers that are to be scored with,
//! since GPUs choose their kernels by the sizes of matrices.

use crate::config::ModelConfig;
use crate::device::{Device, DeviceError, OnDevice};
use crate::evaluate::{EvaluateOptions, Evaluation, SeededNoise, TokenizedData};
use crate::precision::Precision;
use crate::{ModelBackend, weights};

/// The most that a loss may differ: a tenth of what audits tolerate.
pub const LOSS_TOLERANCE: f64 = 1e-3;
/// The most that an embedding may differ: half of what audits tolerate of a distance, which differs by as
/// much only for a target in the direction of the difference.
pub const EMBEDDING_TOLERANCE: f64 = 5e-3;

/// Seed of weights and noise.
const SEED: u64 = 0;

/// How far the results of a device are from those of the CPU, at most.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Agreement {
    /// Difference of the loss, as a part of the CPU's.
    pub loss: f64,
    /// Difference of the embedding, as a part of its length: the distance to no target differs by
    /// more.
    pub embedding: f64,
}

impl Agreement {
    /// True within [`LOSS_TOLERANCE`] and [`EMBEDDING_TOLERANCE`].
    pub fn holds(&self) -> bool {
        // What is no number is not below anything.
        self.loss <= LOSS_TOLERANCE && self.embedding <= EMBEDDING_TOLERANCE
    }

    fn of(ours: &Evaluation, cpu: &Evaluation) -> Self {
        let differences = ours.embedding.iter().zip(&cpu.embedding);
        let differences = differences.map(|(a, b)| f64::from(*a) - f64::from(*b));
        Self {
            loss: (ours.loss - cpu.loss).abs() / cpu.loss,
            embedding: length(differences) / length(cpu.embedding.iter().map(|x| f64::from(*x))),
        }
    }

    /// The larger of both differences.
    pub fn most(&self) -> f64 {
        larger(self.loss, self.embedding)
    }

    /// The larger differences of both.
    fn or_worse(self, other: Self) -> Self {
        Self {
            loss: larger(self.loss, other.loss),
            embedding: larger(self.embedding, other.embedding),
        }
    }
}

/// The larger number. Other than with `f64::max`, what is no number stays so.
fn larger(a: f64, b: f64) -> f64 {
    if a.is_nan() || a >= b { a } else { b }
}

fn length(components: impl Iterator<Item = f64>) -> f64 {
    components.map(|x| x * x).sum::<f64>().sqrt()
}

impl Device {
    /// Compares what this device computes with `precision` for models of size `config`, with
    /// `sequences` on it at a time, with what the CPU does. There is nothing to compare for the CPU
    /// itself. Blocks, at the size `v1` for a few seconds.
    ///
    /// # Errors
    /// [`DeviceError::Inexact`] beyond [`LOSS_TOLERANCE`] or [`EMBEDDING_TOLERANCE`],
    /// [`DeviceError::NotBuilt`], [`DeviceError::Unavailable`].
    pub fn agreement(
        self,
        config: &ModelConfig,
        precision: Precision,
        sequences: usize,
    ) -> Result<Option<Agreement>, DeviceError> {
        if self == Self::Cpu {
            return Ok(None);
        }
        let agreement = self.guarded(|| compare(self, config, precision, sequences))?;
        if agreement.holds() {
            return Ok(Some(agreement));
        }
        Err(DeviceError::Inexact {
            device: self,
            precision,
            difference: format!("{:.1e}", agreement.most()),
        })
    }
}

/// The size of the model that is compared, for models of size `config`.
pub const fn size(config: &ModelConfig) -> ModelConfig {
    ModelConfig {
        layers: 1,
        ..*config
    }
}

fn compare(
    device: Device,
    config: &ModelConfig,
    precision: Precision,
    sequences: usize,
) -> Result<Agreement, DeviceError> {
    let size = size(config);
    // Two texts by turns, so that sequences which are mixed up show.
    let texts = [31, 37].map(|step| (0..900).map(|at| (at * step % 97) as u8 + 32).collect());
    let texts = texts.map(|text: Vec<u8>| TokenizedData::new(&text));
    let texts: Result<Vec<_>, _> = texts.into_iter().collect();
    let texts = texts.map_err(|error| device.unavailable(error.to_string()))?;
    let cpu = Device::Cpu.run(Evaluate {
        size,
        precision: Precision::F32,
        pieces: texts.iter().collect(),
        sequences: 1,
    })?;
    let ours = device.run(Evaluate {
        size,
        precision,
        pieces: texts.iter().cycle().take(sequences.max(2)).collect(),
        sequences,
    })?;
    let pairs = ours.iter().zip(cpu.iter().cycle());
    let all = pairs.map(|(ours, cpu)| Agreement::of(ours, cpu));
    Ok(all.fold(Agreement::default(), Agreement::or_worse))
}

struct Evaluate<'a> {
    size: ModelConfig,
    precision: Precision,
    pieces: Vec<&'a TokenizedData>,
    sequences: usize,
}

impl OnDevice for Evaluate<'_> {
    type Output = Vec<Evaluation>;

    fn run<B: ModelBackend>(self, device: B::Device) -> Vec<Evaluation> {
        let model = weights::random_as::<B>(&self.size, SEED, self.precision, &device);
        let options = EvaluateOptions {
            seed: SEED,
            sequences_at_a_time: self.sequences,
        };
        let evaluations = model.evaluate_many(&self.pieces, &SeededNoise(SEED), &options, &device);
        drop(model);
        B::memory_cleanup(&device);
        evaluations
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evaluation(loss: f64, embedding: &[f32]) -> Evaluation {
        Evaluation {
            loss,
            embedding: embedding.to_vec(),
            bits_per_byte: 0.0,
            batches: Vec::new(),
        }
    }

    #[test]
    fn what_differs_or_is_no_number_does_not_agree() {
        let cpu = evaluation(5.0, &[3.0, 4.0]);
        let agreement = |ours| Agreement::of(&ours, &cpu);
        assert_eq!(agreement(cpu.clone()), Agreement::default());
        assert!(agreement(evaluation(5.004, &[3.0, 4.0])).holds());
        assert!(agreement(evaluation(5.0, &[3.0, 4.02])).holds());
        assert!(!agreement(evaluation(5.006, &[3.0, 4.0])).holds());
        assert!(!agreement(evaluation(5.0, &[3.0, 4.03])).holds());
        for broken in [
            evaluation(f64::NAN, &[3.0, 4.0]),
            evaluation(5.0, &[f32::NAN, 4.0]),
        ] {
            let broken = agreement(broken);
            assert!(!broken.holds());
            assert!(!Agreement::default().or_worse(broken).holds());
            assert!(!broken.or_worse(Agreement::default()).holds());
        }
    }

    /// Another way to compute the same: what GPUs do in half precision.
    #[test]
    fn half_precision_agrees_at_all_widths() {
        for size in [ModelConfig::SMALL, ModelConfig::MINI, ModelConfig::BASE] {
            let agreement = compare(Device::Cpu, &size, Precision::Bf16, 3).unwrap();
            assert!(agreement.loss > 0.0 && agreement.holds(), "{agreement:?}");
            let exact = compare(Device::Cpu, &size, Precision::F32, 3).unwrap();
            assert!(exact.loss < 1e-5 && exact.embedding < 1e-5, "{exact:?}");
        }
    }

    #[test]
    fn the_cpu_is_not_compared_with_itself() {
        let compared = Device::Cpu.agreement(&ModelConfig::SMALL, Precision::F32, 4);
        assert_eq!(compared, Ok(None));
    }
}
