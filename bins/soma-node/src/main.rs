//! The SOMA node: arguments, configuration, run, exit code.

use std::process::ExitCode;

use clap::Parser;
use soma_node::arguments::NodeArguments;
use soma_node::node::{DOCUMENTED, run_on_new_runtime};

/// Blocks are many small allocations, which this allocator is quick at.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

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
