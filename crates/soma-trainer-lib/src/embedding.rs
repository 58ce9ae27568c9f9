//! Where a model, or data as a model sees it, lies among targets.
//!
//! The network compares directions alone, so both embeddings come with length 1.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use burn::tensor::Tensor;
use soma_model::tokenizer::Sequence;
use soma_model::{
    Batch, Device, EvaluateOptions, ModelBackend, ModelConfig, OnDevice, V1Model, weights,
};

use crate::{SequenceSource, TrainError};

/// Sequences that a model's embedding is made of.
pub const SEQUENCES: usize = 256;
/// Sequences that are on a device at a time.
const AT_A_TIME: usize = 4;

/// [`of_sequences`] with the weights in a file of size `size` and the first sequences of `source`.
///
/// # Errors
/// [`TrainError`].
pub fn of_weights(
    device: Device,
    size: &ModelConfig,
    path: &Path,
    source: &mut dyn SequenceSource,
) -> Result<Vec<f32>, TrainError> {
    source.seek(0)?;
    let mut sequences: Vec<Sequence> = Vec::new();
    while sequences.len() < SEQUENCES {
        match source.next()? {
            Some(sequence) => sequences.push(sequence),
            None => break,
        }
    }
    let of = Of::Sequences(&sequences);
    device.run(Embed { size, path, of })?
}

/// [`of_data`] with the weights in a file of size `size`.
///
/// # Errors
/// [`TrainError`].
pub fn of_weights_and_data(
    device: Device,
    size: &ModelConfig,
    path: &Path,
    data: &[u8],
) -> Result<Vec<f32>, TrainError> {
    let of = Of::Data(data);
    device.run(Embed { size, path, of })?
}

struct Embed<'a> {
    size: &'a ModelConfig,
    path: &'a Path,
    of: Of<'a>,
}

enum Of<'a> {
    Sequences(&'a [Sequence]),
    Data(&'a [u8]),
}

impl OnDevice for Embed<'_> {
    type Output = Result<Vec<f32>, TrainError>;

    fn run<B: ModelBackend>(self, device: B::Device) -> Self::Output {
        let model = read::<B>(self.path, self.size, &device)?;
        match self.of {
            Of::Sequences(sequences) => of_sequences(&model, sequences, AT_A_TIME, &device),
            Of::Data(data) => of_data(&model, data, &EvaluateOptions::default(), &device),
        }
    }
}

/// The model in a weights file.
pub(crate) fn read<B: ModelBackend>(
    path: &Path,
    size: &ModelConfig,
    device: &B::Device,
) -> Result<V1Model<B>, TrainError> {
    let file = File::open(path).map_err(TrainError::file(path))?;
    weights::read(BufReader::new(file), size, device).map_err(TrainError::weights(path))
}

/// Writes an embedding as a list in JSON.
///
/// # Errors
/// [`TrainError::File`].
pub fn write(path: &Path, embedding: &[f32]) -> Result<(), TrainError> {
    let text = serde_json::to_vec(embedding).unwrap_or_default();
    std::fs::write(path, text).map_err(TrainError::file(path))
}

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
