//! Models as they are.

use serde_json::json;
use soma_sdk::api::ModelView;
use soma_sdk::pages::collect;
use soma_sdk::types::{Address, ModelId};
use soma_sdk::{Client, ModelFilter};

use crate::error::CliError;
use crate::output::{Fields, Output, name_of, percent, table_or};

pub(super) async fn list(
    client: &Client,
    owner: Option<Address>,
    status: Option<String>,
) -> Result<Output, CliError> {
    let filter = ModelFilter {
        owner,
        status,
        ..ModelFilter::default()
    };
    let models = collect(None, async |page| client.models(&filter, &page).await).await?;
    let rows: Vec<_> = models
        .iter()
        .map(|model| {
            [
                model.id.to_string(),
                self::status(model),
                model.stake.to_string(),
                percent(model.commission_bps),
                model.owner.to_string(),
            ]
        })
        .collect();
    let head = ["ID", "STATUS", "STAKE", "COMMISSION", "OWNER"];
    let text = table_or(head, &rows, "No models.");
    Ok(Output::new(&json!({ "models": models }), text))
}

pub(super) async fn info(client: &Client, id: ModelId) -> Result<Output, CliError> {
    let model = client.model(&id, false).await?;
    Ok(Output::new(&model, text(&model)))
}

/// The status, and whether it is the last epoch with it.
fn status(model: &ModelView) -> String {
    match model.leaving {
        true => format!("{}, leaving", model.status),
        false => model.status.clone(),
    }
}

fn text(model: &ModelView) -> String {
    let mut fields = Fields::new()
        .with("Model", model.id)
        .with("Status", status(model))
        .with("Owner", model.owner)
        .with("Architecture", model.architecture_version)
        .with("Stake", model.stake)
        .with("Commission", percent(model.commission_bps));
    if model.next_commission_bps != model.commission_bps {
        fields = fields.with("Next commission", percent(model.next_commission_bps));
    }
    if let Some(weights) = &model.weights {
        fields = fields
            .with("Weights", &weights.url)
            .with("Checksum", weights.checksum)
            .with("Size", format!("{} bytes", weights.size));
    }
    if let Some(pending) = &model.pending {
        fields = fields
            .with("Pending weights", &pending.url)
            .with("Reveal in epoch", pending.reveal_epoch);
    }
    for report in &model.reports {
        let report = format!("{} ({})", report.validator, name_of(&report.reason));
        fields = fields.with("Reported by", report);
    }
    fields.text()
}
