//! The SOMA node: arguments, configuration, run, exit code.

use std::process::ExitCode;

use clap::Parser;
use soma_node::arguments::NodeArguments;
use soma_node::node::{DOCUMENTED, run_on_new_runtime};

/// Blocks are many small allocations, which this allocator is quick at.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Few pools of memory for a node's many threads: each keeps pages that others could use.
// SAFETY: the name and the type are those that the allocator reads its settings from.
#[allow(unsafe_code)]
#[unsafe(export_name = "_rjem_malloc_conf")]
pub static ALLOCATOR_SETTINGS: &[u8; 10] = b"narenas:4\0";

/// Runs a node of the SOMA network.
#[derive(Debug, Parser)]
#[command(name = "soma-node", version)]
struct Arguments {
    #[command(flatten)]
    node: NodeArguments,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse().node;
    if arguments.print_config {
        print!("{DOCUMENTED}");
        return ExitCode::SUCCESS;
    }
    let until = arguments.until();
    let run = |config| run_on_new_runtime(config, until);
    match arguments.into_config().and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
