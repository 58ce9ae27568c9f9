//! `soma completions`.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::arguments::{Cli, either};
use crate::error::CliError;
use crate::output::Output;

either!(
    /// Which shell. Also `--shell`
    ShellArgument, Shell, "SHELL", "shell", required
);

/// Print a completion script for a shell
#[derive(Clone, Debug, Args)]
pub struct Completions {
    /// Which.
    #[command(flatten)]
    pub shell: ShellArgument,
}

impl Completions {
    pub(super) fn run(self) -> Result<Output, CliError> {
        let mut script = Vec::new();
        let shell = self.shell.value()?;
        clap_complete::generate(shell, &mut Cli::command(), "soma", &mut script);
        let script = String::from_utf8_lossy(&script).into_owned();
        Ok(Output::new(
            &serde_json::json!({ "shell": shell.to_string(), "script": script }),
            script,
        ))
    }
}
