//! The command line of training, the same for `soma-trainer` and `soma train`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, FromArgMatches, ValueEnum};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use soma_model::Device;
use soma_progress::Progress;

use crate::checkpoint::{self, State};
use crate::config::{Difference, difference};
use crate::data::{DataConfig, OnUnreadable, SHUFFLE_SEQUENCES, StreamConfig};
use crate::session::{Session, Trained};
use crate::{
    EvaluationReport, Finished, Observer, Schedule, Start, StepReport, TrainConfig, TrainError,
};

/// What the first Ctrl-C says: a micro-batch of a large model takes minutes.
pub const STOPPING: &str = "Stopping after the micro-batch under way; press Ctrl-C again to stop at once (the last checkpoint stays).";

/// What to train on, and how.
#[derive(Clone, Debug, Args)]
pub struct TrainArguments {
    /// What of the rest the command line says. First, for the others take their values away.
    #[command(flatten)]
    pub given: Given,
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
    /// Go on with the run in the output folder, with its settings where no others are given
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

/// The options that the command line says, and not their defaults.
#[derive(Clone, Debug, Default)]
pub struct Given(BTreeSet<String>);

impl FromArgMatches for Given {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let ids = matches.ids().map(clap::Id::as_str);
        let is_given = |id: &&str| matches.value_source(id) != Some(ValueSource::DefaultValue);
        Ok(Self(ids.filter(is_given).map(str::to_owned).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for Given {
    fn augment_args(command: Command) -> Command {
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        command
    }
}

impl Given {
    /// The fields of `now` whose options are given, and those of `was` for the rest.
    fn settle<T: Serialize + DeserializeOwned>(&self, now: &T, was: &T) -> serde_json::Result<T> {
        let mut settled = serde_json::to_value(was)?;
        if let (Value::Object(settled), Value::Object(now)) =
            (&mut settled, serde_json::to_value(now)?)
        {
            settled.extend(
                now.into_iter()
                    .filter(|(name, _)| self.0.contains(id(name))),
            );
        }
        serde_json::from_value(settled)
    }
}

/// The id of the option of a setting.
fn id(setting: &str) -> &str {
    match setting {
        "preset" => "model_size",
        "warm_up_steps" => "warm_up",
        "clip_norm" => "clip",
        "extensions" => "extension",
        "on_unreadable" => "skip_unreadable",
        "held_out_fraction" => "held_out",
        "split_seed" => "seed",
        "shuffle_sequences" => "shuffle",
        other => other,
    }
}

/// A setting that is not what it was, by the name of its option.
fn other(difference: Difference) -> TrainError {
    let Difference { field, was, now } = difference;
    let field = format!("--{}", id(&field).replace('_', "-"));
    TrainError::OtherConfig { field, was, now }
}

/// Where training data is.
#[derive(Clone, Debug, Args)]
pub struct DataArguments {
    /// Files and folders with the data; folders are searched through. Text in JSONL and Parquet is taken from a field
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// In folders only files whose names end so, such as rs; can be repeated
    #[arg(id = "extension", long = "extension", value_name = "END")]
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
    /// The session that they ask for; what they do not say of a run that goes on is as it was.
    ///
    /// # Errors
    /// With `--resume`: [`TrainError::NoCheckpoint`], [`TrainError::BadState`],
    /// [`TrainError::File`], and [`TrainError::OtherConfig`] for an option that contradicts the run.
    pub fn session(&self) -> Result<Session, TrainError> {
        let session = self.as_said();
        if !self.resume {
            return Ok(session);
        }
        session.train.check()?;
        let was = checkpoint::state(&self.out)?;
        let settled = self.settled(&session, &was);
        let settled = settled.map_err(|error| TrainError::BadState {
            path: self.out.clone(),
            reason: error.to_string(),
        })?;
        if let Some(difference) = settled.train.difference(&was.config) {
            return Err(other(difference));
        }
        if let Some(was) = &was.inputs {
            let data = DataConfig {
                // It decides over nothing that the run has read.
                on_unreadable: was.data.on_unreadable,
                ..settled.data.clone()
            };
            let data = difference(&data, &was.data);
            if let Some(difference) = data.or_else(|| difference(&settled.stream, &was.stream)) {
                return Err(other(difference));
            }
        }
        Ok(settled)
    }

    fn settled(&self, now: &Session, was: &State) -> serde_json::Result<Session> {
        let mut settled = Session {
            train: self.given.settle(&now.train, &was.config)?,
            ..now.clone()
        };
        if let Some(was) = &was.inputs {
            settled.data = DataConfig {
                paths: now.data.paths.clone(),
                ..self.given.settle(&now.data, &was.data)?
            };
            settled.stream = self.given.settle(&now.stream, &was.stream)?;
            if !self.given.0.contains("evaluated_bytes") {
                settled.evaluated_bytes = was.evaluated_bytes;
            }
        }
        Ok(settled)
    }

    fn as_said(&self) -> Session {
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
    /// What goes on with a run that was told to stop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resume_command: Option<String>,
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
            resume_command: (trained.finished == Finished::Stopped)
                .then(|| resume_command(words())),
        }
    }
}

/// The command line; what is no text is shown as well as can be.
fn words() -> impl Iterator<Item = String> {
    std::env::args_os().map(|word| word.to_string_lossy().into_owned())
}

/// A command line with `--resume`, for whoever goes on with its run.
fn resume_command(arguments: impl Iterator<Item = String>) -> String {
    const FIRST_WEIGHTS: [&str; 2] = ["--from", "--from-model"];
    let mut words = Vec::new();
    let mut arguments = arguments.filter(|word| word != "--resume");
    while let Some(word) = arguments.next() {
        match word.split_once('=') {
            _ if FIRST_WEIGHTS.contains(&&*word) => drop(arguments.next()),
            Some((name, _)) if FIRST_WEIGHTS.contains(&name) => {}
            // What follows is no option.
            _ if word == "--" => {
                words.extend(["--resume".to_owned(), word]);
                words.extend(arguments.map(|word| quoted(&word)));
                return words.join(" ");
            }
            _ => words.push(quoted(&word)),
        }
    }
    words.push("--resume".to_owned());
    words.join(" ")
}

/// A word as a shell reads it.
pub fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-:@%+=,".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
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

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::StopFlag;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        train: TrainArguments,
    }

    fn arguments(line: &str) -> TrainArguments {
        let words = std::iter::once("train").chain(line.split_whitespace());
        Line::try_parse_from(words).expect("arguments").train
    }

    #[test]
    fn a_run_goes_on_with_its_settings_where_no_others_are_given() {
        let folder = tempfile::tempdir().expect("folder");
        let (data, run) = (folder.path().join("data"), folder.path().join("run"));
        std::fs::create_dir(&data).expect("folder");
        for name in ["a.txt", "b.txt", "c.md"] {
            std::fs::write(data.join(name), name.repeat(50)).expect("file");
        }
        let (data, run) = (data.display(), run.display());
        let session = |line: &str| arguments(&format!("{data} -o {run} {line}")).session();
        let begun = "--model-size small --accumulation 1 --steps 1 --seed 7 --held-out 0.4 \
                     --extension txt --shuffle 9 --lr 0.003 --evaluated-bytes 77";
        let begun = session(begun).expect("session");
        begun.run(&mut (), &StopFlag::default()).expect("trained");

        let resumed = session("--resume").expect("resumed");
        assert_eq!(resumed.start, Start::Resume);
        assert_eq!(resumed.train, begun.train);
        assert_eq!(resumed.data, begun.data);
        assert_eq!(
            (resumed.stream, resumed.evaluated_bytes),
            (begun.stream, 77)
        );
        resumed.run(&mut (), &StopFlag::default()).expect("resumed");
        // The same once more, also if it is the default, and what may change.
        let longer = session("--resume --steps 2 --seed 7 --dropout 0.1 --patience 4");
        let longer = longer.expect("resumed");
        assert_eq!((longer.train.steps, longer.train.patience), (2, Some(4)));
        for (line, name) in [
            ("--model-size v1", "--model-size"),
            ("--lr 0.1", "--learning-rate"),
            ("--warm-up 5", "--warm-up"),
            ("--seed 1", "--seed"),
            ("--held-out 0.05", "--held-out"),
            ("--shuffle 4096", "--shuffle"),
            ("--extension md", "--extension"),
        ] {
            let error = session(&format!("--resume {line}")).expect_err(line);
            let TrainError::OtherConfig { field, .. } = error else {
                panic!("{line}: {error}");
            };
            assert_eq!(field, name);
        }
    }

    #[test]
    fn a_run_that_is_not_there_is_not_made() {
        let folder = tempfile::tempdir().expect("folder");
        let run = folder.path().join("run");
        let line = format!("{} --resume -o {}", folder.path().display(), run.display());
        let error = arguments(&line).session().expect_err("no run");
        assert_eq!(error.name(), "NoCheckpoint");
        assert!(!run.exists());
    }

    #[test]
    fn the_command_that_goes_on_is_that_which_began() {
        for (line, again) in [
            ("soma train a -o b", "soma train a -o b --resume"),
            ("soma train --resume a", "soma train a --resume"),
            ("soma train --from w --from=w a", "soma train a --resume"),
            (
                "soma train --from-model 0x1 -- -a",
                "soma train --resume -- -a",
            ),
        ] {
            let words = line.split(' ').map(str::to_owned);
            assert_eq!(resume_command(words), again);
        }
    }

    #[test]
    fn a_word_is_one_word_to_a_shell() {
        assert_eq!(quoted("/a/b-c.d"), "/a/b-c.d");
        assert_eq!(quoted("/my folder"), "'/my folder'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
