//! The command line of training, the same for `soma-trainer` and `soma train`.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use serde::Serialize;
use soma_model::Device;
use soma_progress::Progress;

use crate::data::{DataConfig, OnUnreadable, SHUFFLE_SEQUENCES, StreamConfig};
use crate::session::{Session, Trained};
use crate::{EvaluationReport, Finished, Observer, Schedule, Start, StepReport, TrainConfig};

/// What to train on, and how.
#[derive(Clone, Debug, Args)]
pub struct TrainArguments {
    /// The data.
    #[command(flatten)]
    pub data: DataArguments,
    /// Where checkpoints, weights, embedding and curve are kept
    #[arg(long, short, value_name = "DIR", default_value = "soma-training")]
    pub out: PathBuf,
    /// Size of the model: small, mini, base, large or v1
    #[arg(long, value_name = "SIZE", default_value = "v1")]
    pub model_size: String,
    /// What to compute on: cpu, wgpu, wgpu:N, cuda or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    pub device: Device,
    /// Start from the weights of a file instead of random ones
    #[arg(long, value_name = "FILE", conflicts_with = "resume")]
    pub from: Option<PathBuf>,
    /// Go on with the run in the output folder
    #[arg(long)]
    pub resume: bool,
    /// Steps to train, those before a resume included
    #[arg(long, value_name = "COUNT", default_value_t = 10_000)]
    pub steps: u64,
    /// The highest learning rate
    #[arg(long, alias = "lr", value_name = "RATE", default_value_t = 1e-4)]
    pub learning_rate: f64,
    /// Steps over which the rate rises to the highest
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    pub warm_up: u64,
    /// The rate after that
    #[arg(long, value_enum, default_value = "constant")]
    pub schedule: ScheduleArgument,
    /// Sequences on the device at a time
    #[arg(long, value_name = "COUNT", default_value_t = 2)]
    pub micro_batch: usize,
    /// Micro-batches in a step
    #[arg(long, value_name = "COUNT", default_value_t = 64)]
    pub accumulation: usize,
    /// Part of the numbers that dropout sets to 0
    #[arg(long, value_name = "PART", default_value_t = 0.1)]
    pub dropout: f64,
    /// Part of the weights that a step takes away, times the rate
    #[arg(long, value_name = "PART", default_value_t = 0.0)]
    pub weight_decay: f32,
    /// The largest norm of the gradients
    #[arg(long, value_name = "NORM")]
    pub clip: Option<f64>,
    /// Seed of weights, order and noise
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub seed: u64,
    /// Steps between evaluations on held-out documents; 0 for none
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    pub evaluate_every: u64,
    /// Part of the documents that is held out
    #[arg(long, value_name = "PART", default_value_t = 0.05)]
    pub held_out: f64,
    /// Bytes of held-out documents that an evaluation reads, at most
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 20)]
    pub evaluated_bytes: u64,
    /// End after so many evaluations without a better loss
    #[arg(long, value_name = "COUNT")]
    pub patience: Option<u32>,
    /// Steps between checkpoints
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    pub checkpoint_every: u64,
    /// Checkpoints to keep, the latest
    #[arg(long, value_name = "COUNT", default_value_t = 3)]
    pub keep_checkpoints: usize,
    /// Sequences in the buffer that mixes them
    #[arg(long, value_name = "COUNT", default_value_t = SHUFFLE_SEQUENCES)]
    pub shuffle: usize,
}

/// Where training data is.
#[derive(Clone, Debug, Args)]
pub struct DataArguments {
    /// Files and folders with the data; folders are searched through. Text in JSONL and Parquet is taken from a field
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// In folders only files whose names end so, such as rs; can be repeated
    #[arg(long = "extension", value_name = "END")]
    pub extensions: Vec<String>,
    /// In folders only files that match, such as `**/docs/*`; can be repeated
    #[arg(long = "include", value_name = "GLOB")]
    pub include: Vec<String>,
    /// Files and folders to leave out; can be repeated
    #[arg(long = "exclude", value_name = "GLOB")]
    pub exclude: Vec<String>,
    /// Field of JSONL lines and column of Parquet files with the text
    #[arg(long, value_name = "NAME", default_value = "text")]
    pub field: String,
    /// Leave out what cannot be read instead of ending
    #[arg(long)]
    pub skip_unreadable: bool,
}

impl DataArguments {
    /// All of the data, with nothing held out.
    pub fn config(&self) -> DataConfig {
        DataConfig {
            include: self.include.clone(),
            exclude: self.exclude.clone(),
            extensions: self.extensions.clone(),
            field: self.field.clone(),
            on_unreadable: match self.skip_unreadable {
                true => OnUnreadable::Skip,
                false => OnUnreadable::Fail,
            },
            held_out_fraction: 0.0,
            ..DataConfig::new(&self.paths)
        }
    }
}

/// The learning rate after warming up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ScheduleArgument {
    /// Stays the highest
    Constant,
    /// Falls along half a cosine to a tenth at the last step
    Cosine,
}

impl TrainArguments {
    /// The session that they ask for.
    pub fn session(&self) -> Session {
        Session {
            data: DataConfig {
                held_out_fraction: self.held_out,
                split_seed: self.seed,
                ..self.data.config()
            },
            stream: StreamConfig {
                shuffle_sequences: self.shuffle,
                ..StreamConfig::new(self.seed)
            },
            train: self.config(),
            folder: self.out.clone(),
            start: match (&self.from, self.resume) {
                (_, true) => Start::Resume,
                (Some(path), false) => Start::Weights(path.clone()),
                (None, false) => Start::Random,
            },
            evaluated_bytes: self.evaluated_bytes,
        }
    }

    fn config(&self) -> TrainConfig {
        TrainConfig {
            preset: self.model_size.clone(),
            device: self.device,
            seed: self.seed,
            steps: self.steps,
            micro_batch: self.micro_batch,
            accumulation: self.accumulation,
            learning_rate: self.learning_rate,
            warm_up_steps: self.warm_up,
            schedule: match self.schedule {
                ScheduleArgument::Constant => Schedule::Constant,
                ScheduleArgument::Cosine => Schedule::Cosine,
            },
            weight_decay: self.weight_decay,
            clip_norm: self.clip,
            dropout: self.dropout,
            evaluate_every: self.evaluate_every,
            patience: self.patience,
            checkpoint_every: self.checkpoint_every,
            keep_checkpoints: self.keep_checkpoints,
            ..TrainConfig::default()
        }
    }
}

/// What came of training, for scripts.
#[derive(Clone, Debug, Serialize)]
pub struct TrainSummary {
    /// `complete`, `stopped` or `settled`.
    pub finished: &'static str,
    /// Steps done.
    pub step: u64,
    /// The weights.
    pub weights: PathBuf,
    /// The file with the embedding to publish them with; none of a run that was told to stop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub embedding: Option<PathBuf>,
    /// Bits per byte on held-out documents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bits_per_byte: Option<f64>,
    /// The network's loss on them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<f64>,
}

impl From<&Trained> for TrainSummary {
    fn from(trained: &Trained) -> Self {
        Self {
            finished: match trained.finished {
                Finished::Complete => "complete",
                Finished::Stopped => "stopped",
                Finished::Settled => "settled",
            },
            step: trained.step,
            weights: trained.weights.clone(),
            embedding: trained.embedding.clone(),
            bits_per_byte: trained.held_out.map(|loss| loss.bits_per_byte),
            loss: trained.held_out.map(|loss| loss.loss),
        }
    }
}

/// Shows training on standard error.
pub struct Shown {
    progress: Progress,
    steps: u64,
    /// What the latest evaluation said.
    said: String,
    /// When the latest step was done.
    latest: Instant,
}

impl Shown {
    /// For a run of so many steps.
    pub fn new(steps: u64) -> Self {
        Self {
            progress: Progress::new("steps", Some(steps)),
            steps,
            said: String::new(),
            latest: Instant::now(),
        }
    }
}

impl Observer for Shown {
    fn started(&mut self, step: u64, resumed: bool) {
        self.progress.already(step);
        if resumed {
            let text = format!("Going on after step {step} of {}.", self.steps);
            self.progress.say(&text);
        }
    }

    fn micro_batch(&mut self, done: usize, of: usize) {
        // Steps of small models are over before anybody could read this.
        if self.latest.elapsed() > Duration::from_secs(5) {
            self.progress
                .message(format!("micro-batch {done}/{of}{}", self.said));
        }
    }

    fn step(&mut self, report: &StepReport) {
        self.latest = Instant::now();
        self.progress.message(format!(
            "loss {:.3}, {:.0} tokens/s{}",
            report.loss,
            report.tokens_per_second(),
            self.said
        ));
        self.progress.set(report.step);
        if report.step == self.steps {
            self.progress.finish();
        }
    }

    fn evaluated(&mut self, report: &EvaluationReport) {
        let bits = report.held_out.bits_per_byte;
        self.said = format!(", {bits:.3} bits per byte");
        let mark = if report.is_best {
            ", the best so far"
        } else {
            ""
        };
        let text = format!(
            "Step {}: {bits:.3} bits per byte on held-out data{mark}.",
            report.step
        );
        self.progress.say(&text);
    }

    fn saved(&mut self, step: u64, folder: &Path) {
        tracing::debug!(step, folder = %folder.display(), "checkpoint saved");
    }
}
