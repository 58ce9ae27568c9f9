//! A run with everything in memory but its folder.

use std::path::{Path, PathBuf};

use soma_model::tokenizer::{Sequence, sequences};
use soma_model::weights::{TensorReader, tensors};
use soma_model::{Cpu, ModelConfig, V1Model, weights};
use soma_trainer::data::DataError;
use soma_trainer::{
    EvaluationReport, Observer, Outcome, Run, SequenceSource, Start, StepReport, StopFlag,
    TrainConfig, TrainError,
};
use tempfile::TempDir;

/// The same text again and again, in an order of its own for every pass.
pub(crate) struct Text {
    sequences: Vec<Sequence>,
    taken: u64,
    /// Sequences after which reading fails.
    pub(crate) readable: u64,
}

impl Text {
    pub(crate) fn new(text: &[u8]) -> Self {
        Self {
            sequences: sequences(text).collect(),
            taken: 0,
            readable: u64::MAX,
        }
    }
}

impl Default for Text {
    /// Some 5 sequences, the last of them short.
    fn default() -> Self {
        Self::new(&b"so much depends upon a red wheel barrow ".repeat(110))
    }
}

impl SequenceSource for Text {
    fn next(&mut self) -> Result<Option<Sequence>, DataError> {
        if self.taken >= self.readable {
            return Err(DataError::NotAFile {
                path: "text".into(),
            });
        }
        let count = self.sequences.len() as u64;
        if count == 0 {
            return Ok(None);
        }
        let place = (self.taken * 7 + self.taken / count) % count;
        self.taken += 1;
        Ok(Some(self.sequences[place as usize].clone()))
    }

    fn position(&self) -> u64 {
        self.taken
    }

    fn seek(&mut self, position: u64) -> Result<(), DataError> {
        self.taken = position;
        Ok(())
    }
}

/// Keeps all that it is told, and stops the run at a micro-batch.
#[derive(Default)]
pub(crate) struct Notes {
    pub(crate) started: Vec<(u64, bool)>,
    pub(crate) steps: Vec<StepReport>,
    pub(crate) evaluations: Vec<EvaluationReport>,
    pub(crate) saved: Vec<u64>,
    pub(crate) stop_at: Option<usize>,
    pub(crate) stop: StopFlag,
    micro_batches: usize,
}

impl Observer for Notes {
    fn started(&mut self, step: u64, resumed: bool) {
        self.started.push((step, resumed));
    }

    fn micro_batch(&mut self, _done: usize, _of: usize) {
        self.micro_batches += 1;
        if self.stop_at == Some(self.micro_batches) {
            self.stop.stop();
        }
    }

    fn step(&mut self, report: &StepReport) {
        self.steps.push(*report);
    }

    fn evaluated(&mut self, report: &EvaluationReport) {
        self.evaluations.push(*report);
    }

    fn saved(&mut self, step: u64, folder: &Path) {
        assert!(folder.join("state.json").exists());
        self.saved.push(step);
    }
}

/// A folder, settings, data, and what was observed.
pub(crate) struct World {
    pub(crate) folder: TempDir,
    pub(crate) config: TrainConfig,
    pub(crate) text: Text,
    pub(crate) held_out: Vec<Vec<u8>>,
    pub(crate) data: Option<String>,
    pub(crate) notes: Notes,
}

impl World {
    /// A few quick steps of the smallest model.
    pub(crate) fn new(steps: u64) -> Self {
        let config = TrainConfig {
            preset: "small".to_owned(),
            seed: 3,
            steps,
            micro_batch: 1,
            accumulation: 2,
            learning_rate: 1e-2,
            evaluate_every: 0,
            checkpoint_every: 0,
            ..TrainConfig::default()
        };
        Self {
            folder: tempfile::tempdir().expect("folder"),
            config,
            text: Text::default(),
            held_out: Vec::new(),
            data: None,
            notes: Notes::default(),
        }
    }

    /// A run from `start`, with the data from its beginning.
    pub(crate) fn run(&mut self, start: Start) -> Result<Outcome, TrainError> {
        self.text.taken = 0;
        let stop = self.notes.stop.clone();
        Run {
            config: self.config.clone(),
            folder: self.folder.path().to_owned(),
            start,
            source: &mut self.text,
            data: self.data.clone(),
            inputs: None,
            held_out: &self.held_out,
            observer: &mut self.notes,
            stop,
        }
        .train()
    }

    pub(crate) fn trained(&mut self) -> Outcome {
        self.run(Start::Random).expect("trained")
    }

    pub(crate) fn refused(&mut self, start: Start) -> &'static str {
        self.run(start).expect_err("refused").name()
    }
}

/// A file of a checkpoint.
pub(crate) fn file(outcome: &Outcome, name: &str) -> PathBuf {
    outcome.checkpoint.join(name)
}

/// All weights of a small model's file, in the order of the architecture.
pub(crate) fn numbers(path: &Path) -> Vec<f32> {
    let file = std::fs::File::open(path).expect("file");
    let mut reader = TensorReader::open(file, &ModelConfig::SMALL).expect("weights");
    let list = tensors(&ModelConfig::SMALL).into_iter();
    list.flat_map(|tensor| reader.values(&tensor.name).expect("values"))
        .collect()
}

pub(crate) fn model(path: &Path) -> V1Model<Cpu> {
    let file = std::fs::File::open(path).expect("file");
    weights::read(file, &ModelConfig::SMALL, &Default::default()).expect("weights")
}

/// The root of the sum of squared differences.
pub(crate) fn distance(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    let pairs = a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2));
    pairs.sum::<f64>().sqrt()
}
