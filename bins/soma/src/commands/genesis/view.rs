//! What a genesis gives, as people see it.

use std::path::{Path, PathBuf};

use clap::Args;
use soma_ceremony::{Approvals, Summary, read_genesis};
use soma_sdk::types::{Shannons, Supply};

use crate::error::CliError;
use crate::output::{Fields, Output, duration, percent, table};

/// Show what a genesis gives: accounts, validators, models, parameters, supply, chain id
#[derive(Clone, Debug, Args)]
pub struct Inspect {
    /// The document
    #[arg(value_name = "FILE", default_value = "genesis.json")]
    pub file: PathBuf,
    /// Also check that every validator has signed it, by this file of its ceremony
    #[arg(long, value_name = "FILE")]
    pub signatures: Option<PathBuf>,
}

impl Inspect {
    pub(super) fn run(self) -> Result<Output, CliError> {
        let genesis = read_genesis(&self.file)?;
        let mut output = summary(&Summary::of(&genesis)?);
        if let Some(path) = &self.signatures {
            approvals(path)?.check(&genesis)?;
            output.json["signed"] = true.into();
            output.text.push_str("Signed: by all validators\n");
        }
        Ok(output)
    }
}

/// Reads `signatures.json`.
pub(super) fn approvals(path: &Path) -> Result<Approvals, CliError> {
    let text = std::fs::read_to_string(path).map_err(CliError::file(path))?;
    serde_json::from_str(&text).map_err(|error| CliError::File {
        path: path.to_owned(),
        reason: format!("not the signatures of a genesis: {error}"),
    })
}

/// Released already: what validators and targets are paid from at the end of the first epoch.
fn budget(supply: &Supply) -> Shannons {
    let parts = [
        supply.validator_pot,
        supply.target_pot,
        supply.target_rewards,
    ];
    Shannons::sum(parts).unwrap_or_default()
}

pub(super) fn summary(summary: &Summary) -> Output {
    let supply = &summary.supply;
    let mut fields = Fields::new()
        .with("Chain", &summary.chain)
        .with("Chain id", summary.chain_id)
        .with("State root", summary.state_root)
        .with("Start", format!("{} ms since 1970", summary.time_ms))
        .with("Protocol version", summary.protocol_version)
        .with("Epoch length", duration(summary.epoch_duration_ms))
        .with("Emission per epoch", summary.emission_per_epoch);
    if summary.allow_forced_epochs {
        fields = fields.with("Forced epochs", "allowed");
    }
    for (name, value) in &summary.parameters {
        fields = fields.with("Parameter", format!("{name} = {value}"));
    }
    let accounts = format!("{}, with {}", summary.accounts, supply.circulating);
    fields = fields
        .with("Accounts", accounts)
        .with("Staked", supply.staked)
        .with("For epoch 0", budget(supply))
        .with("Emission pool", supply.emission_pool)
        .with("Total", summary.total)
        .with("Models", summary.models.len());
    let mut text = fields.text();
    let rows: Vec<_> = summary
        .validators
        .iter()
        .map(|validator| {
            [
                validator.address.to_string(),
                validator.voting_power.to_string(),
                validator.stake.to_string(),
                percent(validator.commission_bps.get()),
                validator.p2p_address.clone(),
                validator.name.clone(),
            ]
        })
        .collect();
    let head = [
        "VALIDATOR",
        "POWER",
        "STAKE",
        "COMMISSION",
        "P2P ADDRESS",
        "NAME",
    ];
    text.push_str(&table(head, &rows));
    let rows: Vec<_> = summary
        .models
        .iter()
        .map(|model| {
            [
                model.id.to_string(),
                model.owner.to_string(),
                model.stake.to_string(),
                model.url.clone(),
            ]
        })
        .collect();
    if !rows.is_empty() {
        text.push_str(&table(["MODEL", "OWNER", "STAKE", "WEIGHTS"], &rows));
    }
    Output::new(summary, text)
}
