//! The commands, one file for each group.

pub mod balance;
pub mod completions;
pub mod demo;
pub mod doctor;
pub mod earnings;
pub mod env;
pub mod faucet;
pub mod genesis;
pub mod model;
pub mod network;
mod node_file;
pub mod objects;
mod published;
pub mod score;
pub mod send;
pub mod stake;
pub mod start;
pub mod status;
pub mod submit;
pub mod target;
pub mod train;
pub mod tx;
pub mod validator;
pub mod wallet;

use serde_json::json;

use crate::arguments::Command;
use crate::context::Context;
use crate::error::CliError;
use crate::output::Output;

/// Does what the command says.
///
/// # Errors
/// [`CliError`].
pub async fn run(context: Context, command: Command) -> Result<Output, CliError> {
    if warns(&command) {
        model::warn(&context).await;
    }
    match command {
        Command::Balance(command) => command.run(&context).await,
        Command::Earnings(command) => command.run(&context).await,
        Command::Send(command) => command.run(&context).await,
        Command::Pay(command) => command.run(&context).await,
        Command::Stake(command) => command.run(&context).await,
        Command::Unstake(command) => command.run(&context).await,
        Command::Faucet(command) => command.run(&context).await,
        Command::MergeCoins => Ok(Output::new(
            &json!({ "merged": 0 }),
            "Nothing to merge: an account's balance is one coin.",
        )),
        Command::Status => status::run(&context).await,
        Command::Objects(command) => command.run(&context).await,
        Command::Tx(command) => command.run(&context).await,
        Command::Wallet(command) => command.run(&context),
        Command::Env(command) => command.run(&context).await,
        Command::Model(command) => command.run(&context).await,
        Command::Target(command) => command.run(&context).await,
        Command::Submit(command) => command.run(&context).await,
        Command::Validator(command) => command.run(&context).await,
        Command::Genesis(command) => command.run(&context).await,
        Command::Network(command) => command.run(&context).await,
        Command::Score(command) => command.run(&context).await,
        Command::Doctor(command) => command.run(&context).await,
        Command::Train(command) => command.run(&context).await,
        Command::Demo(command) => command.run(&context).await,
        Command::Start(command) => command.run(&context).await,
        Command::Completions(command) => command.run(),
    }
}

/// True for commands before which reveals that are due are said. The others say it themselves, are
/// what reveals, or have nothing to do with the network that is used.
fn warns(command: &Command) -> bool {
    use model::ModelCommand::{Publish, Reveal, Update};
    match command {
        Command::Status
        | Command::Demo(_)
        | Command::Genesis(_)
        | Command::Start(_)
        | Command::Completions(_) => false,
        Command::Model(command) => {
            !matches!(command.command, Publish(_) | Reveal { .. } | Update(_))
        }
        _ => true,
    }
}
