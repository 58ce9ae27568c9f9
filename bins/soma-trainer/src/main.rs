//! The SOMA trainer: arguments, run, exit code.

use std::process::ExitCode;

use clap::Parser;
use soma_trainer::arguments::{STOPPING, Shown, TrainArguments, TrainSummary};
use soma_trainer::{StopFlag, TrainError};

/// Keeps the pages that one batch leaves for the next.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Tensors in large pages: a sixth less time of a step of training.
// SAFETY: the name and the type are those that the allocator reads its settings from.
#[allow(unsafe_code)]
#[unsafe(export_name = "_rjem_malloc_conf")]
pub static ALLOCATOR_SETTINGS: &[u8; 11] = b"thp:always\0";

/// Trains weights for models of the SOMA network.
#[derive(Debug, Parser)]
#[command(name = "soma-trainer", version)]
struct Arguments {
    #[command(flatten)]
    train: TrainArguments,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let stop = StopFlag::default();
    let flag = stop.clone();
    // A second Ctrl-C ends at once; the latest checkpoint is then what is left.
    let watched = ctrlc::set_handler(move || match flag.is_set() {
        true => std::process::exit(130),
        false => {
            eprintln!("{STOPPING}");
            flag.stop();
        }
    });
    if let Err(error) = watched {
        eprintln!("error: cannot watch for Ctrl-C: {error}");
        return ExitCode::FAILURE;
    }
    match train(&arguments, &stop) {
        Ok(summary) => {
            print(&summary, arguments.json);
            ExitCode::SUCCESS
        }
        Err(error) => {
            match arguments.json {
                true => {
                    let error =
                        serde_json::json!({ "code": "Training", "message": error.to_string() });
                    eprintln!("{error}");
                }
                false => eprintln!("error: {error}"),
            }
            ExitCode::FAILURE
        }
    }
}

fn train(arguments: &Arguments, stop: &StopFlag) -> Result<TrainSummary, TrainError> {
    let session = arguments.train.session()?;
    let mut shown = Shown::new(session.train.steps);
    let trained = session.run(&mut shown, stop)?;
    Ok(TrainSummary::from(&trained))
}

fn print(summary: &TrainSummary, json: bool) {
    if json {
        // Every field can be JSON.
        println!("{}", serde_json::to_string(summary).unwrap_or_default());
        return;
    }
    println!("{} after step {}", summary.finished, summary.step);
    if let Some(bits) = summary.bits_per_byte {
        println!("{bits:.4} bits per byte on held-out data");
    }
    println!("Weights: {}", summary.weights.display());
    if let Some(embedding) = &summary.embedding {
        println!("Embedding: {}", embedding.display());
    }
    if let Some(command) = &summary.resume_command {
        println!("Go on with: {command}");
    }
}
