//! The SOMA scorer: arguments, run, exit code.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use soma_scoring::arguments::ScoringArguments;

/// Keeps the pages that one batch leaves for the next.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Tensors in large pages: a sixth less time of a step of training.
// SAFETY: the name and the type are those that the allocator reads its settings from.
#[allow(unsafe_code)]
#[unsafe(export_name = "_rjem_malloc_conf")]
pub static ALLOCATOR_SETTINGS: &[u8; 11] = b"thp:always\0";

/// Scores data with models of the SOMA network, over HTTP.
#[derive(Debug, Parser)]
#[command(name = "soma-scorer", version)]
struct Arguments {
    #[command(flatten)]
    scoring: ScoringArguments,
}

/// `scoring` in the folder that `SOMA_CONFIG_DIR` names, or in `~/.soma`.
fn default_folder() -> Option<PathBuf> {
    let named = std::env::var_os("SOMA_CONFIG_DIR").filter(|dir| !dir.is_empty());
    let settings = named.map(PathBuf::from);
    let settings = settings.or_else(|| std::env::home_dir().map(|home| home.join(".soma")));
    Some(settings?.join("scoring"))
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let run = arguments.scoring.run(default_folder(), |service| {
        println!("Scorer is ready: http://{}", service.address());
    });
    match run.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
