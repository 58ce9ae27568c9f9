//! `soma target claim-all`.

use clap::Args;
use serde_json::{Value, json};
use soma_crypto::keystore::KeyIdentity;
use soma_sdk::SdkError;
use soma_sdk::workflows::{ClaimReport, ClaimWhich, FailedClaim};

use crate::context::Context;
use crate::error::CliError;
use crate::output::{Output, signed_soma, table};

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
        let report = account.claim_all(which).await?;
        let received = i64::try_from(report.received(&sender)).unwrap_or(i64::MAX);
        result(report, received)
    }
}

/// What was claimed is claimed, whatever failed; the first failure says what to do.
fn result(mut report: ClaimReport, received: i64) -> Result<Output, CliError> {
    let output = output(&report, received);
    let failed = report.failed.len();
    if failed == 0 {
        return Ok(output);
    }
    Err(CliError::ClaimsFailed {
        failed,
        claims: report.claimed.len() + failed,
        source: Box::new(report.failed.swap_remove(0).error),
        output: Box::new(output),
    })
}

fn output(report: &ClaimReport, received: i64) -> Output {
    let claimed: Vec<_> = report
        .claimed
        .iter()
        .map(|(target, receipt)| json!({ "target_id": target, "digest": receipt.transaction }))
        .collect();
    let failed: Vec<_> = report.failed.iter().map(failure).collect();
    let json = json!({
        "claimed": claimed,
        "failed": failed,
        "received": received,
        "fees": report.fees(),
    });
    Output::new(&json, text(report, received))
}

fn failure(failed: &FailedClaim) -> Value {
    let mut shown = json!({
        "target_id": failed.target,
        "code": failed.error.name(),
        "message": failed.error.to_string(),
    });
    // Of one that was sent.
    if let SdkError::TransactionFailed { digest, .. } | SdkError::NotExecuted { digest, .. } =
        &failed.error
    {
        shown["digest"] = json!(digest);
    }
    shown
}

fn text(report: &ClaimReport, received: i64) -> String {
    let mut text = String::new();
    if !report.claimed.is_empty() {
        let rows: Vec<_> = report
            .claimed
            .iter()
            .map(|(target, receipt)| [target.to_string(), receipt.transaction.to_string()])
            .collect();
        text.push_str(&table(["TARGET", "TRANSACTION"], &rows));
        text.push_str(&format!("Received: {}\n", signed_soma(received)));
    }
    if !report.failed.is_empty() {
        let rows: Vec<_> = report
            .failed
            .iter()
            .map(|failed| [failed.target.to_string(), failed.error.to_string()])
            .collect();
        text.push_str(&table(["NOT CLAIMED", "WHY"], &rows));
    }
    match text.is_empty() {
        true => "Nothing to claim.".to_owned(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use soma_sdk::api::{ExecutionErrorView, FeeView, ReceiptStatus, ReceiptView};
    use soma_sdk::types::{Address, Digest, Epoch, Shannons, TargetId};

    use super::*;

    fn receipt(number: u8, error: Option<ExecutionErrorView>) -> ReceiptView {
        ReceiptView {
            transaction: Digest([number; 32]),
            sender: Address([1; 32]),
            height: 7,
            index: 0,
            epoch: Epoch(3),
            status: match error {
                None => ReceiptStatus::Success,
                Some(_) => ReceiptStatus::Failure,
            },
            error,
            fee: FeeView {
                base: Shannons(1_000),
                operation: Shannons(0),
                value: Shannons(0),
                total: Shannons(1_000),
            },
            created: Vec::new(),
            mutated: Vec::new(),
            deleted: Vec::new(),
            balance_changes: Vec::new(),
        }
    }

    fn failed(number: u8, error: SdkError) -> FailedClaim {
        FailedClaim {
            target: TargetId([number; 32]),
            error,
        }
    }

    #[test]
    fn what_was_claimed_is_told_beside_what_failed() {
        let on_chain = ExecutionErrorView {
            code: "TargetNotFound".to_owned(),
            message: "no such target".to_owned(),
            details: Value::Null,
        };
        let on_chain = SdkError::TransactionFailed {
            digest: Digest([12; 32]),
            name: on_chain.code.clone(),
            message: on_chain.message.clone(),
            receipt: Box::new(receipt(12, Some(on_chain))),
        };
        let never_sent = SdkError::EpochWait {
            after: Duration::from_secs(1),
        };
        let report = ClaimReport {
            claimed: vec![(TargetId([1; 32]), receipt(11, None))],
            failed: vec![failed(2, on_chain), failed(3, never_sent)],
        };
        let error = result(report, 5_000).expect_err("two failed");
        assert_eq!((error.exit_code(), error.code()), (1, "TargetNotFound"));
        let message = error.to_string();
        assert!(message.starts_with("2 of 3 claims failed: "), "{message}");
        // Not what one of them did, but all of it.
        assert!(error.failed_receipt().is_none());
        let output = error.output().expect("printed in spite of the error");
        let json = &output.json;
        assert_eq!(json["claimed"][0]["target_id"], json!(TargetId([1; 32])));
        assert_eq!(
            (&json["received"], &json["fees"]),
            (&5_000.into(), &1_000.into())
        );
        let [first, second] = [0, 1].map(|index| &json["failed"][index]);
        assert_eq!(first["target_id"], json!(TargetId([2; 32])));
        assert_eq!(first["code"], "TargetNotFound");
        assert_eq!(first["digest"], json!(Digest([12; 32])));
        assert_eq!(second["code"], "EpochWait");
        assert!(second.get("digest").is_none());
        for (number, part) in [
            (1, "Received: +0.000005 SOMA"),
            (2, "no such target"),
            (3, "1s"),
        ] {
            let target = TargetId([number; 32]).to_string();
            assert!(output.text.contains(&target), "{}", output.text);
            assert!(output.text.contains(part), "{}", output.text);
        }
    }

    #[test]
    fn nothing_to_claim_is_no_failure() {
        let output = result(ClaimReport::default(), 0).expect("nothing failed");
        assert_eq!(output.text, "Nothing to claim.");
        assert_eq!(output.json["failed"], json!([]));
    }
}
