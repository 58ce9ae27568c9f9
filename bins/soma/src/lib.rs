//! The SOMA command line as a library: arguments in, text or JSON out, an exit code.
//!
//! # The path of a command
//! ```text
//! arguments ──clap──▶ Command ──commands::*──▶ Output ──text or JSON──▶ stdout      (exit code 0)
//!                         │ Context: config, wallet, client
//!                         └──▶ CliError ──"Error: …", "Hint: …", or JSON──▶ stderr  (exit code 1 or 2)
//! ```
//!
//! # Conventions
//! - Values go to standard output, everything else to standard error.
//! - A transaction that failed on chain is an error, with its stable name.
//! - No command needs a terminal: passwords come from a file or the environment as well.
//!
//! # Reading order
//! [`arguments`], [`context`], [`transaction`], [`commands`], [`output`], [`error`]; then [`config`]
//! and [`wallet`], the files; and [`reference`](mod@reference), which writes `docs/cli.md`.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

pub mod arguments;
pub mod commands;
pub mod config;
pub mod context;
pub mod error;
pub mod output;
pub mod reference;
pub mod storage;
pub mod transaction;
pub mod wallet;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use clap::error::ErrorKind;

use arguments::Cli;
use context::Context;
use error::CliError;
use output::Output;

/// Runs the command line and prints what it gives.
pub fn run(arguments: Vec<OsString>) -> ExitCode {
    let wants_json = arguments.iter().any(|argument| argument == "--json");
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return refuse(&error, wants_json),
    };
    let json = cli.options.json;
    match execute(cli) {
        Ok(output) => print(&output.render(json)),
        Err(error) => {
            if let (Some(receipt), true) = (error.failed_receipt(), json) {
                print(&transaction::executed(receipt, Vec::new()).render(true));
            }
            if let Some(output) = error.output() {
                print(&output.render(json));
            }
            error.print(json);
            ExitCode::from(error.exit_code())
        }
    }
}

fn execute(cli: Cli) -> Result<Output, CliError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(CliError::Runtime)?;
    let context = Context::new(cli.options)?;
    let result = runtime.block_on(commands::run(context, cli.command));
    // Clients of a localnet that keep their connections open must not keep the process.
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

/// Prints what clap says. Help and version are no errors.
fn refuse(error: &clap::Error, json: bool) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => print(&error.render().to_string()),
        _ if json => {
            let text = error.render().to_string();
            CliError::Usage(text.trim_start_matches("error: ").trim().to_owned()).print(true);
            ExitCode::from(2)
        }
        _ => {
            // Clap colours its text where standard error is a terminal.
            let _ = error.print();
            if let Some(hint) = CliError::Usage(error.render().to_string()).hint() {
                eprintln!("Hint: {hint}");
            }
            ExitCode::from(2)
        }
    }
}

/// Prints to standard output. A reader that has gone away (`soma … | head`) is no failure.
fn print(text: &str) -> ExitCode {
    let text = text.trim_end();
    if text.is_empty() {
        return ExitCode::SUCCESS;
    }
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    }
}
