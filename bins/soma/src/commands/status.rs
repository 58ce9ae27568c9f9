//! `soma status`.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use soma_sdk::SdkError;
use soma_sdk::api::{ConsensusStatus, Status};

use super::model::{due, known};
use crate::context::Context;
use crate::error::CliError;
use crate::output::{Fields, Output, duration};

/// By default blocks come at least every ten seconds, also when nothing happens: with none for this
/// long, the node is behind or the chain stands still.
const LATE_MS: u64 = 30_000;

/// Milliseconds since 1970 by this machine's clock.
pub(super) fn now_ms() -> u64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
    since_1970.map_or(0, |time| {
        u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
    })
}

/// That blocks do not come, in a sentence; none while they do.
pub(super) fn standstill(status: &Status, now_ms: u64) -> Option<String> {
    let age = now_ms.saturating_sub(status.time_ms);
    let though = match status.mempool.ready {
        0 => String::new(),
        1 => " though 1 transaction waits".to_owned(),
        count => format!(" though {count} transactions wait"),
    };
    (age >= LATE_MS).then(|| {
        let age = duration(age);
        format!("no block for {age}{though}; validators may be missing, or this node catches up")
    })
}

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
        Err(error) => {
            // They may be due all the same.
            let due = known(context);
            for due in due.iter().filter(|due| !due.in_progress) {
                context.say(&due.warning_without_node());
            }
            json["reveals_due"] = serde_json::to_value(&due).unwrap_or_default();
            return Ok(unreachable(json, fields, &error));
        }
    };
    let mut fields = of_node(&mut json, fields, &status, now_ms());
    let due = due(context, &client, &status).await;
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

fn of_node(json: &mut Value, fields: Fields, status: &Status, now: u64) -> Fields {
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
    let age = now.saturating_sub(status.time_ms);
    let late = standstill(status, now);
    json["last_block_age_ms"] = (status.height > 0).then_some(age).into();
    json["caught_up"] = late.is_none().into();
    let last_block = match status.height {
        0 => "none yet".to_owned(),
        _ => format!("{} ago", duration(age)),
    };
    let caught_up = match late {
        None => "yes",
        Some(_) => "no, or the chain stands still",
    };
    // A node that lacks something else says so itself.
    let executes = status.activity.starts_with("executing ");
    let activity = late.filter(|_| executes);
    fields
        .with("Reachable", "yes")
        .with("Chain", format!("{} {}", status.chain, status.chain_id))
        .with("Server", &status.server_version)
        .with("Block", status.height)
        .with("Last block", last_block)
        .with("Caught up", caught_up)
        .with("Peers", status.consensus.peers)
        .with("Votes", votes(&status.consensus))
        .with("Epoch", status.epoch)
        .with("Next epoch in", duration(left))
        .with("Protocol version", status.protocol_version)
        .with("Activity", activity.as_ref().unwrap_or(&status.activity))
}

fn votes(consensus: &ConsensusStatus) -> String {
    match consensus.validator {
        None => "no: it follows, without a validator's key".to_owned(),
        Some(address) if consensus.is_voting => format!("yes, as {address}"),
        Some(address) => format!("no: {address} is not in the committee"),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use soma_sdk::api::MempoolStatus;
    use soma_sdk::types::{Address, ChainId, Digest, Epoch};

    use super::*;

    /// A node whose block of the time 1,000,000 is the newest.
    pub(in crate::commands) fn node(ready: u64) -> Status {
        Status {
            chain: "localnet".to_owned(),
            chain_id: ChainId([1; 32]),
            height: 12,
            digest: Digest([2; 32]),
            time_ms: 1_000_000,
            epoch: Epoch(0),
            epoch_start_ms: 900_000,
            epoch_end_ms: 2_000_000,
            lowest_height: 1,
            protocol_version: 1,
            server_version: "soma-node/0.1.0".to_owned(),
            uptime_ms: 5,
            mempool: MempoolStatus {
                ready,
                ..MempoolStatus::default()
            },
            consensus: ConsensusStatus {
                peers: 3,
                ..ConsensusStatus::default()
            },
            activity: format!("executing {ready} waiting transactions"),
        }
    }

    fn shown(status: &Status, age_ms: u64) -> (Value, String) {
        let mut json = json!({});
        let fields = of_node(&mut json, Fields::new(), status, status.time_ms + age_ms);
        (json, fields.text())
    }

    #[test]
    fn a_node_says_whether_it_caught_up_and_votes() {
        let mut status = node(1);
        let (json, text) = shown(&status, 12_000);
        assert_eq!(json["caught_up"], true);
        assert_eq!(json["last_block_age_ms"], 12_000);
        for line in [
            "Last block: 12 s ago",
            "Caught up: yes",
            "Peers: 3",
            "Votes: no: it follows, without a validator's key",
            "Activity: executing 1 waiting transactions",
        ] {
            assert!(text.contains(line), "{text}");
        }
        let address = Address([7; 32]);
        status.consensus.validator = Some(address);
        let (_, text) = shown(&status, 0);
        let line = format!("Votes: no: {address} is not in the committee");
        assert!(text.contains(&line), "{text}");
        status.consensus.is_voting = true;
        let (_, text) = shown(&status, 0);
        assert!(
            text.contains(&format!("Votes: yes, as {address}")),
            "{text}"
        );
    }

    #[test]
    fn a_chain_that_stands_still_is_not_said_to_execute() {
        let mut status = node(1);
        let (json, text) = shown(&status, 50_000);
        assert_eq!(json["caught_up"], false);
        for line in [
            "Last block: 50 s ago",
            "Caught up: no, or the chain stands still",
            "Activity: no block for 50 s though 1 transaction waits; validators may be missing",
        ] {
            assert!(text.contains(line), "{text}");
        }
        // What the node lacks is worth more.
        status.activity = "the block is pruned".to_owned();
        let (_, text) = shown(&status, 50_000);
        assert!(text.contains("Activity: the block is pruned"), "{text}");
    }
}
