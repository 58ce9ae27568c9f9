//! Cross-entropy of the next token.

use burn::tensor::{Int, Tensor, activation};

use crate::backend::ModelBackend;
use crate::tokenizer::PAD;

/// The sum of −log p(target) over all places that have something to predict.
///
/// `logits` is batch × places × vocabulary, `targets` batch × places, PAD where nothing is to be
/// predicted. Divide by the number of such places for the mean.
pub fn cross_entropy_sum<B: ModelBackend>(
    logits: Tensor<B, 3>,
    targets: Tensor<B, 2, Int>,
) -> Tensor<B, 1> {
    let [batch, places, vocabulary] = logits.dims();
    let count = batch * places;
    let log_probabilities = activation::log_softmax(logits.reshape([count, vocabulary]), 1);
    let targets = targets.reshape([count, 1]);
    let hidden = targets.clone().equal_elem(i64::from(PAD));
    log_probabilities
        .gather(1, targets)
        .mask_fill(hidden, 0.0)
        .sum()
        .neg()
}
