//! `soma earnings`.

use clap::Args;
use serde_json::json;
use soma_sdk::api::LedgerEntryView;
use soma_sdk::pages::collect;
use soma_sdk::types::{EarningKind, Shannons};

use crate::arguments::OptionalAddress;
use crate::context::Context;
use crate::error::CliError;
use crate::output::{Output, name_of, table_or};

/// Entries shown where no number is said.
const SHOWN: u64 = 100;

/// Show what an address earned and lost
#[derive(Clone, Debug, Args)]
pub struct Earnings {
    /// Whose.
    #[command(flatten)]
    pub address: OptionalAddress,
    /// The most entries; default 100
    #[arg(long, value_name = "NUMBER", conflicts_with = "all", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
    /// All entries that the node keeps
    #[arg(long)]
    pub all: bool,
}

impl Earnings {
    pub(super) async fn run(self, context: &Context) -> Result<Output, CliError> {
        let address = context.address(self.address.value().as_ref())?;
        let client = context.client()?;
        let limit = (!self.all).then(|| self.limit.unwrap_or(SHOWN));
        let entries = collect(limit, async |page| client.earnings(&address, &page).await).await?;
        let mut text = table_or(
            ["EPOCH", "BLOCK", "AMOUNT", "KIND", "TARGET"],
            &rows(&entries),
            "Nothing earned or lost yet.",
        );
        if entries.iter().any(|entry| is_shared(entry.kind)) {
            text.push_str("\n* of all who stake there; your own stake: `soma objects list`");
        }
        let json = json!({ "address": address, "earnings": entries });
        Ok(Output::new(&json, text))
    }
}

fn rows(entries: &[LedgerEntryView]) -> Vec<[String; 5]> {
    entries
        .iter()
        .map(|entry| {
            [
                entry.epoch.to_string(),
                entry.height.to_string(),
                signed(entry.amount, entry.is_loss),
                kind(entry.kind),
                entry.target.map(|id| id.to_string()).unwrap_or_default(),
            ]
        })
        .collect()
}

/// True for what a pool got or lost, which belongs to all who stake there.
fn is_shared(kind: EarningKind) -> bool {
    use EarningKind::{ModelPool, StakeSlashed, ValidatorPool};
    matches!(kind, ModelPool | ValidatorPool | StakeSlashed)
}

fn kind(kind: EarningKind) -> String {
    let mark = if is_shared(kind) { " *" } else { "" };
    format!("{}{mark}", name_of(&kind))
}

fn signed(amount: Shannons, is_loss: bool) -> String {
    let sign = if is_loss { "-" } else { "+" };
    format!("{sign}{amount}")
}
