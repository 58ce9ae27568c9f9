//! Cross-entropy of the next token.

use burn::tensor::{Int, Tensor, activation};

use crate::backend::ModelBackend;
use crate::tokenizer::PAD;

/// −log p(target) in nats for every place: batch × places, 0 where there is nothing to predict.
///
/// `logits` is batch × places × vocabulary, `targets` batch × places, PAD where nothing is to be
/// predicted. The cross-entropy is the sum by the number of the other places.
pub fn negative_log_likelihood<B: ModelBackend>(
    logits: Tensor<B, 3>,
    targets: Tensor<B, 2, Int>,
) -> Tensor<B, 2> {
    let [batch, places, vocabulary] = logits.dims();
    let count = batch * places;
    let log_probabilities = activation::log_softmax(logits.reshape([count, vocabulary]), 1);
    let targets = targets.reshape([count, 1]);
    let hidden = targets.clone().equal_elem(i64::from(PAD));
    log_probabilities
        .gather(1, targets)
        .mask_fill(hidden, 0.0)
        .neg()
        .reshape([batch, places])
}
