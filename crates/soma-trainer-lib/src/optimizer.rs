//! AdamW over a whole model: burn's rule for each tensor, moments that can be saved by name.

use burn::module::{AutodiffModule, Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::{
    AdamW as Rule, AdamWConfig, AdamWState, AdaptiveMomentumState, GradientsParams, SimpleOptimizer,
};
use burn::tensor::Tensor;
use soma_model::{ModelBackend, V1Model};

use crate::config::TrainConfig;
use crate::{Gradients, TrainedModel};

/// The optimizer of one model, with its two moments.
pub(crate) struct AdamW<B: ModelBackend> {
    rule: Rule,
    /// Updates done.
    steps: u64,
    /// Of every tensor in the order of the model, as rows; empty before the first update.
    moments: Vec<Moments<B>>,
}

struct Moments<B: ModelBackend> {
    first: Tensor<B, 1>,
    second: Tensor<B, 1>,
}

impl<B: ModelBackend> AdamW<B> {
    pub(crate) fn new(config: &TrainConfig) -> Self {
        let rule = AdamWConfig::new()
            .with_beta_1(config.beta_1)
            .with_beta_2(config.beta_2)
            .with_epsilon(config.epsilon)
            .with_weight_decay(config.weight_decay);
        Self {
            rule: rule.build(),
            steps: 0,
            moments: Vec::new(),
        }
    }

    /// The optimizer after `steps` updates, with the moments that [`moments`](Self::moments) gave.
    pub(crate) fn resumed(
        config: &TrainConfig,
        steps: u64,
        [first, second]: [V1Model<B>; 2],
    ) -> Self {
        let pairs = rows(&first).into_iter().zip(rows(&second));
        let moments = pairs.map(|(first, second)| Moments { first, second });
        Self {
            steps,
            moments: moments.collect(),
            ..Self::new(config)
        }
    }

    /// Both moments in the shape of the model; none before the first update.
    pub(crate) fn moments(&self, model: &TrainedModel<B>) -> Option<[V1Model<B>; 2]> {
        let shaped = |pick: fn(&Moments<B>) -> &Tensor<B, 1>| {
            let mut rows = self.moments.iter().map(|moments| pick(moments).clone());
            model.valid().map(&mut Replace(&mut rows))
        };
        let both = || {
            [
                shaped(|moments| &moments.first),
                shaped(|moments| &moments.second),
            ]
        };
        (!self.moments.is_empty()).then(both)
    }

    /// Changes the weights along `gradients` times `scale`.
    pub(crate) fn update(
        &mut self,
        model: TrainedModel<B>,
        gradients: GradientsParams,
        scale: f64,
        rate: f64,
    ) -> TrainedModel<B> {
        let mut update = Update {
            rule: &self.rule,
            time: self.steps,
            old: std::mem::take(&mut self.moments).into_iter(),
            new: Vec::new(),
            gradients,
            scale,
            rate,
        };
        let model = model.map(&mut update);
        self.moments = update.new;
        self.steps += 1;
        model
    }
}

/// One update, tensor by tensor.
struct Update<'a, B: ModelBackend> {
    rule: &'a Rule,
    time: u64,
    old: std::vec::IntoIter<Moments<B>>,
    new: Vec<Moments<B>>,
    gradients: GradientsParams,
    scale: f64,
    rate: f64,
}

impl<B: ModelBackend> ModuleMapper<Gradients<B>> for Update<'_, B> {
    fn map_float<const D: usize>(
        &mut self,
        param: Param<Tensor<Gradients<B>, D>>,
    ) -> Param<Tensor<Gradients<B>, D>> {
        let (id, tensor, mapper) = param.consume();
        let weights = tensor.inner();
        let shape = weights.shape();
        let row = [shape.num_elements()];
        // A tensor that took no part in the loss has a gradient of 0.
        let gradient = match self.gradients.remove::<B, D>(id) {
            Some(gradient) => gradient.reshape(row),
            None => Tensor::zeros(row, &weights.device()),
        };
        let gradient = match self.scale {
            1.0 => gradient,
            scale => gradient.mul_scalar(scale),
        };
        let state = self.old.next().map(|moments| {
            AdamWState::new(AdaptiveMomentumState {
                time: self.time as usize,
                moment_1: moments.first,
                moment_2: moments.second,
                max_moment_2: None,
            })
        });
        let weights = weights.reshape(row);
        let (weights, state) = self.rule.step(self.rate, weights, gradient, state);
        if let Some(AdamWState { momentum }) = state {
            self.new.push(Moments {
                first: momentum.moment_1,
                second: momentum.moment_2,
            });
        }
        let tensor = Tensor::from_inner(weights.reshape(shape)).require_grad();
        Param::from_mapped_value(id, tensor, mapper)
    }
}

/// The norm of all gradients together.
pub(crate) fn norm<B: ModelBackend>(model: &TrainedModel<B>, gradients: &GradientsParams) -> f64 {
    let mut squares = Squares {
        gradients,
        sums: Vec::new(),
    };
    model.visit(&mut squares);
    if squares.sums.is_empty() {
        return 0.0;
    }
    let sums = Tensor::cat(squares.sums, 0).into_data();
    sums.iter::<f64>().sum::<f64>().sqrt()
}

struct Squares<'a, B: ModelBackend> {
    gradients: &'a GradientsParams,
    sums: Vec<Tensor<B, 1>>,
}

impl<B: ModelBackend> ModuleVisitor<Gradients<B>> for Squares<'_, B> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<Gradients<B>, D>>) {
        if let Some(gradient) = self.gradients.get::<B, D>(param.id) {
            self.sums.push(gradient.powi_scalar(2).sum());
        }
    }
}

/// All tensors of a model as rows, in its order.
fn rows<B: ModelBackend>(model: &V1Model<B>) -> Vec<Tensor<B, 1>> {
    struct Rows<B: ModelBackend>(Vec<Tensor<B, 1>>);
    impl<B: ModelBackend> ModuleVisitor<B> for Rows<B> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
            let tensor = param.val();
            let row = [tensor.shape().num_elements()];
            self.0.push(tensor.reshape(row));
        }
    }
    let mut rows = Rows(Vec::new());
    model.visit(&mut rows);
    rows.0
}

/// Puts rows in the place of a model's tensors.
struct Replace<'a, B: ModelBackend>(&'a mut dyn Iterator<Item = Tensor<B, 1>>);

impl<B: ModelBackend> ModuleMapper<B> for Replace<'_, B> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        let rows = &mut self.0;
        param.map(|tensor| match rows.next() {
            Some(row) => row.reshape(tensor.shape()),
            None => tensor,
        })
    }
}
