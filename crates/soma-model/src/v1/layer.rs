//! One layer: attention and feed-forward, each normalised before and added to what came in.

use burn::module::Module;
use burn::nn::{LayerNorm, Linear};
use burn::tensor::Tensor;

use super::dropout::{Dropout, Site};
use crate::backend::ModelBackend;
use crate::precision::linear;
use crate::rotary::Rotary;

/// A layer of the transformer.
#[derive(Module, Debug)]
pub(crate) struct Layer<B: ModelBackend> {
    pub(crate) norm_1: LayerNorm<B>,
    pub(crate) attention: Attention<B>,
    pub(crate) norm_2: LayerNorm<B>,
    pub(crate) pwff: FeedForward<B>,
}

impl<B: ModelBackend> Layer<B> {
    pub(crate) fn hidden_dim(&self) -> usize {
        self.pwff.linear_inner.weight.dims()[1]
    }

    /// `dropout` is that of this layer; none outside of training.
    pub(crate) fn forward(
        &self,
        x: Tensor<B, 3>,
        rotary: &Rotary<B>,
        dropout: Option<Dropout>,
    ) -> Tensor<B, 3> {
        let normed = self.norm_1.forward(x.clone());
        let seen = self.attention.forward(normed, rotary, dropout);
        let x = x + drop(seen, dropout, Site::Attended);
        let thought = self.pwff.forward(self.norm_2.forward(x.clone()), dropout);
        x + drop(thought, dropout, Site::FedForward)
    }
}

fn drop<B: ModelBackend>(x: Tensor<B, 3>, dropout: Option<Dropout>, site: Site) -> Tensor<B, 3> {
    match dropout {
        Some(dropout) => {
            let factors = dropout.factors(site, x.dims(), &x.device());
            x * factors
        }
        None => x,
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
    fn forward(
        &self,
        x: Tensor<B, 3>,
        rotary: &Rotary<B>,
        dropout: Option<Dropout>,
    ) -> Tensor<B, 3> {
        let [_, places, _] = x.dims();
        let kept =
            dropout.map(|dropout| dropout.factors(Site::Weights, [places, places], &x.device()));
        let rotate = |x| B::rotate(x, rotary.cos.clone(), rotary.sin.clone(), self.heads);
        let query = rotate(linear(&self.query, x.clone()));
        let key = rotate(linear(&self.key, x.clone()));
        let value = linear(&self.value, x);
        let seen = B::causal_attention(query, key, value, self.heads, kept);
        linear(&self.output, seen)
    }
}

/// Two linear maps with a GELU between.
#[derive(Module, Debug)]
pub(crate) struct FeedForward<B: ModelBackend> {
    pub(crate) linear_inner: Linear<B>,
    pub(crate) linear_outer: Linear<B>,
}

impl<B: ModelBackend> FeedForward<B> {
    fn forward(&self, x: Tensor<B, 3>, dropout: Option<Dropout>) -> Tensor<B, 3> {
        let inner = B::gelu_exact(linear(&self.linear_inner, x));
        linear(&self.linear_outer, drop(inner, dropout, Site::Hidden))
    }
}
