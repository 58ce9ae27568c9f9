//! Speed of training on this machine:
//! `cargo run --release -p soma-trainer-lib --example steps -- [PRESET] [STEPS] [MICRO_BATCH] [ACCUMULATION] [DROPOUT] [DEVICE]`.

use std::error::Error;

use soma_model::tokenizer::{Sequence, sequences};
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

/// The same text again and again.
struct Repeated(Vec<Sequence>, u64);

impl SequenceSource for Repeated {
    fn next(&mut self) -> Result<Option<Sequence>, DataError> {
        let place = self.1 as usize % self.0.len();
        self.1 += 1;
        Ok(Some(self.0[place].clone()))
    }

    fn position(&self) -> u64 {
        self.1
    }

    fn seek(&mut self, position: u64) -> Result<(), DataError> {
        self.1 = position;
        Ok(())
    }
}

struct Print(Vec<f64>);

impl Observer for Print {
    fn step(&mut self, report: &StepReport) {
        let speed = report.tokens_per_second();
        let StepReport { step, loss, .. } = report;
        println!("step {step}: loss {loss:.4}, {speed:.0} tokens/s");
        self.0.push(speed);
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |place: usize, default: &str| {
        let given = arguments.get(place).cloned();
        given.unwrap_or_else(|| default.to_owned())
    };
    let config = TrainConfig {
        preset: argument(0, "base"),
        steps: argument(1, "5").parse()?,
        micro_batch: argument(2, "2").parse()?,
        accumulation: argument(3, "1").parse()?,
        dropout: argument(4, "0").parse()?,
        device: argument(5, "cpu").parse()?,
        checkpoint_every: 0,
        ..TrainConfig::default()
    };
    let text: Vec<u8> = include_bytes!("steps.rs").repeat(8);
    let mut source = Repeated(sequences(&text).collect(), 0);
    let mut print = Print(Vec::new());
    let folder = tempfile::tempdir()?;
    Run {
        config,
        folder: folder.path().to_owned(),
        start: Start::Random,
        source: &mut source,
        data: None,
        inputs: None,
        held_out: &[],
        observer: &mut print,
        stop: StopFlag::default(),
    }
    .train()?;
    print.0.sort_by(f64::total_cmp);
    println!("median: {:.0} tokens/s", print.0[print.0.len() / 2]);
    Ok(())
}
