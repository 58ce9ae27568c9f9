//! `soma earnings`.

use clap::Args;
use serde_json::json;
use soma_sdk::api::LedgerEntryView;
use soma_sdk::pages::collect;
use soma_sdk::types::Shannons;

use crate::arguments::OptionalAddress;
use crate::context::Context;
use crate::error::CliError;
use crate::output::{Output, name_of, table_or};

/// Entries shown where no number is said.
const SHOWN: u64 = 100;

/// Show what an address earned and lost outside plain transfers, newest first.
///
/// Rewards of a pool are listed for the owner of the model or the validator, and are of all who
/// stake there.
#[derive(Clone, Debug, Args)]
pub struct Earnings {
    /// Whose.
    #[command(flatten)]
    pub address: OptionalAddress,
    /// The most entries; default 100
    #[arg(long, value_name = "NUMBER", conflicts_with = "all")]
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
        let text = table_or(
            ["EPOCH", "BLOCK", "AMOUNT", "KIND", "TARGET"],
            &rows(&entries),
            "Nothing earned or lost yet.",
        );
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
                name_of(&entry.kind),
                entry.target.map(|id| id.to_string()).unwrap_or_default(),
            ]
        })
        .collect()
}

fn signed(amount: Shannons, is_loss: bool) -> String {
    let sign = if is_loss { "-" } else { "+" };
    format!("{sign}{amount}")
}
