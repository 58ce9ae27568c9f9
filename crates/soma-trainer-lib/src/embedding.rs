//! Where a model, or data as a model sees it, lies among targets.
//!
//! The network compares directions alone, so both embeddings come with length 1.

use burn::tensor::Tensor;
use soma_model::tokenizer::Sequence;
use soma_model::{Batch, EvaluateOptions, ModelBackend, V1Model};

use crate::TrainError;

/// Sequences that a model's embedding is made of.
pub const SEQUENCES: usize = 256;

/// The embedding to publish with a model: of up to [`SEQUENCES`] sequences of its training data,
/// the mean over all places of each, PAD included, then the mean over the sequences, divided by
/// its length.
///
/// `at_a_time` sequences are on the device at a time.
///
/// # Errors
/// [`TrainError::NoData`] where there are no sequences.
pub fn of_sequences<B: ModelBackend>(
    model: &V1Model<B>,
    sequences: &[Sequence],
    at_a_time: usize,
    device: &B::Device,
) -> Result<Vec<f32>, TrainError> {
    let config = model.config();
    let sequences: Vec<&Sequence> = sequences.iter().take(SEQUENCES).collect();
    let mut sum = vec![0.0f64; config.embedding_dim];
    for part in sequences.chunks(at_a_time.max(1)) {
        let batch = Batch::new(part, &config, device);
        let means: Tensor<B, 3> = model.encode(&batch).mean_dim(1);
        let means: Vec<f32> = means.into_data().iter::<f32>().collect();
        for (place, value) in means.iter().enumerate() {
            sum[place % config.embedding_dim] += f64::from(*value);
        }
    }
    normalised(&sum).ok_or(TrainError::NoData { what: "embedding" })
}

/// The embedding of `data` as the scorer sees it: the mean over places and sequences of each batch
/// of 16, then over the batches ([`Evaluation::embedding`](soma_model::Evaluation::embedding)),
/// divided by its length. Of up to 16 sequences, the same as [`of_sequences`].
///
/// # Errors
/// [`TrainError::NoData`] where `data` is empty.
pub fn of_data<B: ModelBackend>(
    model: &V1Model<B>,
    data: &[u8],
    options: &EvaluateOptions,
    device: &B::Device,
) -> Result<Vec<f32>, TrainError> {
    let none = TrainError::NoData { what: "embedding" };
    let Ok(evaluation) = model.evaluate(data, options, device) else {
        return Err(none);
    };
    let mean: Vec<f64> = evaluation
        .embedding
        .iter()
        .copied()
        .map(f64::from)
        .collect();
    normalised(&mean).ok_or(none)
}

/// The direction of `vector`; none where it has none.
fn normalised(vector: &[f64]) -> Option<Vec<f32>> {
    let length = vector.iter().map(|value| value * value).sum::<f64>().sqrt();
    let direction = || vector.iter().map(|value| (value / length) as f32).collect();
    (length > 0.0).then(direction)
}
