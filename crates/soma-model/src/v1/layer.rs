//! One layer: attention and feed-forward, each normalised before and added to what came in.

use burn::module::Module;
use burn::nn::{Dropout, LayerNorm, Linear};
use burn::tensor::Tensor;

use crate::backend::ModelBackend;
use crate::rotary::Rotary;

/// A layer of the transformer.
#[derive(Module, Debug)]
pub(crate) struct Layer<B: ModelBackend> {
    pub(crate) norm_1: LayerNorm<B>,
    pub(crate) attention: Attention<B>,
    pub(crate) norm_2: LayerNorm<B>,
    pub(crate) pwff: FeedForward<B>,
    /// Does nothing outside of training.
    pub(crate) dropout: Dropout,
}

impl<B: ModelBackend> Layer<B> {
    pub(crate) fn hidden_dim(&self) -> usize {
        self.pwff.linear_inner.weight.dims()[1]
    }

    pub(crate) fn forward(&self, x: Tensor<B, 3>, rotary: &Rotary<B>) -> Tensor<B, 3> {
        let seen = self
            .attention
            .forward(self.norm_1.forward(x.clone()), rotary);
        let x = x + self.dropout.forward(seen);
        let thought = self.pwff.forward(self.norm_2.forward(x.clone()));
        x + self.dropout.forward(thought)
    }
}

/// Causal attention of several heads with rotary positions.
#[derive(Module, Debug)]
pub(crate) struct Attention<B: ModelBackend> {
    pub(crate) query: Linear<B>,
    pub(crate) key: Linear<B>,
    pub(crate) value: Linear<B>,
    pub(crate) output: Linear<B>,
    pub(crate) heads: usize,
}

impl<B: ModelBackend> Attention<B> {
    fn forward(&self, x: Tensor<B, 3>, rotary: &Rotary<B>) -> Tensor<B, 3> {
        let rotate = |x| B::rotate(x, rotary.cos.clone(), rotary.sin.clone(), self.heads);
        let query = rotate(self.query.forward(x.clone()));
        let key = rotate(self.key.forward(x.clone()));
        let value = self.value.forward(x);
        self.output
            .forward(B::causal_attention(query, key, value, self.heads))
    }
}

/// Two linear maps with a GELU between.
#[derive(Module, Debug)]
pub(crate) struct FeedForward<B: ModelBackend> {
    pub(crate) linear_inner: Linear<B>,
    pub(crate) linear_outer: Linear<B>,
}

impl<B: ModelBackend> FeedForward<B> {
    fn forward(&self, x: Tensor<B, 3>) -> Tensor<B, 3> {
        let inner = self.linear_inner.forward(x);
        self.linear_outer.forward(B::gelu_exact(inner))
    }
}
