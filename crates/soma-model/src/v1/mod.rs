//! The V1 architecture: a pre-norm transformer over bytes.
//!
//! ```text
//! tokens ─▶ embedding ─▶ layers ─▶ final norm = representation ─▶ predictor = logits
//!                          │
//!                          └ x + attention(norm₁(x)), then x + feed-forward(norm₂(x))
//! ```

mod dropout;
mod layer;

use burn::module::Module;
use burn::nn::{Embedding, LayerNorm, Linear};
use burn::tensor::{Int, Tensor, TensorData};

use crate::backend::ModelBackend;
use crate::config::{MAX_SEQ_LEN, ModelConfig, VOCAB_SIZE};
use crate::precision::linear;
use crate::rotary::Rotary;
use crate::tokenizer::Sequence;
pub use dropout::Dropout;
#[cfg(feature = "flex")]
pub(crate) use dropout::mixed;
pub(crate) use layer::{Attention, FeedForward, Layer};

/// The model with its weights on a device.
#[derive(Module, Debug)]
pub struct V1Model<B: ModelBackend> {
    pub(crate) embedding: Embedding<B>,
    pub(crate) layers: Vec<Layer<B>>,
    pub(crate) final_norm: LayerNorm<B>,
    pub(crate) predictor: Linear<B>,
    pub(crate) heads: usize,
}

/// A batch of sequences on a device.
pub struct Batch<B: ModelBackend> {
    /// Tokens: batch × places.
    pub tokens: Tensor<B, 2, Int>,
    /// What each place should predict: batch × places; PAD where nothing.
    pub targets: Tensor<B, 2, Int>,
    rotary: Rotary<B>,
}

impl<B: ModelBackend> Batch<B> {
    /// Puts `sequences` on `device`, for a model of size `config`.
    pub fn new(sequences: &[&Sequence], config: &ModelConfig, device: &B::Device) -> Self {
        let shape = [sequences.len(), MAX_SEQ_LEN];
        let positions = sequences.iter().flat_map(|sequence| sequence.positions());
        let ints = |values: Vec<i32>| {
            let data = TensorData::new(values, shape);
            Tensor::<B, 2, Int>::from_data(data, device)
        };
        let tokens = sequences.iter().flat_map(|sequence| &sequence.tokens);
        let targets = sequences.iter().flat_map(|sequence| sequence.targets());
        Self {
            tokens: ints(tokens.map(|token| i32::from(*token)).collect()),
            targets: ints(targets.map(i32::from).collect()),
            rotary: Rotary::new(positions, shape, config.head_dim(), device),
        }
    }
}

impl<B: ModelBackend> V1Model<B> {
    /// The size of the model.
    pub fn config(&self) -> ModelConfig {
        let [_, embedding_dim] = self.embedding.weight.dims();
        let hidden = self.layers.first().map(|layer| layer.hidden_dim());
        ModelConfig {
            embedding_dim,
            hidden_dim: hidden.unwrap_or_default(),
            layers: self.layers.len(),
            heads: self.heads,
        }
    }

    /// Representations of every place: batch × places × dim.
    pub fn encode(&self, batch: &Batch<B>) -> Tensor<B, 3> {
        self.encode_with(batch, None)
    }

    /// [`encode`](Self::encode) with dropout, for training. A rate of 0 changes nothing.
    pub fn encode_with(&self, batch: &Batch<B>, dropout: Option<Dropout>) -> Tensor<B, 3> {
        let dropout = dropout.filter(|dropout| dropout.rate > 0.0);
        let mut x = self.embedding.forward(batch.tokens.clone());
        for (number, layer) in self.layers.iter().enumerate() {
            let dropout = dropout.map(|dropout| dropout.of_layer(number));
            x = layer.forward(x, &batch.rotary, dropout);
        }
        self.final_norm.forward(x)
    }

    /// Logits of the next token after every place: batch × places × [`VOCAB_SIZE`].
    pub fn predict(&self, representations: Tensor<B, 3>) -> Tensor<B, 3> {
        debug_assert_eq!(self.predictor.weight.dims()[1], VOCAB_SIZE);
        linear(&self.predictor, representations)
    }
}
