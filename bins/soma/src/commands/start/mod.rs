//! `soma start`.

mod blobs;
mod faucet;
mod localnet;
mod scoring;

use clap::{Args, Subcommand};

use crate::context::Context;
use crate::error::CliError;
use crate::output::Output;

pub use blobs::StartBlobs;
pub use faucet::StartFaucet;
pub use localnet::LocalnetArguments;
pub use scoring::Scoring;

/// Run a network or a service on this machine
#[derive(Clone, Debug, Args)]
pub struct Start {
    /// What to start.
    #[command(subcommand)]
    pub command: StartCommand,
}

/// What to start.
#[derive(Clone, Debug, Subcommand)]
pub enum StartCommand {
    /// Run a network of one validator with faucet, scorer and blob server, until Ctrl-C
    Localnet(LocalnetArguments),
    /// Run a scoring service, until Ctrl-C
    Scoring(Scoring),
    /// Give a little money of one of your accounts to whoever asks, until Ctrl-C
    Faucet(StartFaucet),
    /// Run a blob server, until Ctrl-C
    Blobs(StartBlobs),
}

impl Start {
    pub(super) async fn run(self, context: &Context) -> Result<Output, CliError> {
        match self.command {
            StartCommand::Localnet(arguments) => arguments.run(context).await,
            StartCommand::Scoring(command) => command.run(context).await,
            StartCommand::Faucet(command) => command.run(context).await,
            StartCommand::Blobs(command) => command.run(context).await,
        }
    }
}
