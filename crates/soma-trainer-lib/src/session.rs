//! A run from paths to weights: data, held-out pieces, training, the embedding to publish.

use std::io::BufReader;
use std::path::{Path, PathBuf};

use soma_model::tokenizer::Sequence;
use soma_model::{ModelBackend, OnDevice, weights};

use crate::data::{DataConfig, Documents, StreamConfig};
use crate::run::{Finished, Run, Start};
use crate::{HeldOutLoss, Observer, SequenceSource, StopFlag, TrainConfig, TrainError, embedding};

/// Name of the file with the embedding of the last weights, in the run's folder.
pub const EMBEDDING: &str = "embedding.json";

/// What to train on what.
#[derive(Clone, Debug)]
pub struct Session {
    /// The data.
    pub data: DataConfig,
    /// How its sequences are mixed.
    pub stream: StreamConfig,
    /// The settings.
    pub train: TrainConfig,
    /// Where everything of the run is kept.
    pub folder: PathBuf,
    /// The first weights.
    pub start: Start,
    /// Bytes of held-out documents that an evaluation reads, at most.
    pub evaluated_bytes: u64,
}

/// A session that ended.
#[derive(Clone, Debug)]
pub struct Trained {
    /// Why it ended.
    pub finished: Finished,
    /// Steps done.
    pub step: u64,
    /// The weights: the best ones where evaluations were done, else the last.
    pub weights: PathBuf,
    /// Where a model with these weights stands: of length 1.
    pub embedding: Vec<f32>,
    /// The file that holds it.
    pub embedding_file: PathBuf,
    /// How well they predict held-out documents, where there are some.
    pub held_out: Option<HeldOutLoss>,
}

impl Session {
    /// Trains, and computes the embedding that a model with the weights is published with.
    ///
    /// # Errors
    /// [`TrainError`].
    pub fn run(&self, observer: &mut dyn Observer, stop: &StopFlag) -> Result<Trained, TrainError> {
        let documents = Documents::open(self.data.clone())?;
        let mut stream = documents.stream(self.stream);
        let held_out = self.held_out(&documents)?;
        let run = Run {
            config: self.train.clone(),
            folder: self.folder.clone(),
            start: self.start.clone(),
            data: Some(stream.fingerprint().to_string()),
            source: &mut stream,
            held_out: &held_out,
            observer,
            stop: stop.clone(),
        };
        let outcome = run.train()?;
        let weights = match outcome.best {
            Some(_) => self.folder.join("best.safetensors"),
            None => outcome.checkpoint.join("weights.safetensors"),
        };
        let embedding = embedding_of(&self.train, &weights, &mut stream)?;
        let embedding_file = self.folder.join(EMBEDDING);
        write_json(&embedding_file, &embedding)?;
        let held_out = match held_out.is_empty() {
            true => None,
            false => Some(loss_of(&self.train, &weights, &held_out)?),
        };
        Ok(Trained {
            finished: outcome.finished,
            step: outcome.step,
            weights,
            embedding,
            embedding_file,
            held_out,
        })
    }

    fn held_out(&self, documents: &Documents) -> Result<Vec<Vec<u8>>, TrainError> {
        let (mut pieces, mut bytes) = (Vec::new(), 0);
        for document in documents.held_out_documents() {
            if bytes >= self.evaluated_bytes {
                break;
            }
            let document = document?.read()?;
            bytes += document.len() as u64;
            pieces.push(document);
        }
        Ok(pieces)
    }
}

/// The embedding to publish with weights: see [`embedding::of_sequences`]. The sequences are the
/// first of the source.
///
/// # Errors
/// [`TrainError`].
pub fn embedding_of(
    config: &TrainConfig,
    weights: &Path,
    source: &mut dyn SequenceSource,
) -> Result<Vec<f32>, TrainError> {
    source.seek(0)?;
    let mut sequences: Vec<Sequence> = Vec::new();
    while sequences.len() < embedding::SEQUENCES {
        match source.next()? {
            Some(sequence) => sequences.push(sequence),
            None => break,
        }
    }
    config.device.run(Embed {
        config,
        weights,
        sequences: &sequences,
    })?
}

/// How well weights predict `pieces`, each on its own.
///
/// # Errors
/// [`TrainError`].
pub fn loss_of(
    config: &TrainConfig,
    weights: &Path,
    pieces: &[Vec<u8>],
) -> Result<HeldOutLoss, TrainError> {
    config.device.run(Evaluate {
        config,
        weights,
        pieces,
    })?
}

struct Embed<'a> {
    config: &'a TrainConfig,
    weights: &'a Path,
    sequences: &'a [Sequence],
}

impl OnDevice for Embed<'_> {
    type Output = Result<Vec<f32>, TrainError>;

    fn run<B: ModelBackend>(self, device: B::Device) -> Self::Output {
        let model = read::<B>(self.config, self.weights, &device)?;
        embedding::of_sequences(&model, self.sequences, self.config.micro_batch, &device)
    }
}

struct Evaluate<'a> {
    config: &'a TrainConfig,
    weights: &'a Path,
    pieces: &'a [Vec<u8>],
}

impl OnDevice for Evaluate<'_> {
    type Output = Result<HeldOutLoss, TrainError>;

    fn run<B: ModelBackend>(self, device: B::Device) -> Self::Output {
        let model = read::<B>(self.config, self.weights, &device)?;
        let options = soma_model::EvaluateOptions::default();
        crate::evaluate(&model, self.pieces.iter().map(Ok), &options, &device)
    }
}

fn read<B: ModelBackend>(
    config: &TrainConfig,
    path: &Path,
    device: &B::Device,
) -> Result<soma_model::V1Model<B>, TrainError> {
    let size = config.check()?;
    let file = std::fs::File::open(path).map_err(TrainError::file(path))?;
    weights::read(BufReader::new(file), &size, device).map_err(TrainError::weights(path))
}

fn write_json(path: &Path, value: &[f32]) -> Result<(), TrainError> {
    let text = serde_json::to_vec(value).unwrap_or_default();
    std::fs::write(path, text).map_err(TrainError::file(path))
}
