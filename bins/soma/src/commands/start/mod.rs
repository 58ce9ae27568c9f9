//! `soma start`.

mod blobs;
mod faucet;
mod localnet;
mod scoring;
mod validator;

use std::net::SocketAddr;

use clap::{Args, Subcommand};
use soma_service::logging::{LogConfig, init};
use soma_service::{ServeConfig, Server, bind, stop_signal};
use tokio_util::sync::CancellationToken;

use crate::context::Context;
use crate::error::CliError;
use crate::output::Output;

pub use blobs::StartBlobs;
pub use faucet::StartFaucet;
pub use localnet::LocalnetArguments;
pub(super) use localnet::own_program;
pub use scoring::Scoring;
pub use validator::StartValidator;

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
    /// Run a network on this machine, with faucet, scorer and blob server, until Ctrl-C
    Localnet(LocalnetArguments),
    /// Run a node, as `soma-node` does, until Ctrl-C; with its keys, it validates
    #[command(alias = "node")]
    Validator(Box<StartValidator>),
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
            StartCommand::Validator(command) => command.run(context).await,
            StartCommand::Scoring(command) => command.run(context).await,
            StartCommand::Faucet(command) => command.run(context).await,
            StartCommand::Blobs(command) => command.run(context).await,
        }
    }
}

/// Logs to standard error by `filter` from now on.
fn log(filter: &str) -> Result<(), CliError> {
    let config = LogConfig {
        filter: filter.to_owned(),
        ..LogConfig::default()
    };
    init(&config).map_err(|error| CliError::Usage(error.to_string()))
}

/// Serves routes until Ctrl-C; `ready` is told where, once they can be asked for.
async fn serve(
    at: SocketAddr,
    config: ServeConfig,
    router: axum::Router,
    ready: impl FnOnce(SocketAddr),
) -> Result<(), CliError> {
    // Before anything answers, so that a Ctrl-C stops cleanly from the start.
    let stopped = tokio::spawn(stop_signal());
    let listener = bind(at)
        .await
        .map_err(|error| CliError::Invalid(error.to_string()))?;
    let at = listener
        .local_addr()
        .map_err(|error| CliError::Invalid(format!("cannot listen on {at}: {error}")))?;
    let server = Server {
        listener,
        router,
        config,
    };
    let stop = CancellationToken::new();
    let running = tokio::spawn(server.run(stop.clone()));
    ready(at);
    // The signal is all that ends it; a panic was logged by the runtime.
    let _ = stopped.await;
    stop.cancel();
    let _ = running.await;
    Ok(())
}
