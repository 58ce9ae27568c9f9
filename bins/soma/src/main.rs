//! The SOMA command line. Everything happens in the library.

use std::process::ExitCode;

/// Blocks are many small allocations, which this allocator is quick at.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Tensors in large pages: a sixth less time of a step of training.
// SAFETY: the name and the type are those that the allocator reads its settings from.
#[allow(unsafe_code)]
#[unsafe(export_name = "_rjem_malloc_conf")]
pub static ALLOCATOR_SETTINGS: &[u8; 11] = b"thp:always\0";

fn main() -> ExitCode {
    soma_cli::run(std::env::args_os().collect())
}
