//! Arguments that all commands share, and the tree of commands.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use soma_crypto::keystore::KeyIdentity;

use crate::commands::{
    balance, completions, demo, doctor, earnings, env, faucet, genesis, model, network, objects,
    score, send, stake, start, submit, target, train, tx, validator, wallet,
};

/// Work with the SOMA network: money, stake, models, targets, and a network of your own.
#[derive(Debug, Parser)]
#[command(
    name = "soma",
    version,
    propagate_version = true,
    disable_help_subcommand = true
)]
pub struct Cli {
    /// Options of all commands.
    #[command(flatten)]
    pub options: GlobalOptions,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of all commands, at any place in the line.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Global options")]
pub struct GlobalOptions {
    /// Print JSON; amounts are shannons
    #[arg(long, global = true)]
    pub json: bool,
    /// Use this environment instead of the active one
    #[arg(long = "env", alias = "client.env", global = true, value_name = "NAME")]
    pub env: Option<String>,
    /// Use this node instead of the environment's
    #[arg(long, global = true, value_name = "URL")]
    pub rpc_url: Option<String>,
    /// Settings file; default `client.toml` in $SOMA_CONFIG_DIR or ~/.soma
    #[arg(long = "client.config", global = true, value_name = "FILE")]
    pub client_config: Option<PathBuf>,
    /// Read the wallet's password from this file (mode 0600, one line); default $SOMA_PASSWORD, then a prompt
    #[arg(long, global = true, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// Do not ask for confirmation
    #[arg(long, short = 'y', global = true)]
    pub yes: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the balance of an address
    Balance(balance::Balance),
    /// Show what an address earned and lost
    ///
    /// Rewards and slashes of a pool are listed for the owner of the model or the validator, and are
    /// of all who stake there. What a stake of your own has become shows `soma objects list`.
    Earnings(earnings::Earnings),
    /// Send SOMA to an address
    #[command(visible_alias = "transfer")]
    Send(send::Send),
    /// Send SOMA to many addresses, all or none
    Pay(send::Pay),
    /// Stake with a validator or a model
    Stake(stake::Stake),
    /// Withdraw a stake position
    Unstake(stake::Unstake),
    /// Ask the faucet for SOMA
    Faucet(faucet::Faucet),
    /// Nothing to do: an account's balance is one coin already
    MergeCoins,
    /// Show the node, the epoch and the active account
    Status,
    /// Show objects by id or owner
    Objects(objects::Objects),
    /// Show transactions, and send prepared ones
    Tx(tx::Tx),
    /// Manage keys
    Wallet(wallet::Wallet),
    /// Manage environments: the networks that this client knows
    Env(env::Env),
    /// Show models, and manage your own
    Model(model::Model),
    /// Show targets, submit data, claim rewards
    Target(target::Target),
    /// Find data that hits targets, submit it, claim the rewards
    Submit(submit::Submit),
    /// Show validators, and act as one
    Validator(validator::Validator),
    /// Begin a chain: agree on its genesis with others, or write a network for this machine
    Genesis(Box<genesis::Genesis>),
    /// Show the network: parameters, supply, validators
    Network(network::Network),
    /// Score files with models: loss, bits per byte, distance
    Score(score::Score),
    /// Check device, memory, disk, clock and services, and say how to fix what fails
    Doctor(doctor::Doctor),
    /// Train weights on your data, from scratch, from a file or from a model of the network
    Train(Box<train::Train>),
    /// Play the whole game on this machine: train on real files, publish, submit, cheat, audit, claim
    Demo(Box<demo::Demo>),
    /// Run a network or a service on this machine
    Start(start::Start),
    /// Print a completion script for a shell
    Completions(completions::Completions),
}

/// Defines the arguments for one value that has a place of its own and, as other documents write
/// it, also a flag.
macro_rules! either {
    ($(#[$doc:meta])* $name:ident, $kind:ty, $value:literal, $flag:literal, required) => {
        $(#[$doc])*
        #[derive(Clone, Debug, clap::Args)]
        #[group(required = true, multiple = false)]
        pub struct $name {
            $(#[$doc])*
            #[arg(value_name = $value)]
            place: Option<$kind>,
            #[arg(long = $flag, value_name = $value, hide = true)]
            flag: Option<$kind>,
        }

        impl $name {
            /// The value.
            ///
            /// # Errors
            /// None was given.
            pub fn value(&self) -> Result<$kind, crate::error::CliError> {
                let value = self.place.clone().or_else(|| self.flag.clone());
                value.ok_or_else(|| crate::error::CliError::Usage(concat!($value, " is missing").to_owned()))
            }
        }
    };
    ($(#[$doc:meta])* $name:ident, $kind:ty, $value:literal, $flag:literal, optional) => {
        $(#[$doc])*
        #[derive(Clone, Debug, clap::Args)]
        #[group(multiple = false)]
        pub struct $name {
            $(#[$doc])*
            #[arg(value_name = $value)]
            place: Option<$kind>,
            #[arg(long = $flag, value_name = $value, hide = true)]
            flag: Option<$kind>,
        }

        impl $name {
            /// The value, when one was given.
            pub fn value(&self) -> Option<$kind> {
                self.place.clone().or_else(|| self.flag.clone())
            }
        }
    };
}
pub(crate) use either;

either!(
    /// Address or alias; default the active account. Also `--address`
    OptionalAddress, KeyIdentity, "ADDRESS", "address", optional
);
either!(
    /// Address or alias. Also `--address`
    RequiredAddress, KeyIdentity, "ADDRESS", "address", required
);

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_tree_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn global_options_stand_anywhere() {
        for line in [
            "soma --json wallet list",
            "soma wallet --json list",
            "soma wallet list --json",
        ] {
            let cli = Cli::try_parse_from(line.split(' ')).unwrap();
            assert!(cli.options.json, "{line}");
        }
    }

    #[test]
    fn both_spellings_are_read() {
        let a = "0x0101010101010101010101010101010101010101010101010101010101010101";
        for line in [
            format!("soma balance {a}"),
            format!("soma balance --address {a}"),
            format!("soma send 1.5 --to {a}"),
            format!("soma send --amount 1.5 --to {a}"),
            format!("soma transfer 1.5 --to {a}"),
            format!("soma pay --recipients {a} bob --amounts 1,2"),
            format!("soma pay --recipients {a},bob --amounts 1 2"),
            format!("soma stake 1 --validator {a}"),
            format!("soma stake --amount 1 --model {a}"),
            format!("soma unstake {a}"),
            format!("soma unstake --staked-soma-id {a}"),
            format!("soma objects get --id {a}"),
            format!("soma objects list --owner {a} --type coin"),
            format!("soma tx {a}"),
            format!("soma tx info {a}"),
            format!("soma tx info --digest {a}"),
            "soma wallet switch bob".to_owned(),
            "soma wallet switch --address bob".to_owned(),
            "soma env new test --rpc http://a".to_owned(),
            "soma env new --alias test --rpc http://a".to_owned(),
            format!("soma model info --model-id {a}"),
            format!("soma model list --owner {a}"),
            "soma model create --stake 1 --commission-rate 5".to_owned(),
            format!("soma model set-commission-rate {a} --rate 5"),
            format!("soma target info --target-id {a}"),
            format!("soma target claim {a}"),
            "soma target list --claimable".to_owned(),
            "soma validator set-commission-rate --rate 5".to_owned(),
            format!("soma validator report-validator {a} --undo-report"),
            format!("soma validator undo-report --reportee {a}"),
            format!("soma validator report {a} --undo-report"),
            "soma validator make-validator-info 10.0.0.2".to_owned(),
            "soma validator make-info node.example.org 300 --genesis testnet --account=bob".to_owned(),
            "soma validator make-info ::1 --account --chain-id 0x0101010101010101010101010101010101010101010101010101010101010101".to_owned(),
            "soma validator join-committee validator.info".to_owned(),
            "soma validator join --stake 20000".to_owned(),
            "soma validator leave-committee".to_owned(),
            format!("soma validator display-metadata {a}"),
            "soma validator update-metadata primary-address /ip4/10.0.0.2/tcp/1".to_owned(),
            "soma validator update-metadata protocol-pub-key new.key".to_owned(),
            "soma validator announce-version 2 --force".to_owned(),
            format!("soma genesis --path dir init testnet --account {a}=1.5 --parameter base_fee=1"),
            "soma genesis ceremony --path dir build-unsigned-checkpoint".to_owned(),
            "soma genesis verify-and-sign --key-file consensus.key --path dir".to_owned(),
            "soma genesis inspect genesis.json".to_owned(),
            format!("soma send 1 --to {a} --serialize-unsigned"),
            format!("soma send 1 --to {a} --serialize-unsigned-transaction"),
            "soma completions --shell bash".to_owned(),
            "soma start localnet --with-faucet=127.0.0.1:5000".to_owned(),
            "soma network --dump-addresses".to_owned(),
        ] {
            let parsed = Cli::try_parse_from(line.split(' '));
            assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
        }
    }

    #[test]
    fn what_is_ambiguous_or_missing_is_refused() {
        for line in [
            "soma send 1 --amount 2 --to bob",
            "soma send --to bob",
            "soma send 1",
            "soma send x --to bob",
            "soma stake 1 --validator bob --model bob",
            "soma stake 1",
            "soma unstake",
            "soma balance bob --address bob",
            "soma send 1 --to bob --serialize-unsigned --serialize-signed",
            "soma model info 0x12",
            "soma model create --commission-rate 10001",
            "soma start localnet --no-faucet --faucet-port 1",
            "soma validator make-info host 10001",
            "soma validator make-info host --genesis a --chain-id 0x0101010101010101010101010101010101010101010101010101010101010101",
            "soma genesis init",
            "soma genesis init testnet --account bob=1",
            "soma genesis init testnet --parameter base_fee",
            "soma nonsense",
        ] {
            assert!(Cli::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }
}
