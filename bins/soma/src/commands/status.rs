//! `soma status`.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use soma_sdk::SdkError;
use soma_sdk::api::Status;

use super::model::due;
use crate::context::Context;
use crate::error::CliError;
use crate::output::{Fields, Output, duration};

/// Shows the node, the epoch and the active account. A node that cannot be reached is an answer
/// too, so this fails only for bad settings.
pub(super) async fn run(context: &Context) -> Result<Output, CliError> {
    let config = context.config()?;
    let env = context.env()?;
    let client = context.client()?;
    let fields = Fields::new()
        .with("Environment", &env.name)
        .with("RPC", client.rpc_url());
    let mut json = json!({
        "env": env.name,
        "rpc_url": client.rpc_url(),
        "active_address": config.active_address,
    });
    let status = match client.status().await {
        Ok(status) => status,
        Err(error) => return Ok(unreachable(json, fields, &error)),
    };
    let mut fields = of_node(&mut json, fields, &status);
    let due = due(context, &client, status.chain_id).await;
    let left = json["next_epoch_in_ms"].as_u64().unwrap_or_default();
    for due in &due {
        context.say(&due.warning(status.epoch, left));
    }
    json["reveals_due"] = serde_json::to_value(&due).unwrap_or_default();
    if let Some(address) = config.active_address {
        let balance = client.balance(&address).await?.balance;
        json["balance"] = balance.0.into();
        fields = fields.with("Address", address).with("Balance", balance);
    }
    Ok(Output::new(&json, fields.text()))
}

fn unreachable(mut json: Value, fields: Fields, error: &SdkError) -> Output {
    json["server_reachable"] = false.into();
    json["error"] = error.to_string().into();
    Output::new(
        &json,
        fields.with("Reachable", format!("no: {error}")).text(),
    )
}

fn of_node(json: &mut Value, fields: Fields, status: &Status) -> Fields {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = since_1970.map_or(0, |time| {
        u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
    });
    let left = status.epoch_end_ms.saturating_sub(now);
    json["server_reachable"] = true.into();
    if let (Value::Object(all), Ok(Value::Object(node))) =
        (&mut *json, serde_json::to_value(status))
    {
        all.extend(node);
    }
    json["epoch_duration_ms"] = status
        .epoch_end_ms
        .saturating_sub(status.epoch_start_ms)
        .into();
    json["next_epoch_in_ms"] = left.into();
    fields
        .with("Reachable", "yes")
        .with("Chain", format!("{} {}", status.chain, status.chain_id))
        .with("Server", &status.server_version)
        .with("Block", status.height)
        .with("Epoch", status.epoch)
        .with("Next epoch in", duration(left))
        .with("Protocol version", status.protocol_version)
        .with("Activity", &status.activity)
}
