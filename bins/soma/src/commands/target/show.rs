//! Targets as they are.

use serde_json::json;
use soma_sdk::TargetFilter;
use soma_sdk::api::TargetView;
use soma_sdk::pages::collect;
use soma_sdk::types::TargetId;

use super::List;
use crate::context::Context;
use crate::error::CliError;
use crate::output::{Fields, Output, name_of, table_or};

pub(super) async fn list(context: &Context, list: List) -> Result<Output, CliError> {
    let wallet = context.wallet()?;
    let submitter = list.submitter.map(|who| wallet.address(&who)).transpose()?;
    let status = match (list.claimable, list.status.as_str()) {
        (true, _) => Some("claimable".to_owned()),
        (false, "all") => None,
        (false, status) => Some(status.to_owned()),
    };
    let filter = TargetFilter {
        status,
        epoch: list.epoch,
        submitter,
        with_embedding: false,
    };
    let client = context.client()?;
    let targets = collect(Some(list.limit), async |page| {
        client.targets(&filter, &page).await
    });
    let targets = targets.await?;
    let rows: Vec<_> = targets
        .iter()
        .map(|target| {
            [
                target.id.to_string(),
                target.status.clone(),
                target.epoch.to_string(),
                target.models.len().to_string(),
                target.reward.to_string(),
                format!("{:.6}", target.distance_threshold),
            ]
        })
        .collect();
    let head = ["ID", "STATUS", "EPOCH", "MODELS", "REWARD", "THRESHOLD"];
    let text = table_or(head, &rows, "No targets.");
    Ok(Output::new(&json!({ "targets": targets }), text))
}

pub(super) async fn info(context: &Context, id: TargetId) -> Result<Output, CliError> {
    let target = context.client()?.target(&id, false).await?;
    Ok(Output::new(&target, text(&target)))
}

fn text(target: &TargetView) -> String {
    let mut fields = Fields::new()
        .with("Target", target.id)
        .with("Status", &target.status)
        .with("Epoch", target.epoch)
        .with("Reward", target.reward)
        .with("Threshold", format!("{:.6}", target.distance_threshold));
    for model in &target.models {
        fields = fields.with("Model", model);
    }
    if let Some(fill) = &target.fill {
        fields = fields
            .with("Submitter", fill.submitter)
            .with("Data", &fill.data.url)
            .with("Checksum", fill.data.checksum)
            .with("Size", format!("{} bytes", fill.data.size))
            .with("Distance", format!("{:.6}", fill.distance))
            .with("Loss", format!("{:.6}", fill.loss))
            .with("Winning model", fill.winning_model)
            .with("Bond", fill.bond)
            .with("Filled in epoch", fill.epoch)
            .with("Claimable from epoch", fill.claimable_from);
    }
    if let Some(payout) = &target.payout {
        fields = fields
            .with("Claimed by", payout.claimer)
            .with("Paid to submitter", payout.submitter)
            .with("Paid to model", payout.model);
    }
    for report in &target.reports {
        let report = format!("{} ({})", report.validator, name_of(&report.reason));
        fields = fields.with("Reported by", report);
    }
    fields
        .maybe("Challenged by", target.challenge.map(|c| c.challenger))
        .maybe("Fraud proven in epoch", target.fraud_epoch)
        .maybe("Void in epoch", target.void_epoch)
        .text()
}
