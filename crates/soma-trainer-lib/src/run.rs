//! A run: steps, evaluations and checkpoints until the end, a stop, or no progress.

use std::path::{Path, PathBuf};

use soma_model::tokenizer::Sequence;
use soma_model::{EvaluateOptions, ModelBackend, OnDevice, weights};

use crate::checkpoint::{self, Best, Folder, Loaded, State, read_model, write_flushed};
use crate::curve::Curve;
use crate::evaluate::evaluate;
use crate::events::{EvaluationReport, Observer, StopFlag};
use crate::learner::{Learner, Step};
use crate::optimizer::AdamW;
use crate::session::Inputs;
use crate::{SequenceSource, TrainConfig, TrainError, plot};

/// What weights a run begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// Random ones, by the seed of the settings.
    Random,
    /// Those of a file, with a new optimizer.
    Weights(PathBuf),
    /// Those of the latest checkpoint in the folder, and all else as it was there.
    Resume,
}

/// A run of training.
pub struct Run<'a> {
    /// The settings.
    pub config: TrainConfig,
    /// Where checkpoints, the curve and the best weights are kept.
    pub folder: PathBuf,
    /// The first weights.
    pub start: Start,
    /// The sequences to learn from.
    pub source: &'a mut dyn SequenceSource,
    /// What tells this data from other; a run is resumed with the same alone.
    pub data: Option<String>,
    /// Where the sequences come from; checkpoints keep it for whoever goes on with the run.
    pub inputs: Option<Inputs>,
    /// What evaluations are done on: pieces of data that each count as the network would.
    pub held_out: &'a [Vec<u8>],
    /// Is told how it goes on.
    pub observer: &'a mut dyn Observer,
    /// Ends it.
    pub stop: StopFlag,
}

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finished {
    /// All steps are done.
    Complete,
    /// It was told to stop. It can be resumed.
    Stopped,
    /// Evaluations did not get better for as long as the patience lasts.
    Settled,
}

/// A run that ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Why it ended.
    pub finished: Finished,
    /// Steps done.
    pub step: u64,
    /// The folder of the last checkpoint; `weights.safetensors` in it are the last weights.
    pub checkpoint: PathBuf,
    /// The best evaluation; `best.safetensors` in the run's folder are its weights.
    pub best: Option<Best>,
}

impl Run<'_> {
    /// Trains on the device of the settings. The run is saved however it ends, except by an error
    /// of the disk or a divergence.
    ///
    /// # Errors
    /// [`TrainError`].
    pub fn train(self) -> Result<Outcome, TrainError> {
        self.config.check()?;
        let device = self.config.device;
        device.probe()?;
        device.run(Work(self))?
    }
}

struct Work<'a>(Run<'a>);

impl OnDevice for Work<'_> {
    type Output = Result<Outcome, TrainError>;

    fn run<B: ModelBackend>(self, device: B::Device) -> Self::Output {
        Training::<B>::start(self.0, device)?.finish()
    }
}

/// A run on its device.
struct Training<'a, B: ModelBackend> {
    run: Run<'a>,
    device: B::Device,
    folder: Folder,
    state: State,
    curve: Curve,
    learner: Learner<B>,
    /// The latest checkpoint that says what the run is, and its step.
    saved: Option<(u64, PathBuf)>,
}

impl<'a, B: ModelBackend> Training<'a, B> {
    fn start(run: Run<'a>, device: B::Device) -> Result<Self, TrainError> {
        if run.start == Start::Resume && !Folder::exists(&run.folder) {
            // A mistyped name makes no folder.
            let path = run.folder;
            return Err(TrainError::NoCheckpoint { path });
        }
        let folder = Folder::open(&run.folder)?;
        let config = &run.config;
        let size = config.check()?;
        let data = run.data.as_deref();
        if run.start != Start::Resume && !folder.steps()?.is_empty() {
            let path = run.folder;
            return Err(TrainError::RunExists { path });
        }
        let inputs = run.inputs.as_ref();
        let new = |model| {
            let mut state = State::new(config.clone(), run.data.clone(), run.source.position());
            state.inputs = inputs.cloned();
            Loaded {
                learner: Learner::new(config, model, AdamW::new(config), 0, &device),
                state,
                curve: Curve::default(),
                saved: None,
            }
        };
        let loaded = match &run.start {
            Start::Random => new(weights::random::<B>(&size, config.seed, &device)),
            Start::Weights(path) => new(read_model(path, &size, &device)?),
            Start::Resume => checkpoint::load(&run.folder, config, data, inputs, &device)?,
        };
        let Loaded {
            learner,
            state,
            curve,
            saved,
        } = loaded;
        run.source.seek(state.position)?;
        run.observer.started(state.step, run.start == Start::Resume);
        Ok(Self {
            run,
            device,
            folder,
            saved: saved.map(|path| (state.step, path)),
            state,
            curve,
            learner,
        })
    }

    fn finish(mut self) -> Result<Outcome, TrainError> {
        let finished = loop {
            if self.state.step >= self.run.config.steps {
                break Finished::Complete;
            }
            let patience = self.run.config.patience.unwrap_or(u32::MAX);
            if self.state.since_best >= patience {
                break Finished::Settled;
            }
            if self.run.stop.is_set() {
                break Finished::Stopped;
            }
            let sequences = match self.sequences() {
                Ok(sequences) => sequences,
                Err(error) => {
                    // What was learned before is worth more than the reading that failed.
                    self.save()?;
                    return Err(error);
                }
            };
            let (learner, step) =
                (self.learner).learn(&sequences, self.run.observer, &self.run.stop)?;
            self.learner = learner;
            let Step::Done(report) = step else {
                break Finished::Stopped;
            };
            self.state.step = report.step;
            self.state.position = self.run.source.position();
            self.curve.step(&report);
            self.run.observer.step(&report);
            let config = &self.run.config;
            let is_last = report.step == config.steps;
            let is_due = |every: u64| every > 0 && report.step.is_multiple_of(every);
            let (evaluate, save) = (config.evaluate_every, is_due(config.checkpoint_every));
            if is_due(evaluate) || (is_last && evaluate > 0) {
                self.evaluate()?;
            }
            if save {
                self.save()?;
            }
        };
        let checkpoint = self.save()?;
        Ok(Outcome {
            finished,
            step: self.state.step,
            checkpoint,
            best: self.state.best,
        })
    }

    /// The sequences of a step.
    fn sequences(&mut self) -> Result<Vec<Sequence>, TrainError> {
        let count = self.run.config.sequences_per_step();
        let mut sequences = Vec::with_capacity(count);
        while sequences.len() < count {
            match self.run.source.next()? {
                Some(sequence) => sequences.push(sequence),
                None => return Err(TrainError::NoData { what: "training" }),
            }
        }
        Ok(sequences)
    }

    fn evaluate(&mut self) -> Result<(), TrainError> {
        if self.run.held_out.is_empty() {
            return Ok(());
        }
        let model = self.learner.plain();
        let options = EvaluateOptions {
            sequences_at_a_time: self.run.config.micro_batch.min(16),
            ..EvaluateOptions::default()
        };
        let pieces = self.run.held_out.iter().map(Ok);
        let held_out = evaluate(&model, pieces, &options, &self.device)?;
        let step = self.state.step;
        let is_best = self.state.best.is_none_or(|best| held_out.loss < best.loss);
        if is_best {
            let path = self.folder.best();
            weights::write(&model, &path).map_err(TrainError::weights(&path))?;
            let loss = held_out.loss;
            self.state.best = Some(Best { step, loss });
            self.state.since_best = 0;
        } else {
            self.state.since_best += 1;
        }
        let report = EvaluationReport {
            step,
            held_out,
            is_best,
        };
        self.curve.evaluated(&report);
        self.run.observer.evaluated(&report);
        Ok(())
    }

    /// Writes a checkpoint unless this step has one with the run's settings, and the curve.
    fn save(&mut self) -> Result<PathBuf, TrainError> {
        let step = self.state.step;
        if let Some((saved, path)) = &self.saved
            && *saved == step
        {
            return Ok(path.clone());
        }
        let path = checkpoint::save(&self.folder, &self.learner, &self.state, &self.curve)?;
        write_flushed(&self.folder.curve("csv"), self.curve.to_csv().as_bytes())?;
        plot::draw(&self.curve, &self.folder.curve("png"))?;
        self.run.observer.saved(step, Path::new(&path));
        self.saved = Some((step, path.clone()));
        Ok(path)
    }
}
