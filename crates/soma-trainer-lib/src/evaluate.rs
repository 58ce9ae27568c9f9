//! How well a model predicts data that it was not trained on.

use serde::{Deserialize, Serialize};
use soma_model::evaluate::SeededNoise;
use soma_model::{EvaluateOptions, Evaluation, ModelBackend, TokenizedData, V1Model};

use crate::TrainError;
use crate::data::DataError;

/// Sequences whose pieces share the device.
const TOGETHER: usize = 64;

/// What a model loses on held-out data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HeldOutLoss {
    /// Bits that the model needs for a byte: −log₂ p over all predicted tokens of all pieces, by
    /// the number of their bytes.
    pub bits_per_byte: f64,
    /// The loss that the network pays for, cross-entropy + 0.02 · SIGReg: the mean over all
    /// batches of all pieces.
    pub loss: f64,
    /// Bytes that were evaluated.
    pub bytes: u64,
}

/// Sums over pieces.
#[derive(Default)]
struct Sums {
    bits: f64,
    bytes: u64,
    loss: f64,
    batches: u64,
}

/// Evaluates `model` on `pieces`, each on its own as the network would; empty ones are left out.
///
/// In memory are the pieces of about 64 sequences.
///
/// # Errors
/// The first error of `pieces`; [`TrainError::NoData`] where they have no byte.
pub fn evaluate<B: ModelBackend, P: AsRef<[u8]>>(
    model: &V1Model<B>,
    pieces: impl IntoIterator<Item = Result<P, DataError>>,
    options: &EvaluateOptions,
    device: &B::Device,
) -> Result<HeldOutLoss, TrainError> {
    let mut sums = Sums::default();
    let mut waiting: Vec<(TokenizedData, usize)> = Vec::new();
    let measure = |sums: &mut Sums, waiting: &mut Vec<(TokenizedData, usize)>| {
        let pieces: Vec<&TokenizedData> = waiting.iter().map(|(piece, _)| piece).collect();
        let noise = SeededNoise(options.seed);
        let results = model.evaluate_many(&pieces, &noise, options, device);
        for (result, (_, bytes)) in results.iter().zip(waiting.iter()) {
            sums.add(result, *bytes as u64);
        }
        waiting.clear();
    };
    for piece in pieces {
        let piece = piece?;
        let bytes = piece.as_ref();
        let Ok(tokenized) = TokenizedData::new(bytes) else {
            continue;
        };
        waiting.push((tokenized, bytes.len()));
        let together: usize = waiting.iter().map(|(piece, _)| piece.sequences()).sum();
        if together >= TOGETHER {
            measure(&mut sums, &mut waiting);
        }
    }
    measure(&mut sums, &mut waiting);
    sums.result().ok_or(TrainError::NoData { what: "held-out" })
}

impl Sums {
    fn add(&mut self, result: &Evaluation, bytes: u64) {
        self.bits += result.bits_per_byte * bytes as f64;
        self.bytes += bytes;
        self.loss += result.batches.iter().map(|batch| batch.loss).sum::<f64>();
        self.batches += result.batches.len() as u64;
    }

    fn result(&self) -> Option<HeldOutLoss> {
        (self.batches > 0).then(|| HeldOutLoss {
            bits_per_byte: self.bits / self.bytes as f64,
            loss: self.loss / self.batches as f64,
            bytes: self.bytes,
        })
    }
}
