//! The SOMA command line. Everything happens in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    soma_cli::run(std::env::args_os().collect())
}
