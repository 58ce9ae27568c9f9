//! `soma model average`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use soma_model::ModelConfig;

use crate::commands::score::size_of;
use crate::context::Context;
use crate::error::CliError;
use crate::output::{Fields, Output};

/// Average the weights of several files
#[derive(Clone, Debug, Args)]
pub struct Average {
    /// Weights files, all of the same size
    #[arg(required = true, num_args = 2.., value_name = "FILE")]
    pub inputs: Vec<PathBuf>,
    /// Where to put the average
    #[arg(long, short, value_name = "FILE")]
    pub out: PathBuf,
    /// How much a file counts, once for each in the same order; default all alike
    #[arg(long = "share", value_name = "NUMBER")]
    pub shares: Vec<f64>,
    /// Size of the models: small, mini, base, large or v1; default that of the first file
    #[arg(long, value_name = "SIZE")]
    pub model_size: Option<String>,
}

/// The size that was named, or that of the model in `file`.
pub(super) fn size(name: Option<&str>, file: &std::path::Path) -> Result<ModelConfig, CliError> {
    match name {
        Some(name) => ModelConfig::preset(name).map_err(|error| CliError::Usage(error.to_string())),
        None => size_of(file),
    }
}

impl Average {
    pub(super) async fn run(self, context: &Context) -> Result<Output, CliError> {
        context.confirm_output(&self.out)?;
        let size = size(self.model_size.as_deref(), &self.inputs[0])?;
        let shown = self.clone();
        let average = move || {
            let shares = (!self.shares.is_empty()).then_some(&self.shares[..]);
            soma_trainer::average(&self.inputs, shares, &size, &self.out)
        };
        let done = tokio::task::spawn_blocking(average).await;
        done.map_err(|error| CliError::Invalid(format!("the task ended: {error}")))??;
        let fields = Fields::new()
            .with("File", shown.out.display())
            .with("Average of", format!("{} files", shown.inputs.len()));
        let json = json!({
            "path": shown.out,
            "inputs": shown.inputs,
            "shares": shown.shares,
        });
        Ok(Output::new(&json, fields.text()))
    }
}
