//! `cargo xtask`: the one door to the tasks of this workspace.
#![forbid(unsafe_code)]

mod bench;
mod cluster;
mod command;
mod crash;
mod full_size;
mod interop;
mod plot;
mod process;
mod python;
mod sim;
mod soak;
mod wheel;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Blocks are many small allocations, which this allocator is quick at.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Tasks of the SOMA workspace.
#[derive(Parser)]
#[command(name = "cargo xtask", version)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run a one-machine network with all services; arguments go to `soma start localnet`.
    Localnet {
        /// Arguments of `soma start localnet`; see `soma start localnet --help`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Play the whole game on real files; arguments go to `soma demo`.
    Demo {
        /// Arguments of `soma demo`; see `soma demo --help`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Run all tests, documentation examples included.
    Test,
    /// Run the tests of GPU code through Vulkan; software Vulkan serves as well as a GPU.
    TestGpu {
        /// Kind of GPU: `wgpu` or `cuda`.
        #[arg(long, default_value = "wgpu")]
        device: String,
    },
    /// Run everything that must pass before a change lands: format, lints, tests.
    Ci,
    /// Play random transactions of all kinds on the chain and check the rules after every block.
    Soak(soak::Soak),
    /// Simulate networks of nodes with crashes, partitions and byzantine validators, and check what
    /// must always hold.
    Sim(sim::Sim),
    /// Kill a node, or all validators at once, at random moments under load and check that nothing
    /// acknowledged is lost.
    Crash(crash::Crash),
    /// Replay recorded blocks with other build profiles, thread counts and CPU features.
    Replay,
    /// Compare the model with golden values: every case of a folder such as
    /// `crates/soma-model/testdata/model-v1`.
    CheckModel {
        /// The folder.
        folder: String,
        /// Where to run: `cpu`, `wgpu`, `wgpu:N`, `cuda` or `cuda:N`.
        #[arg(long, default_value = "cpu")]
        device: String,
    },
    /// Score 4 KiB twice with a random model of full size, and check memory and reloads.
    FullSize(full_size::FullSize),
    /// Exchange trained weights with the published Python package, in both directions.
    Interop(interop::Interop),
    /// Build the Python wheel into `dist/`, and test it in a virtual environment of its own.
    Python(wheel::Python),
    /// Draw the plots of the documentation.
    Plot,
    /// Measure, as ratios within one run.
    Bench(bench::Bench),
}

fn main() -> Result<()> {
    match Arguments::parse().task {
        Task::Localnet { arguments } => command::soma(&["start", "localnet"], &arguments),
        Task::Demo { arguments } => command::soma(&["demo"], &arguments),
        Task::Test => command::test(),
        Task::TestGpu { device } => command::test_gpu(&device),
        Task::Ci => command::ci(),
        // A measurement of unoptimised code says nothing.
        Task::Bench(_) | Task::Soak(_) | Task::Crash(_) if cfg!(debug_assertions) => {
            command::again_in_release()
        }
        Task::Bench(bench) => bench.run(),
        Task::Soak(soak) => soak.run(),
        // As built for tests: the engine's own assertions are part of the check.
        Task::Sim(sim) => sim.run(),
        Task::Replay => command::replay(),
        Task::CheckModel { folder, device } => command::check_model(&folder, &device),
        Task::FullSize(task) => task.run(),
        Task::Interop(task) => task.run(),
        Task::Python(task) => task.run(),
        Task::Plot => plot::difficulty(),
        Task::Crash(crash) => crash.run(),
    }
}
