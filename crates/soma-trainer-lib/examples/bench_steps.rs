//! Steps of training in a process that is told when to work, for `cargo xtask bench training`.
//!
//! `bench_steps FOLDER SIZE` loads the weights in FOLDER, says `ready`, and answers every line of its
//! input with one step on all sequences of `input.bin`: `run` with its seconds, `check` with its loss.

use std::error::Error;
use std::io::{Write, stdin, stdout};
use std::path::Path;
use std::time::Instant;

use soma_model::tokenizer::{self, Sequence};
use soma_trainer::data::DataError;
use soma_trainer::{Observer, Run, SequenceSource, Start, StepReport, StopFlag, TrainConfig};

/// The allocator and its settings are those of the programs that people run.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Tensors in large pages.
// SAFETY: the name and the type are those that the allocator reads its settings from.
#[allow(unsafe_code)]
#[unsafe(export_name = "_rjem_malloc_conf")]
pub static ALLOCATOR_SETTINGS: &[u8; 11] = b"thp:always\0";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, size] = &arguments[..] else {
        return Err("say `bench_steps FOLDER SIZE`".into());
    };
    let folder = Path::new(folder);
    let input = std::fs::read(folder.join("input.bin"))?;
    let sequences: Vec<Sequence> = tokenizer::sequences(&input).collect();
    let config = TrainConfig {
        preset: size.clone(),
        steps: u64::MAX,
        micro_batch: sequences.len(),
        accumulation: 1,
        // The rule of the peer's script.
        learning_rate: 1e-4,
        beta_1: 0.9,
        beta_2: 0.999,
        epsilon: 1e-8,
        weight_decay: 0.01,
        dropout: 0.0,
        evaluate_every: 0,
        checkpoint_every: 0,
        ..TrainConfig::default()
    };
    let run = Run {
        config,
        folder: folder.join("run"),
        start: Start::Weights(folder.join("weights.safetensors")),
        source: &mut Again { sequences, at: 0 },
        data: None,
        inputs: None,
        held_out: &[],
        observer: &mut Told::default(),
        stop: StopFlag::default(),
    };
    run.train()?;
    Ok(())
}

/// The same sequences over and over.
struct Again {
    sequences: Vec<Sequence>,
    at: u64,
}

impl SequenceSource for Again {
    fn next(&mut self) -> Result<Option<Sequence>, DataError> {
        let place = self.at % self.sequences.len().max(1) as u64;
        self.at += 1;
        Ok(self.sequences.get(place as usize).cloned())
    }

    fn position(&self) -> u64 {
        self.at
    }

    fn seek(&mut self, position: u64) -> Result<(), DataError> {
        self.at = position;
        Ok(())
    }
}

/// Waits for a line before every step, and answers it after the step.
#[derive(Default)]
struct Told {
    line: String,
    start: Option<Instant>,
}

impl Told {
    /// Says `text`, and waits for the next line. At the end of the input the process ends: what a
    /// checkpoint costs is not part of a step.
    fn say(&mut self, text: impl std::fmt::Display) {
        let mut output = stdout();
        let said = writeln!(output, "{text}").and_then(|()| output.flush());
        self.line.clear();
        let read = said.and_then(|()| stdin().read_line(&mut self.line));
        if !matches!(read, Ok(bytes) if bytes > 0) {
            std::process::exit(i32::from(read.is_err()));
        }
        self.start = Some(Instant::now());
    }
}

impl Observer for Told {
    fn started(&mut self, _step: u64, _resumed: bool) {
        self.say("ready");
    }

    fn step(&mut self, report: &StepReport) {
        let seconds = self.start.map(|start| start.elapsed().as_secs_f64());
        match self.line.trim() {
            "check" => self.say(report.loss),
            _ => self.say(seconds.unwrap_or_default()),
        }
    }
}
