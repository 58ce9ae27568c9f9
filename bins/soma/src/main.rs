//! The SOMA command line. Everything happens in the library.

use std::process::ExitCode;

/// Blocks are many small allocations, which this allocator is quick at.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    soma_cli::run(std::env::args_os().collect())
}
