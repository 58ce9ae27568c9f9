//! `soma model download`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use soma_sdk::blobs::FetchConfig;

use super::ModelArgument;
use crate::context::Context;
use crate::error::CliError;
use crate::output::{Fields, Output};
use crate::storage::is_on_this_machine;

/// Download the weights of a model, opened and checked
#[derive(Clone, Debug, Args)]
pub struct Download {
    /// Which.
    #[command(flatten)]
    pub model: ModelArgument,
    /// Where to put them; default `MODEL_ID.safetensors` here
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Leave them sealed, as they lie
    #[arg(long)]
    pub sealed: bool,
    /// Download from private addresses and files too; always so on a localnet
    #[arg(long)]
    pub allow_private_addresses: bool,
}

impl Download {
    pub(super) async fn run(self, context: &Context) -> Result<Output, CliError> {
        let model = self.model.value()?;
        let ending = if self.sealed { "sealed" } else { "safetensors" };
        let to = self
            .output
            .unwrap_or_else(|| PathBuf::from(format!("{model}.{ending}")));
        context.confirm_output(&to)?;
        let config = fetch_config(context, self.allow_private_addresses)?;
        let downloads = context.client()?.downloads(config)?;
        let weights = match self.sealed {
            true => downloads.sealed_weights(&model, &to).await?,
            false => downloads.weights(&model, &to).await?,
        };
        let size = std::fs::metadata(&to).map_err(CliError::file(&to))?.len();
        let fields = Fields::new()
            .with("Model", model)
            .with("File", to.display())
            .with("Size", format!("{size} bytes"))
            .with("Checksum", weights.plaintext_checksum);
        let json = json!({
            "model_id": model,
            "path": to,
            "size": size,
            "is_sealed": self.sealed,
            "checksum": weights.checksum,
            "plaintext_checksum": weights.plaintext_checksum,
            "decryption_key": weights.key,
        });
        Ok(Output::new(&json, fields.text()))
    }
}

/// Which addresses downloads may connect to: everything on a localnet, public ones elsewhere.
pub(in crate::commands) fn fetch_config(
    context: &Context,
    allow_private: bool,
) -> Result<FetchConfig, CliError> {
    if allow_private {
        return Ok(FetchConfig::local());
    }
    let env = context.env()?;
    // With --rpc-url, a network elsewhere may go by a localnet's name.
    Ok(match env.is_local() && is_on_this_machine(&env.rpc) {
        true => FetchConfig::local(),
        false => FetchConfig::default(),
    })
}
