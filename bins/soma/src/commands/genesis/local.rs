//! `soma genesis local`: a network for this machine whose nodes are started one by one.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};
use soma_ceremony::{Summary, genesis_json};
use soma_crypto::key_file;
use soma_node::NodeConfig;
use soma_node::localnet::{LocalnetConfig, LocalnetKeys, localnet_genesis};
use soma_sdk::SecretKey;
use soma_sdk::types::Genesis;

use super::view;
use crate::commands::node_file;
use crate::error::CliError;
use crate::output::Output;

/// Write a network for this machine: genesis, and for each validator keys and settings
#[derive(Clone, Debug, Args)]
pub struct Local {
    /// A new folder
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Validators, with the same stake each
    #[arg(long, alias = "committee-size", value_name = "COUNT", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=16))]
    pub validators: u8,
    /// Funded accounts to make keys for, with 300000 SOMA each
    #[arg(long, value_name = "COUNT", default_value_t = 2, value_parser = clap::value_parser!(u8).range(..=8))]
    pub accounts: u8,
    /// Length of an epoch in milliseconds; default 24 hours
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..))]
    pub epoch_duration_ms: Option<u64>,
    /// Use the dimension of the small model
    #[arg(long)]
    pub small_model: bool,
    /// Port of the first validator for the others; each takes the next
    #[arg(long, value_name = "PORT", default_value_t = 8_084, value_parser = clap::value_parser!(u16).range(1..=65_000))]
    pub p2p_port: u16,
    /// Port of the first validator's API; each takes the next
    #[arg(long, value_name = "PORT", default_value_t = 9_000, value_parser = clap::value_parser!(u16).range(1..=65_000))]
    pub rpc_port: u16,
}

impl Local {
    pub(super) fn run(self) -> Result<Output, CliError> {
        let dir = std::path::absolute(&self.dir).map_err(CliError::file(&self.dir))?;
        if dir.join("genesis.json").exists() {
            return Err(CliError::File {
                path: dir,
                reason: "there is a network already; take a new folder".to_owned(),
            });
        }
        let config = LocalnetConfig {
            epoch_duration_ms: self.epoch_duration_ms,
            small_model: self.small_model,
            ..LocalnetConfig::default()
        };
        let count = usize::from(self.validators);
        let keys = LocalnetKeys::generate(count, self.accounts.into());
        let mut genesis = localnet_genesis(&config, &keys);
        let addresses: Vec<String> = (0..u16::from(self.validators))
            .map(|index| format!("/ip4/127.0.0.1/tcp/{}", self.p2p_port + index))
            .collect();
        name_addresses(&mut genesis, &keys, &addresses)?;
        let summary = Summary::of(&genesis)?;
        let mut nodes = Vec::new();
        for (index, account) in (0..).zip(&keys.validators) {
            let folder = dir.join((index + 1).to_string());
            let config = self.node(&folder, index, &addresses);
            nodes.push(write_node(&folder, &config, &account.secret_key)?);
        }
        let others = keys.accounts.iter().map(|account| &account.secret_key);
        let accounts = write_accounts(&dir, others, &keys.faucet.secret_key)?;
        let path = dir.join("genesis.json");
        let text = genesis_json(&genesis).unwrap_or_default();
        std::fs::write(&path, text).map_err(CliError::file(&path))?;
        Ok(output(&summary, &nodes, &accounts, self.rpc_port))
    }

    fn node(&self, folder: &Path, index: u16, addresses: &[String]) -> NodeConfig {
        let mut config = NodeConfig {
            data_dir: Some(folder.to_owned()),
            genesis: folder.parent().map(|dir| dir.join("genesis.json")),
            ..NodeConfig::default()
        };
        node_file::only_this_machine(&mut config);
        config.validator.account_key = Some(folder.join("account.key"));
        config.rpc.address = SocketAddr::from(([127, 0, 0, 1], self.rpc_port + index));
        let place = usize::from(index);
        let others = addresses.iter().enumerate();
        let others = others.filter(|(other, _)| *other != place);
        config.consensus.name = format!("node-{}", index + 1);
        config.consensus.listen = addresses.get(place).cloned().unwrap_or_default();
        config.consensus.persistent_peers = others.map(|(_, address)| address.clone()).collect();
        config
    }
}

/// The genesis says where the validators of this network are.
fn name_addresses(
    genesis: &mut Genesis,
    keys: &LocalnetKeys,
    addresses: &[String],
) -> Result<(), CliError> {
    for (account, address) in keys.validators.iter().zip(addresses) {
        let mut validators = genesis.validators.iter_mut();
        if let Some(listed) = validators.find(|listed| listed.address == account.address) {
            let address = address.parse();
            listed.metadata.p2p_address =
                address.map_err(|error: soma_sdk::types::bounded::TextError| {
                    CliError::Invalid(error.to_string())
                })?;
        }
    }
    Ok(())
}

fn write_node(folder: &Path, config: &NodeConfig, key: &SecretKey) -> Result<PathBuf, CliError> {
    std::fs::create_dir_all(folder).map_err(CliError::file(folder))?;
    key_file::create(&folder.join("account.key"), key)?;
    let path = folder.join("node.toml");
    node_file::write(&path, config)?;
    Ok(path)
}

fn write_accounts<'a>(
    dir: &Path,
    accounts: impl Iterator<Item = &'a SecretKey>,
    faucet: &SecretKey,
) -> Result<Vec<PathBuf>, CliError> {
    let folder = dir.join("accounts");
    std::fs::create_dir_all(&folder).map_err(CliError::file(&folder))?;
    let mut paths = Vec::new();
    for (number, key) in (1..).zip(accounts) {
        let path = folder.join(format!("{number}.key"));
        key_file::create(&path, key)?;
        paths.push(path);
    }
    key_file::create(&folder.join("faucet.key"), faucet)?;
    Ok(paths)
}

fn output(summary: &Summary, nodes: &[PathBuf], accounts: &[PathBuf], rpc_port: u16) -> Output {
    let mut output = view::summary(summary);
    let paths = |paths: &[PathBuf]| -> Value { json!(paths) };
    output.json["nodes"] = paths(nodes);
    output.json["accounts"] = paths(accounts);
    output.json["rpc_url"] = format!("http://127.0.0.1:{rpc_port}").into();
    output
        .text
        .push_str("Next, each in a terminal of its own:\n");
    for node in nodes {
        let line = format!("  soma start validator --config {}\n", node.display());
        output.text.push_str(&line);
    }
    let line = format!("  soma env new mine --rpc http://127.0.0.1:{rpc_port}\n");
    output.text.push_str(&line);
    if let Some(account) = accounts.first() {
        let line = format!("  soma wallet import - < {}\n", account.display());
        output.text.push_str(&line);
    }
    output
}
