//! Specialists: a model trained on each domain.

use std::path::{Path, PathBuf};
use std::time::Instant;

use soma_model::tokenizer::Sequence;
use soma_model::{Cpu, EvaluateOptions, ModelConfig, V1Model, weights};
use soma_trainer::data::{DataConfig, DataError, Documents, OnUnreadable, StreamConfig};
use soma_trainer::{
    EvaluationReport, Observer, Run, Schedule, SequenceSource, Start, StepReport, StopFlag,
    TrainConfig, embedding, evaluate,
};

use crate::config::DemoConfig;
use crate::domains::Domain;
use crate::error::DemoError;
use crate::watch::Watch;

/// Bytes of held-out files that an evaluation reads, of each domain.
const EVALUATED_BYTES: u64 = 24 << 10;

/// A trained model.
#[derive(Clone, Debug)]
pub(crate) struct Specialist {
    /// The domain that it was trained on.
    pub(crate) domain: String,
    /// Its weights.
    pub(crate) weights: PathBuf,
    /// Where it stands.
    pub(crate) embedding: Vec<f32>,
    /// Optimizer steps.
    pub(crate) steps: u64,
    /// Tokens trained on.
    pub(crate) tokens: u64,
    /// Time of training in seconds.
    pub(crate) seconds: f64,
    /// Bits per byte at each evaluation.
    pub(crate) curve: Vec<(u64, f64)>,
    /// Bits per byte on held-out files of each domain.
    pub(crate) bits_per_byte: Vec<f64>,
}

/// Trains a specialist on each domain, one after the other. Blocks the thread.
pub(crate) fn train(
    config: &DemoConfig,
    domains: &[Domain],
    folder: &Path,
    watch: &dyn Watch,
) -> Result<Vec<Specialist>, DemoError> {
    let held_out = domains.iter().map(pieces);
    let held_out: Vec<Vec<Vec<u8>>> = held_out.collect::<Result<_, _>>()?;
    let mut specialists = Vec::new();
    for (domain, own) in domains.iter().zip(&held_out) {
        watch.say(&format!("Training a model on {}.", domain.name));
        let folder = folder.join(format!("train-{}", domain.name));
        let mut specialist = train_one(config, domain, own, folder, watch)?;
        let model = read(config, &specialist.weights)?;
        for pieces in &held_out {
            let pieces = pieces.iter().map(Ok::<_, DataError>);
            let options = EvaluateOptions::default();
            let loss = evaluate(&model, pieces, &options, &Default::default());
            let loss = loss.map_err(DemoError::step("evaluation"))?;
            specialist.bits_per_byte.push(loss.bits_per_byte);
        }
        specialists.push(specialist);
    }
    Ok(specialists)
}

fn train_one(
    config: &DemoConfig,
    domain: &Domain,
    held_out: &[Vec<u8>],
    folder: PathBuf,
    watch: &dyn Watch,
) -> Result<Specialist, DemoError> {
    let step = || format!("training on {}", domain.name);
    let documents = Documents::open(DataConfig {
        held_out_fraction: 0.0,
        on_unreadable: OnUnreadable::Skip,
        ..DataConfig::new(&domain.training)
    });
    let documents = documents.map_err(DemoError::step(step()))?;
    let mut stream = documents.stream(StreamConfig::new(config.seed));
    let begin = Instant::now();
    let mut observer = Watched {
        domain: &domain.name,
        watch,
        steps: config.steps,
        tokens: 0,
        curve: Vec::new(),
        said: String::new(),
    };
    let run = Run {
        config: settings(config),
        folder: folder.clone(),
        start: Start::Random,
        source: &mut stream,
        data: None,
        inputs: None,
        held_out,
        observer: &mut observer,
        stop: StopFlag::default(),
    };
    let outcome = run.train().map_err(DemoError::step(step()))?;
    let seconds = begin.elapsed().as_secs_f64();
    let (tokens, curve) = (observer.tokens, observer.curve);
    let weights = match outcome.best {
        Some(_) => folder.join("best.safetensors"),
        None => outcome.checkpoint.join("weights.safetensors"),
    };
    let model = read(config, &weights)?;
    stream.seek(0);
    let mut sequences: Vec<Sequence> = Vec::new();
    while sequences.len() < embedding::SEQUENCES {
        match SequenceSource::next(&mut stream).map_err(DemoError::step(step()))? {
            Some(sequence) => sequences.push(sequence),
            None => break,
        }
    }
    let embedding = embedding::of_sequences(&model, &sequences, 4, &Default::default());
    Ok(Specialist {
        domain: domain.name.clone(),
        weights,
        embedding: embedding.map_err(DemoError::step(step()))?,
        steps: outcome.step,
        tokens,
        seconds,
        curve,
        bits_per_byte: Vec::new(),
    })
}

/// Settings for a model that learns for a minute: many steps of one sequence.
fn settings(config: &DemoConfig) -> TrainConfig {
    TrainConfig {
        preset: config.model_size.clone(),
        seed: config.seed,
        steps: config.steps,
        micro_batch: 1,
        accumulation: 1,
        learning_rate: 3e-3,
        warm_up_steps: (config.steps / 10).max(1),
        schedule: Schedule::Cosine,
        clip_norm: Some(1.0),
        dropout: 0.0,
        evaluate_every: (config.steps / 4).max(1),
        checkpoint_every: 0,
        keep_checkpoints: 1,
        ..TrainConfig::default()
    }
}

fn read(config: &DemoConfig, path: &Path) -> Result<V1Model<Cpu>, DemoError> {
    let size = ModelConfig::preset(&config.model_size)
        .map_err(|error| DemoError::Settings(error.to_string()))?;
    let file = std::fs::File::open(path).map_err(DemoError::file(path))?;
    let file = std::io::BufReader::new(file);
    weights::read(file, &size, &Default::default()).map_err(DemoError::step("reading weights"))
}

/// Held-out files of a domain, as many as an evaluation reads.
fn pieces(domain: &Domain) -> Result<Vec<Vec<u8>>, DemoError> {
    let (mut pieces, mut bytes) = (Vec::new(), 0);
    for path in &domain.held_out {
        if bytes >= EVALUATED_BYTES {
            break;
        }
        let piece = std::fs::read(path).map_err(DemoError::file(path))?;
        bytes += piece.len() as u64;
        pieces.push(piece);
    }
    Ok(pieces)
}

/// Passes on how a run goes on.
struct Watched<'a> {
    domain: &'a str,
    watch: &'a dyn Watch,
    steps: u64,
    tokens: u64,
    curve: Vec<(u64, f64)>,
    /// What the latest evaluation said.
    said: String,
}

impl Observer for Watched<'_> {
    fn step(&mut self, report: &StepReport) {
        self.tokens += report.tokens;
        let text = format!("{:.0} tokens/s{}", report.tokens_per_second(), self.said);
        self.watch
            .training(self.domain, report.step, self.steps, &text);
    }

    fn evaluated(&mut self, report: &EvaluationReport) {
        let bits = report.held_out.bits_per_byte;
        self.curve.push((report.step, bits));
        self.said = format!(", {bits:.2} bits per byte");
    }
}
