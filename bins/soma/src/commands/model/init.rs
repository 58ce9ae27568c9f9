//! `soma model init-weights`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use soma_model::{Cpu, ModelConfig, weights};

use crate::context::Context;
use crate::error::CliError;
use crate::output::{Fields, Output};

/// Make random weights: a start for training, or a try of the network
#[derive(Clone, Debug, Args)]
pub struct InitWeights {
    /// Where to put them
    #[arg(value_name = "FILE")]
    pub output: PathBuf,
    /// Size of the model: small, mini, base, large or v1
    #[arg(long, value_name = "SIZE", default_value = "v1")]
    pub model_size: String,
    /// The same seed gives the same weights
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub seed: u64,
}

impl InitWeights {
    pub(super) async fn run(self, context: &Context) -> Result<Output, CliError> {
        let config = ModelConfig::preset(&self.model_size)
            .map_err(|error| CliError::Usage(error.to_string()))?;
        context.confirm_output(&self.output)?;
        let path = self.output.clone();
        let write = move || {
            let model = weights::random::<Cpu>(&config, self.seed, &Default::default());
            weights::write(&model, &path)
        };
        let written = tokio::task::spawn_blocking(write).await;
        written
            .map_err(|error| CliError::Invalid(format!("the task ended: {error}")))?
            .map_err(CliError::weights(&self.output))?;
        let fields = Fields::new()
            .with("File", self.output.display())
            .with("Size", &self.model_size)
            .with("Parameters", config.parameter_count());
        let json = json!({
            "path": self.output,
            "model_size": self.model_size,
            "seed": self.seed,
            "parameters": config.parameter_count(),
        });
        Ok(Output::new(&json, fields.text()))
    }
}
