//! `soma target claim-all`.

use clap::Args;
use serde_json::json;
use soma_crypto::keystore::KeyIdentity;
use soma_sdk::workflows::{ClaimReport, ClaimWhich};

use crate::context::Context;
use crate::error::CliError;
use crate::output::{Output, signed_soma, table_or};

/// Claim every target of yours whose audit is over
#[derive(Clone, Debug, Args)]
pub struct ClaimAll {
    /// Also targets that a model of yours won: its half is paid whoever claims
    #[arg(long)]
    pub won: bool,
    /// All targets that can be claimed, for the claimer's share
    #[arg(long, conflicts_with = "won")]
    pub everybodys: bool,
    /// Act as this account; default the active one
    #[arg(long, value_name = "ADDRESS")]
    pub sender: Option<KeyIdentity>,
}

impl ClaimAll {
    pub(super) async fn run(self, context: &Context) -> Result<Output, CliError> {
        let which = match (self.won, self.everybodys) {
            (_, true) => ClaimWhich::Everybodys,
            (true, false) => ClaimWhich::Own,
            (false, false) => ClaimWhich::Submitted,
        };
        let sender = context.address(self.sender.as_ref())?;
        let account = context.client()?.account(context.secret_key(sender)?);
        let mut report = account.claim_all(which).await?;
        let received = i64::try_from(report.received(&sender)).unwrap_or(i64::MAX);
        let output = output(&report, received);
        match report.failed.is_empty() {
            true => Ok(output),
            // What was claimed is claimed; the first failure says what to do.
            false => {
                context.say(&output.text);
                Err(report.failed.swap_remove(0).error.into())
            }
        }
    }
}

fn output(report: &ClaimReport, received: i64) -> Output {
    let claimed: Vec<_> = report
        .claimed
        .iter()
        .map(|(target, receipt)| json!({ "target_id": target, "digest": receipt.transaction }))
        .collect();
    let failed: Vec<_> = report
        .failed
        .iter()
        .map(|failed| {
            json!({
                "target_id": failed.target,
                "code": failed.error.name(),
                "message": failed.error.to_string(),
            })
        })
        .collect();
    let rows: Vec<_> = report
        .claimed
        .iter()
        .map(|(target, receipt)| [target.to_string(), receipt.transaction.to_string()])
        .collect();
    let mut text = table_or(["TARGET", "TRANSACTION"], &rows, "Nothing to claim.");
    if !rows.is_empty() {
        text.push_str(&format!("Received: {}\n", signed_soma(received)));
    }
    let json = json!({
        "claimed": claimed,
        "failed": failed,
        "received": received,
        "fees": report.fees(),
    });
    Output::new(&json, text)
}
