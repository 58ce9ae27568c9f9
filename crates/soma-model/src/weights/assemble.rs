//! From named tensors to a model.

use burn::module::{Param, ParamId};
use burn::nn::{Embedding, LayerNorm, LayerNormConfig, Linear};
use burn::tensor::Tensor;

use crate::backend::ModelBackend;
use crate::config::{LAYER_NORM_EPSILON, ModelConfig};
use crate::v1::{Attention, FeedForward, Layer, V1Model};

/// Gives the numbers of a tensor by its name, as one row.
type Take<'a, B, E> = dyn FnMut(&str) -> Result<Tensor<B, 1>, E> + 'a;

/// Builds a model of size `config`. `take` is asked once for every tensor of
/// [`tensors`](super::tensors) and must give as many numbers as its shape has.
pub(super) fn assemble<B: ModelBackend, E>(
    config: &ModelConfig,
    device: &B::Device,
    take: &mut Take<'_, B, E>,
) -> Result<V1Model<B>, E> {
    let (d, h) = (config.embedding_dim, config.hidden_dim);
    let vocabulary = crate::config::VOCAB_SIZE;
    let embedding = Embedding {
        weight: param(take("embedding.weight")?.reshape([vocabulary, d])),
    };
    let layers = (0..config.layers).map(|layer| {
        let path = |part: &str| format!("encoder.layers.{layer}.{part}");
        let mut attention = |map: &str| {
            let name = path(&format!("attention.{map}"));
            linear(take, &name, [d, d])
        };
        let [query, key, value, output] = [
            attention("query")?,
            attention("key")?,
            attention("value")?,
            attention("output")?,
        ];
        Ok(Layer {
            norm_1: norm(take, &path("norm_1"), d, device)?,
            attention: Attention {
                query,
                key,
                value,
                output,
                heads: config.heads,
            },
            norm_2: norm(take, &path("norm_2"), d, device)?,
            pwff: FeedForward {
                linear_inner: linear(take, &path("pwff.linear_inner"), [d, h])?,
                linear_outer: linear(take, &path("pwff.linear_outer"), [h, d])?,
            },
        })
    });
    Ok(V1Model {
        embedding,
        layers: layers.collect::<Result<_, E>>()?,
        final_norm: norm(take, "final_norm", d, device)?,
        predictor: linear(take, "predictor", [d, vocabulary])?,
        heads: config.heads,
    })
}

fn param<B: ModelBackend, const D: usize>(tensor: Tensor<B, D>) -> Param<Tensor<B, D>> {
    Param::initialized(ParamId::new(), tensor)
}

fn linear<B: ModelBackend, E>(
    take: &mut Take<'_, B, E>,
    name: &str,
    shape: [usize; 2],
) -> Result<Linear<B>, E> {
    Ok(Linear {
        weight: param(take(&format!("{name}.weight"))?.reshape(shape)),
        bias: Some(param(take(&format!("{name}.bias"))?)),
    })
}

fn norm<B: ModelBackend, E>(
    take: &mut Take<'_, B, E>,
    name: &str,
    dim: usize,
    device: &B::Device,
) -> Result<LayerNorm<B>, E> {
    let mut norm = LayerNormConfig::new(dim)
        .with_epsilon(LAYER_NORM_EPSILON)
        .init(device);
    norm.gamma = param(take(&format!("{name}.gamma"))?);
    norm.beta = Some(param(take(&format!("{name}.beta"))?));
    Ok(norm)
}
