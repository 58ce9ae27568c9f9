//! A run from paths to weights: data, held-out pieces, training, the embedding to publish.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use soma_model::{ModelBackend, OnDevice};

use crate::data::{DataConfig, Documents, StreamConfig};
use crate::run::{Finished, Run, Start};
use crate::{HeldOutLoss, Observer, StopFlag, TrainConfig, TrainError, embedding};

/// Name of the file with the embedding of the last weights, in the run's folder.
pub const EMBEDDING: &str = "embedding.json";

/// Settings of the data of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Inputs {
    /// The data, without its paths.
    pub data: DataConfig,
    /// How its sequences are mixed.
    pub stream: StreamConfig,
    /// Bytes of held-out documents that an evaluation reads, at most.
    pub evaluated_bytes: u64,
}

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
    /// The file with the embedding to publish the weights with; none of a run that was told to
    /// stop, which is meant to end soon.
    pub embedding: Option<PathBuf>,
    /// How well the weights predict held-out documents, where there are some and the run was not
    /// told to stop.
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
            inputs: Some(Inputs {
                data: self.data.clone(),
                stream: self.stream,
                evaluated_bytes: self.evaluated_bytes,
            }),
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
        let mut trained = Trained {
            finished: outcome.finished,
            step: outcome.step,
            weights,
            embedding: None,
            held_out: None,
        };
        if trained.finished == Finished::Stopped {
            return Ok(trained);
        }
        let size = self.train.check()?;
        let weights = &trained.weights;
        let embedding = embedding::of_weights(self.train.device, &size, weights, &mut stream)?;
        let file = self.folder.join(EMBEDDING);
        embedding::write(&file, &embedding)?;
        trained.embedding = Some(file);
        if !held_out.is_empty() {
            trained.held_out = Some(loss_of(&self.train, &trained.weights, &held_out)?);
        }
        Ok(trained)
    }

    fn held_out(&self, documents: &Documents) -> Result<Vec<Vec<u8>>, TrainError> {
        let (mut pieces, mut bytes) = (Vec::new(), 0);
        for document in documents.held_out_documents() {
            if bytes >= self.evaluated_bytes {
                break;
            }
            let document = document?.read_first(self.evaluated_bytes - bytes)?;
            bytes += document.len() as u64;
            pieces.push(document);
        }
        Ok(pieces)
    }
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

struct Evaluate<'a> {
    config: &'a TrainConfig,
    weights: &'a Path,
    pieces: &'a [Vec<u8>],
}

impl OnDevice for Evaluate<'_> {
    type Output = Result<HeldOutLoss, TrainError>;

    fn run<B: ModelBackend>(self, device: B::Device) -> Self::Output {
        let size = self.config.check()?;
        let model = embedding::read::<B>(self.weights, &size, &device)?;
        let options = soma_model::EvaluateOptions::default();
        crate::evaluate(&model, self.pieces.iter().map(Ok), &options, &device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_evaluation_reads_no_more_than_asked_for_whatever_the_documents_hold() {
        let folder = tempfile::tempdir().expect("folder");
        for at in 0..6 {
            let text = "a".repeat(1_000);
            std::fs::write(folder.path().join(format!("{at}.txt")), text).expect("file");
        }
        let data = DataConfig {
            held_out_fraction: 0.9,
            ..DataConfig::new([folder.path()])
        };
        let documents = Documents::open(data.clone()).expect("documents");
        let held_out = |evaluated_bytes| {
            let session = Session {
                data: data.clone(),
                stream: StreamConfig::new(0),
                train: TrainConfig::default(),
                folder: PathBuf::new(),
                start: Start::Random,
                evaluated_bytes,
            };
            let pieces = session.held_out(&documents).expect("pieces");
            pieces.iter().map(Vec::len).collect::<Vec<_>>()
        };
        assert!(documents.summary().held_out.documents >= 2);
        assert!(held_out(0).is_empty());
        assert_eq!(held_out(300), [300]);
        assert_eq!(held_out(1_000), [1_000]);
        assert_eq!(held_out(1_500), [1_000, 500]);
    }
}
