//! `soma target download`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::TargetArgument;
use crate::commands::model::fetch_config;
use crate::context::Context;
use crate::error::CliError;
use crate::output::{Fields, Output};

/// Download the data that filled a target, checked
#[derive(Clone, Debug, Args)]
pub struct Download {
    /// Which.
    #[command(flatten)]
    pub target: TargetArgument,
    /// Where to put it; default `TARGET_ID.data` here
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Download from private addresses and files too; always so on a localnet
    #[arg(long)]
    pub allow_private_addresses: bool,
}

impl Download {
    pub(super) async fn run(self, context: &Context) -> Result<Output, CliError> {
        let target = self.target.value()?;
        let to = self
            .output
            .unwrap_or_else(|| PathBuf::from(format!("{target}.data")));
        context.confirm_output(&to)?;
        let config = fetch_config(context, self.allow_private_addresses)?;
        let downloads = context.client()?.downloads(config)?;
        let size = downloads.data(&target, &to).await?;
        let fields = Fields::new()
            .with("Target", target)
            .with("File", to.display())
            .with("Size", format!("{size} bytes"));
        let json = json!({ "target_id": target, "path": to, "size": size });
        Ok(Output::new(&json, fields.text()))
    }
}
