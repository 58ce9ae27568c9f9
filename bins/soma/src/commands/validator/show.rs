//! Validators as people see them.

use serde_json::json;
use soma_sdk::Client;
use soma_sdk::api::{MetadataChangesView, ValidatorView};
use soma_sdk::pages::collect;
use soma_sdk::types::Address;

use crate::error::CliError;
use crate::output::{Fields, Output, percent, table_or};

pub(super) async fn list(client: &Client) -> Result<Output, CliError> {
    let validators = all(client).await?;
    let text = table_or(
        ["ADDRESS", "STATUS", "POWER", "STAKE", "COMMISSION", "NAME"],
        &rows(&validators),
        "No validators.",
    );
    Ok(Output::new(&json!({ "validators": validators }), text))
}

/// All validators, also pending and former ones.
pub(super) async fn all(client: &Client) -> Result<Vec<ValidatorView>, CliError> {
    Ok(collect(None, async |page| client.validators(&page).await).await?)
}

fn rows(validators: &[ValidatorView]) -> Vec<[String; 6]> {
    validators
        .iter()
        .map(|validator| {
            [
                validator.address.to_string(),
                status(validator),
                validator.voting_power.to_string(),
                validator.stake.to_string(),
                percent(validator.commission_bps),
                validator.metadata.name.clone(),
            ]
        })
        .collect()
}

/// The status, with a warning where the validator is about to be removed.
fn status(validator: &ValidatorView) -> String {
    match validator.low_stake_epochs {
        0 => validator.status.clone(),
        _ => format!("{}, low stake", validator.status),
    }
}

pub(super) async fn display(client: &Client, address: Address) -> Result<Output, CliError> {
    let validator = client.validator(&address).await?;
    let metadata = &validator.metadata;
    let status = match validator.status_epoch {
        Some(epoch) => format!("{} since epoch {epoch}", validator.status),
        None => validator.status.clone(),
    };
    let mut fields = Fields::new()
        .with("Validator", validator.address)
        .with("Name", &metadata.name)
        .with("Status", status)
        .with(
            "Voting power",
            format!("{} of 10000", validator.voting_power),
        )
        .with("Stake", validator.stake)
        .with("Commission", percent(validator.commission_bps))
        .with("Consensus key", metadata.consensus_key)
        .with("P2P address", &metadata.p2p_address)
        .with("RPC address", &metadata.rpc_address)
        .with("Proxy address", &metadata.proxy_address)
        .with("Announced version", validator.announced_version);
    if validator.low_stake_epochs > 0 {
        let epochs = validator.low_stake_epochs;
        fields = fields.with("At risk", format!("too little stake for {epochs} epochs"));
    }
    if validator.misbehaved {
        fields = fields.with("Misbehaved", "in this epoch: it is not paid for it");
    }
    for report in &validator.reports {
        fields = fields.with("Reported by", report.validator);
    }
    if validator.next_commission_bps != validator.commission_bps {
        let next = percent(validator.next_commission_bps);
        fields = fields.with("Next epoch: commission", next);
    }
    if let Some(next) = &validator.next_metadata {
        fields = staged(fields, next);
    }
    Ok(Output::new(&validator, fields.text()))
}

fn staged(fields: Fields, next: &MetadataChangesView) -> Fields {
    fields
        .maybe("Next epoch: name", next.name.as_ref())
        .maybe("Next epoch: consensus key", next.consensus_key)
        .maybe("Next epoch: P2P address", next.p2p_address.as_ref())
        .maybe("Next epoch: RPC address", next.rpc_address.as_ref())
        .maybe("Next epoch: proxy address", next.proxy_address.as_ref())
}
