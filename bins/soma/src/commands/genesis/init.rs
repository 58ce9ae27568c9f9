//! `soma genesis init`: what the coordinator decides.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use soma_ceremony::{Ceremony, Draft, Soma};
use soma_sdk::types::genesis::ChainName;
use soma_sdk::types::{Address, Shannons};

use crate::commands::status::now_ms;
use crate::error::CliError;
use crate::output::{Fields, Output};

/// Begin a ceremony: name, time, parameters and accounts of a chain
#[derive(Clone, Debug, Args)]
pub struct Init {
    /// Name of the chain
    #[arg(value_name = "CHAIN")]
    pub chain: ChainName,
    /// Start of epoch 0, in milliseconds since 1970; default now
    #[arg(long, value_name = "MS")]
    pub time_ms: Option<u64>,
    /// Protocol version at the start
    #[arg(long, value_name = "VERSION", default_value_t = 1)]
    pub protocol_version: u64,
    /// Length of an epoch in milliseconds; default 24 hours
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..))]
    pub epoch_duration_ms: Option<u64>,
    /// Released at the end of each epoch, in SOMA; default 1370
    #[arg(long, value_name = "AMOUNT")]
    pub emission: Option<Shannons>,
    /// Let epochs be ended before their time; for tests
    #[arg(long)]
    pub allow_forced_epochs: bool,
    /// A parameter that differs from the protocol version's; may be given again
    #[arg(long, value_name = "NAME=VALUE", value_parser = parameter)]
    pub parameter: Vec<(String, u64)>,
    /// A funded account and what it holds, in SOMA; may be given again
    #[arg(long, value_name = "ADDRESS=AMOUNT", value_parser = account)]
    pub account: Vec<(Address, Shannons)>,
    /// A file of funded accounts: an address and an amount in SOMA in each line
    #[arg(long, value_name = "FILE")]
    pub accounts: Option<PathBuf>,
}

fn parameter(text: &str) -> Result<(String, u64), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    let value = value.trim().replace('_', "").parse();
    let value = value.map_err(|_| format!("the value of `{name}` is no whole number"))?;
    Ok((name.trim().to_owned(), value))
}

fn account(text: &str) -> Result<(Address, Shannons), String> {
    let (address, amount) = text.split_once('=').ok_or("write ADDRESS=AMOUNT")?;
    pair(address, amount)
}

fn pair(address: &str, amount: &str) -> Result<(Address, Shannons), String> {
    let address = address.trim().parse();
    let address = address.map_err(|error: soma_sdk::types::id::ParseIdError| error.to_string())?;
    let amount = amount.trim().parse();
    let amount = amount.map_err(|error: soma_sdk::types::money::AmountError| error.to_string())?;
    Ok((address, amount))
}

impl Init {
    pub(super) fn run(self, folder: &Path) -> Result<Output, CliError> {
        let mut draft = Draft::new(self.chain.clone(), self.time_ms.unwrap_or_else(now_ms));
        draft.protocol_version = self.protocol_version;
        draft.allow_forced_epochs = self.allow_forced_epochs;
        if let Some(emission) = self.emission {
            draft.emission_per_epoch = Soma(emission);
        }
        draft.parameters = self.parameter.iter().cloned().collect();
        if let Some(duration) = self.epoch_duration_ms {
            let name = "epoch_duration_ms".to_owned();
            draft.parameters.insert(name, duration);
        }
        draft.accounts = self.all_accounts()?;
        let ceremony = Ceremony::begin(folder, draft)?;
        let draft = ceremony.draft();
        let fields = Fields::new()
            .with("Chain", &draft.chain)
            .with("Accounts", draft.accounts.len())
            .with("Written", folder.join("ceremony.toml").display())
            .with(
                "Next",
                format!(
                    "each validator runs `soma validator make-info HOST --genesis {}`; list what \
                     they give you with `soma genesis add-validator FILE`",
                    draft.chain
                ),
            );
        let accounts = draft.accounts.iter();
        let accounts: BTreeMap<_, _> = accounts.map(|(who, Soma(amount))| (who, amount)).collect();
        let json = json!({
            "chain": draft.chain,
            "time_ms": draft.time_ms,
            "protocol_version": draft.protocol_version,
            "emission_per_epoch": draft.emission_per_epoch.0,
            "allow_forced_epochs": draft.allow_forced_epochs,
            "parameters": draft.parameters,
            "accounts": accounts,
        });
        Ok(Output::new(&json, fields.text()))
    }

    fn all_accounts(&self) -> Result<BTreeMap<Address, Soma>, CliError> {
        let mut all = self.account.clone();
        if let Some(path) = &self.accounts {
            let text = std::fs::read_to_string(path).map_err(CliError::file(path))?;
            for (number, line) in (1..).zip(text.lines()) {
                let line = line.split('#').next().unwrap_or_default().trim();
                let mut words = line.split_whitespace();
                let parsed = match (words.next(), words.next(), words.next()) {
                    (None, ..) => continue,
                    (Some(address), Some(amount), None) => pair(address, amount),
                    _ => Err("write an address and an amount".to_owned()),
                };
                all.push(parsed.map_err(|reason| CliError::File {
                    path: path.clone(),
                    reason: format!("line {number}: {reason}"),
                })?);
            }
        }
        let mut accounts = BTreeMap::new();
        for (address, amount) in all {
            if accounts.insert(address, Soma(amount)).is_some() {
                let text = format!("account {address} is given twice");
                return Err(CliError::Usage(text));
            }
        }
        Ok(accounts)
    }
}
