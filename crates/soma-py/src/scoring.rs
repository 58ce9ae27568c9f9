//! Scores, tokens and noise without any service.

use std::io::{self, Read};
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;
use serde_json::json;
use soma_crypto::sealed::SealedReader;
use soma_model::{Device, ModelConfig, noise, tokenizer};
use soma_scoring::error::LoadError;
use soma_scoring::scores::DataName;
use soma_scoring::source::ReadWeights;
use soma_scoring::{
    ModelKey, ModelScore, ModelSource, PieceScores, Scorer, ScorerConfig, ScoringError,
};
use soma_types::{Embedding, WeightsKey};

use crate::arguments::parse;
use crate::convert::to_python;
use crate::errors::Failure;
use crate::exit::{compute, interruption, is_main_thread};
use crate::sealing::{Place, plain_len};

/// The most numbers of noise in one call: 1 GiB of them.
const MAX_NOISE: usize = 1 << 28;

/// Weights, sealed when there is a key.
#[derive(Debug)]
struct Weights {
    /// What errors call them: the argument, the place in its list, the path.
    name: String,
    place: Place,
    key: Option<WeightsKey>,
    /// Number of the weights in the call: each is read as other weights.
    number: u8,
}

impl Weights {
    fn open(&self) -> io::Result<Box<dyn Read + '_>> {
        let file = self.place.open()?;
        Ok(match &self.key {
            Some(key) => Box::new(SealedReader::new(file, key)?),
            None => file,
        })
    }

    /// Bytes of the open file.
    fn size(&self) -> io::Result<u64> {
        let size = self.place.size()?;
        Ok(match self.key {
            Some(_) => plain_len(size).unwrap_or_default(),
            None => size,
        })
    }

    /// The size of model that the file has room for: sizes differ in bytes, at 4 or 2 a number.
    fn config(&self) -> Result<ModelConfig, Failure> {
        let mut length = [0; 8];
        let read = self
            .open()
            .and_then(|mut file| file.read_exact(&mut length));
        let size = read.and_then(|()| self.size());
        let header = u64::from_le_bytes(length);
        let numbers = size
            .map_err(|error| self.unreadable(error))?
            .checked_sub(8)
            .and_then(|left| left.checked_sub(header));
        let sizes = ModelConfig::presets().map(|(_, config)| config);
        let mut fitting = sizes.filter(|config| {
            let four = config.weight_bytes();
            numbers == Some(four) || numbers == Some(four / 2)
        });
        fitting.next().ok_or_else(|| {
            let names: Vec<_> = ModelConfig::presets().map(|(name, _)| name).collect();
            let text = format!(
                "not a safetensors file of a known model size ({})",
                names.join(", ")
            );
            Failure::argument(&self.name, text)
        })
    }

    /// Not weights, or a file that cannot be read.
    fn unreadable(&self, error: io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                Failure::argument(&self.name, "too short for a weights file")
            }
            io::ErrorKind::InvalidData => Failure::argument(&self.name, error),
            _ => Failure::named("FileError", format!("{}: {error}", self.name)),
        }
    }

    /// Weights that were not taken, or a machine that cannot run them.
    fn not_loaded(&self, error: LoadError) -> Failure {
        let model = usize::from(self.number);
        match error {
            LoadError::OutOfMemory { .. } | LoadError::Device { .. } | LoadError::NotWanted => {
                refused(ScoringError::Model { model, error })
            }
            error => Failure::argument(&self.name, error),
        }
    }
}

impl ModelSource for Weights {
    fn key(&self) -> ModelKey {
        ModelKey([self.number; 32])
    }

    fn load(&self, read: ReadWeights<'_>) -> Result<(), LoadError> {
        let unreadable = |error: io::Error| soma_blobs::BlobError::Sealed {
            reason: error.to_string(),
        };
        let mut file = self.open().map_err(unreadable)?;
        read(&mut file).map_err(|error| LoadError::Invalid(Arc::new(error)))
    }
}

fn refused(error: ScoringError) -> Failure {
    let name = error.code().name();
    match &error {
        ScoringError::EmptyData | ScoringError::DataTooLarge { .. } => {
            Failure::argument("data", error)
        }
        _ => Failure::Named {
            name: name.to_owned(),
            message: error.to_string(),
            details: error.body().details,
        },
    }
}

/// Scores data with weights on this machine's CPU: as the scoring service answers.
#[pyfunction]
#[pyo3(signature = (names, weights, data, target_embedding, seed, keys, model_size))]
#[expect(clippy::too_many_arguments, reason = "those of the Python function")]
pub(crate) fn score_locally<'py>(
    py: Python<'py>,
    names: Vec<String>,
    weights: Vec<Bound<'py, PyAny>>,
    data: PyBackedBytes,
    target_embedding: Option<Vec<f32>>,
    seed: u64,
    keys: Vec<Option<String>>,
    model_size: Option<String>,
) -> PyResult<Bound<'py, PyAny>> {
    let raise = |failure: Failure| failure.raise(py);
    let mut sources = Vec::new();
    for (number, ((name, place), key)) in names.iter().zip(&weights).zip(keys).enumerate() {
        let bad = |_| raise(Failure::argument(name, "must be bytes or a path"));
        let place = place.extract().map_err(bad)?;
        let key = key.map(|key| parse("key", &key)).transpose();
        sources.push(Weights {
            name: match &place {
                Place::Bytes(_) => name.clone(),
                Place::File(path) => format!("{name}: {}", path.display()),
            },
            place,
            key: key.map_err(raise)?,
            number: u8::try_from(number).unwrap_or(u8::MAX),
        });
    }
    let is_main = is_main_thread(py)?;
    let answer = compute(py, || {
        let bad_target = |error| Failure::argument("target_embedding", error);
        let target = target_embedding.as_deref().map(Embedding::from_f32);
        let target = target.transpose().map_err(bad_target)?;
        let config = match (&model_size, sources.first()) {
            (Some(name), _) => {
                ModelConfig::preset(name).map_err(|error| Failure::argument("model_size", error))?
            }
            (None, Some(first)) => first.config()?,
            (None, None) => return Err(refused(ScoringError::NoModels)),
        };
        if let Some(target) = &target
            && target.dim() != config.embedding_dim
        {
            let text = format!(
                "{} numbers; the weights are of a model with {}",
                target.dim(),
                config.embedding_dim
            );
            return Err(Failure::argument("target_embedding", text));
        }
        // What cannot be read is known before the first is scored.
        for source in &sources {
            let opened = source.open();
            opened.map_err(|error| source.unreadable(error))?;
        }
        let scorer = Scorer::new(ScorerConfig::new(config, Device::Cpu)).map_err(refused)?;
        let piece = scorer.tokenize(&data).map_err(refused)?;
        let mut scores = PieceScores(Vec::new());
        for source in &sources {
            let mut raised = None;
            let evaluations = scorer.evaluate_while(source, &[&piece], seed, &mut |_| {
                raised = is_main.then(interruption).flatten();
                raised.is_none()
            });
            if let Some(error) = raised {
                return Err(Failure::Raised(error));
            }
            for evaluation in evaluations.map_err(|error| source.not_loaded(error))? {
                let key = source.key();
                scores.0.push(ModelScore { key, evaluation });
            }
        }
        let name = DataName {
            checksum: soma_crypto::checksum(&data[..]),
            size: data.len() as u64,
        };
        serde_json::to_value(scores.response(name, target.as_ref()))
            .map_err(|error| Failure::named("Internal", error.to_string()))
    })?;
    to_python(py, &answer)
}

/// The sequences of data: tokens, what each place should predict, and positions.
#[pyfunction]
pub(crate) fn tokenize<'py>(data: &Bound<'py, PyBytes>) -> PyResult<Bound<'py, PyAny>> {
    let py = data.py();
    let bytes = data.as_bytes();
    let value = compute(py, || {
        let sequences: Vec<_> = tokenizer::batches(bytes).flatten().collect();
        let targets: Vec<Vec<u16>> = sequences
            .iter()
            .map(|one| one.targets().collect())
            .collect();
        let positions: Vec<Vec<u64>> = sequences
            .iter()
            .map(|one| one.positions().collect())
            .collect();
        let tokens: Vec<_> = sequences.into_iter().map(|one| one.tokens).collect();
        Ok(json!({ "token_ids": tokens, "targets": targets, "pos_ids": positions }))
    })?;
    to_python(py, &value)
}

/// The noise of SIGReg as 32-bit floats of this machine, row after row.
#[pyfunction]
pub(crate) fn sigreg_noise<'py>(
    py: Python<'py>,
    seed: u64,
    batch: u64,
    dim: usize,
    slices: usize,
) -> PyResult<Bound<'py, PyBytes>> {
    let count = dim.checked_mul(slices).filter(|count| *count <= MAX_NOISE);
    if count.is_none() {
        let text = format!("dim × slices is more than {MAX_NOISE} numbers");
        return Err(Failure::argument("dim", text).raise(py));
    }
    let numbers = compute(py, || Ok(noise::sigreg_noise(seed, batch, dim, slices)))?;
    PyBytes::new_with(py, 4 * numbers.len(), |bytes| {
        for (place, number) in bytes.chunks_exact_mut(4).zip(&numbers) {
            place.copy_from_slice(&number.to_ne_bytes());
        }
        Ok(())
    })
}
