//! One step of training: gradients of many small batches, one change of the weights.

use std::time::Instant;

use burn::module::AutodiffModule;
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::Tensor;
use soma_model::noise::sigreg_noise;
use soma_model::tokenizer::Sequence;
use soma_model::{Batch, Dropout, ModelBackend, ModelConfig, V1Model, loss, sigreg};

use crate::events::{Observer, StepReport, StopFlag};
use crate::optimizer::{AdamW, norm};
use crate::{Gradients, TrainConfig, TrainError, TrainedModel};

/// A model in training.
pub(crate) struct Learner<B: ModelBackend> {
    config: TrainConfig,
    size: ModelConfig,
    device: B::Device,
    pub(crate) model: TrainedModel<B>,
    pub(crate) optimizer: AdamW<B>,
    /// Steps done.
    pub(crate) step: u64,
}

/// How a step ended.
pub(crate) enum Step {
    /// The weights changed.
    Done(StepReport),
    /// The run was told to stop; the weights are those before the step.
    Stopped,
}

/// What the micro-batches of a step give together.
struct Gathered<B: ModelBackend> {
    gradients: GradientsAccumulator<TrainedModel<B>>,
    /// −log p and statistics of SIGReg, a sum for each micro-batch.
    sums: Vec<Tensor<B, 1>>,
}

impl<B: ModelBackend> Learner<B> {
    pub(crate) fn new(
        config: &TrainConfig,
        model: V1Model<B>,
        optimizer: AdamW<B>,
        step: u64,
        device: &B::Device,
    ) -> Self {
        Self {
            config: config.clone(),
            size: model.config(),
            device: device.clone(),
            model: require_gradients(model),
            optimizer,
            step,
        }
    }

    /// The model as it is, without gradients. Its tensors are shared.
    pub(crate) fn plain(&self) -> V1Model<B> {
        self.model.valid()
    }

    /// One step with `sequences`.
    ///
    /// The loss is that of all of them as one batch, however they are cut into micro-batches:
    /// cross-entropy over all predicted tokens + 0.02 · SIGReg over all places, with the noise of
    /// this step.
    ///
    /// # Errors
    /// [`TrainError::Diverged`].
    pub(crate) fn learn(
        self,
        sequences: &[Sequence],
        observer: &mut dyn Observer,
        stop: &StopFlag,
    ) -> Result<(Self, Step), TrainError> {
        let start = Instant::now();
        let Some(gathered) = self.gather(sequences, observer, stop) else {
            return Ok((self, Step::Stopped));
        };
        let Gathered {
            mut gradients,
            sums,
        } = gathered;
        let gradients = gradients.grads();
        let [cross_entropy, sig_reg] = means(sums, sequences);
        let number = self.step + 1;
        let finite = |what, value: f64| match value.is_finite() {
            true => Ok(value),
            false => Err(TrainError::Diverged {
                what,
                step: number,
                value,
            }),
        };
        let loss = cross_entropy + sigreg::COEFFICIENT * sig_reg;
        finite("the loss", loss)?;
        let gradient_norm = norm(&self.model, &gradients);
        finite("the norm of the gradients", gradient_norm)?;
        let clip = self.config.clip_norm.unwrap_or(f64::INFINITY);
        let scale = if gradient_norm > clip {
            clip / gradient_norm
        } else {
            1.0
        };
        let rate = self.config.rate(self.step);
        let Self {
            model,
            mut optimizer,
            ..
        } = self;
        let (model, optimizer) = B::checked(&self.device, move || {
            let model = optimizer.update(model, gradients, scale, rate);
            (model, optimizer)
        });
        let report = StepReport {
            step: number,
            loss,
            cross_entropy,
            sig_reg,
            gradient_norm,
            learning_rate: rate,
            tokens: sequences.iter().map(|one| one.tokens.len() as u64).sum(),
            time: start.elapsed(),
        };
        let learner = Self {
            model,
            optimizer,
            step: number,
            ..self
        };
        Ok((learner, Step::Done(report)))
    }

    /// Gradients of all micro-batches, one graph in memory at a time; none when told to stop.
    fn gather(
        &self,
        sequences: &[Sequence],
        observer: &mut dyn Observer,
        stop: &StopFlag,
    ) -> Option<Gathered<B>> {
        let dim = self.size.embedding_dim;
        let noise = sigreg_noise(self.config.seed, self.step, dim, sigreg::SLICES);
        let directions = sigreg::directions::<B>(noise, dim, &self.device);
        let directions = Tensor::<Gradients<B>, 2>::from_inner(directions);
        let (predicted, places) = counts(sequences);
        let mut gathered = Gathered {
            gradients: GradientsAccumulator::new(),
            sums: Vec::new(),
        };
        let parts = sequences.chunks(self.config.micro_batch.max(1));
        let of = parts.len();
        for (number, part) in parts.enumerate() {
            if stop.is_set() {
                return None;
            }
            let part: Vec<&Sequence> = part.iter().collect();
            let dropout = Dropout {
                rate: self.config.dropout,
                seed: seed_of(self.config.seed, self.step, number as u64),
            };
            let (sums, gradients) = B::checked(&self.device, || {
                let batch = Batch::<Gradients<B>>::new(&part, &self.size, &self.device);
                let representations = self.model.encode_with(&batch, Some(dropout));
                let logits = self.model.predict(representations.clone());
                let logs = loss::negative_log_likelihood(logits, batch.targets).sum();
                let statistics = sigreg::statistics(representations, directions.clone()).sum();
                let sums = [logs.clone().inner(), statistics.clone().inner()];
                let loss = logs.div_scalar(predicted)
                    + statistics.mul_scalar(sigreg::COEFFICIENT / places);
                let gradients = GradientsParams::from_grads(loss.backward(), &self.model);
                (sums, gradients)
            });
            gathered.sums.extend(sums);
            gathered.gradients.accumulate(&self.model, gradients);
            observer.micro_batch(number + 1, of);
        }
        Some(gathered)
    }
}

/// Tokens to predict, and places, of all sequences.
fn counts(sequences: &[Sequence]) -> (f64, f64) {
    let predicted: usize = sequences.iter().map(Sequence::predicted).sum();
    let places: usize = sequences.iter().map(|sequence| sequence.tokens.len()).sum();
    (predicted.max(1) as f64, places.max(1) as f64)
}

/// Cross-entropy and SIGReg from their sums.
fn means<B: ModelBackend>(sums: Vec<Tensor<B, 1>>, sequences: &[Sequence]) -> [f64; 2] {
    let (predicted, places) = counts(sequences);
    let sums: Vec<f64> = Tensor::cat(sums, 0).into_data().iter::<f64>().collect();
    let (pairs, _) = sums.as_chunks::<2>();
    let total = |place: usize| pairs.iter().map(|pair| pair[place]).sum::<f64>();
    [total(0) / predicted, total(1) / places]
}

/// The seed of dropout of one micro-batch.
fn seed_of(seed: u64, step: u64, micro_batch: u64) -> u64 {
    use rand_chacha::ChaCha8Rng;
    use rand_core::{RngCore, SeedableRng};
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(step);
    rng.set_word_pos(2 * u128::from(micro_batch));
    rng.next_u64()
}

/// The same weights, and gradients of all of them.
fn require_gradients<B: ModelBackend>(model: V1Model<B>) -> TrainedModel<B> {
    use burn::module::{Module, ModuleMapper, Param};
    struct Require;
    impl<B: ModelBackend> ModuleMapper<Gradients<B>> for Require {
        fn map_float<const D: usize>(
            &mut self,
            param: Param<Tensor<Gradients<B>, D>>,
        ) -> Param<Tensor<Gradients<B>, D>> {
            param.map(Tensor::require_grad)
        }
    }
    TrainedModel::<B>::from_inner(model).map(&mut Require)
}
