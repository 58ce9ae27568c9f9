//! `soma genesis`: how a chain begins.

mod init;
mod install;
mod local;
mod steps;
mod view;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;
use soma_ceremony::genesis_json;
use soma_sdk::Client;
use soma_sdk::types::{ChainId, Genesis as Document};

use crate::context::Context;
use crate::error::CliError;
use crate::output::{Fields, Output};

pub use init::Init;
pub use install::Install;
pub use local::Local;
pub use steps::Step;
pub use view::Inspect;

/// Begin a chain: agree on its genesis with others, or write a network for this machine
#[derive(Clone, Debug, Args)]
pub struct Genesis {
    /// Folder of the ceremony
    #[arg(long, global = true, value_name = "DIR", default_value = ".")]
    pub path: PathBuf,
    /// What to do.
    #[command(subcommand)]
    pub command: GenesisCommand,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum GenesisCommand {
    /// A step of the ceremony.
    #[command(flatten)]
    Step(Box<Step>),
    /// The same steps, as other documents write them
    #[command(hide = true)]
    Ceremony {
        /// The step.
        #[command(subcommand)]
        step: Box<Step>,
    },
    /// Show what a genesis gives: accounts, validators, models, parameters, supply, chain id
    Inspect(Inspect),
    /// Get the genesis of the environment's chain, and check that it is the genuine one
    Download {
        /// Where to write it
        #[arg(long, short, value_name = "FILE", default_value = "genesis.json")]
        output: PathBuf,
        /// The chain that it must be of; default what the node says
        #[arg(long, value_name = "ID")]
        chain_id: Option<ChainId>,
    },
    /// Write a network for this machine: genesis, and for each validator keys and settings
    Local(Local),
}

impl Genesis {
    pub(super) async fn run(self, context: &Context) -> Result<Output, CliError> {
        match self.command {
            GenesisCommand::Step(step) | GenesisCommand::Ceremony { step } => {
                step.run(context, &self.path)
            }
            GenesisCommand::Inspect(command) => command.run(),
            GenesisCommand::Download { output, chain_id } => {
                let client = context.client()?;
                let chain_id = match chain_id {
                    Some(id) => id,
                    None => client.chain_id().await?,
                };
                let genesis = genuine(&client, chain_id).await?;
                let text = genesis_json(&genesis).map_err(|error| CliError::File {
                    path: output.clone(),
                    reason: error.to_string(),
                })?;
                std::fs::write(&output, text).map_err(CliError::file(&output))?;
                let json = json!({ "path": output, "chain": genesis.chain, "chain_id": chain_id });
                let fields = Fields::new()
                    .with("Chain", format!("{} {chain_id}", genesis.chain))
                    .with("Written", output.display());
                Ok(Output::new(&json, fields.text()))
            }
            GenesisCommand::Local(command) => command.run(),
        }
    }
}

/// The genesis of `chain_id` from the node of `client`: a false one has another digest.
pub(super) async fn genuine(client: &Client, chain_id: ChainId) -> Result<Document, CliError> {
    let genesis = client.genesis().await?;
    let got = soma_ceremony::chain_id(&genesis);
    match got == chain_id {
        true => Ok(genesis),
        false => Err(CliError::Invalid(format!(
            "the genesis of {} is that of chain {got}, not of {chain_id}",
            client.rpc_url()
        ))),
    }
}
