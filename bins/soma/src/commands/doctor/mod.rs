//! `soma doctor`: what would not work here, and how to fix it.

mod kind;
mod machine;
mod services;

use bytesize::ByteSize;
use clap::Args;
use serde::Serialize;
use serde_json::json;
use soma_scoring::{Device, ModelConfig, Precision, ScorerConfig};

use crate::context::Context;
use crate::error::CliError;
use crate::output::{Output, table};
use crate::storage::{StorageOptions, help_of_storage};

/// Check device, memory, disk, clock and services, and say how to fix what fails
#[derive(Clone, Debug, Args)]
#[command(mut_args(|arg| help_of_storage(
    arg,
    "A store to check: a folder, `s3://BUCKET/PREFIX`, or the URL of a blob server; default none"
)))]
pub struct Doctor {
    /// Device to score with: cpu, wgpu, wgpu:N, cuda or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    pub device: Device,
    /// What linear maps compute with: f32, or bf16 on GPUs that have it
    #[arg(long, value_name = "PRECISION", default_value = "f32")]
    pub precision: Precision,
    /// Memory of a GPU that the scorer may use; default 80 % of an NVIDIA GPU's, 16GiB of another
    #[arg(long, value_name = "BYTES")]
    pub device_memory: Option<ByteSize>,
    /// Size of the models; default that of the network, or v1
    #[arg(long, value_name = "SIZE")]
    pub model_size: Option<String>,
    /// URL of the scoring service; default the environment's
    #[arg(long, value_name = "URL")]
    pub scorer: Option<String>,
    /// The store to check, when one is named: a few bytes are put there and downloaded again.
    #[command(flatten)]
    pub storage: StorageOptions,
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Ok,
    /// Not needed, or not there.
    Skipped,
    Failed,
}

/// One check.
#[derive(Clone, Debug, Serialize)]
struct Check {
    name: &'static str,
    state: State,
    /// What was found.
    found: String,
    /// What to do, when it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
}

impl Check {
    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self {
            name,
            state: State::Ok,
            found: found.into(),
            fix: None,
        }
    }

    fn skipped(name: &'static str, found: impl Into<String>) -> Self {
        Self {
            state: State::Skipped,
            ..Self::ok(name, found)
        }
    }

    fn failed(name: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            state: State::Failed,
            fix: Some(fix.into()),
            ..Self::ok(name, found)
        }
    }
}

impl Doctor {
    pub(super) async fn run(self, context: &Context) -> Result<Output, CliError> {
        let (name, size) = self.size(context).await?;
        let mut config = ScorerConfig::new(size, self.device);
        config.precision = self.precision;
        if let Some(memory) = self.device_memory {
            config.device_memory_bytes = memory.as_u64();
        }
        let mut checks = vec![machine::device(config).await];
        checks.extend(machine::memory(&config, &name));
        checks.extend([
            machine::disk(context.dir.dir(), &size),
            machine::wallet(context),
        ]);
        checks.extend(self.services(context).await?);
        let failed: Vec<_> = checks.iter().filter(|c| c.state == State::Failed).collect();
        let json = json!({ "ok": failed.is_empty(), "checks": checks });
        if failed.is_empty() {
            return Ok(Output::new(&json, text(&checks)));
        }
        Err(CliError::Unhealthy {
            failed: failed.len(),
            output: Box::new(Output::new(&json, text(&checks))),
        })
    }

    /// The size that was named, or that of the network, or the full one.
    async fn size(&self, context: &Context) -> Result<(String, ModelConfig), CliError> {
        if let Some(name) = &self.model_size {
            let size = ModelConfig::preset(name);
            let size = size.map_err(|error| CliError::Usage(error.to_string()))?;
            return Ok((name.clone(), size));
        }
        let parameters = context.client()?.parameters().await;
        let dim = parameters.map(|parameters| parameters.target_embedding_dim);
        let mut presets = ModelConfig::presets();
        let found =
            presets.find(|(_, size)| dim.as_ref().ok() == Some(&(size.embedding_dim as u64)));
        let (name, size) = found.unwrap_or(("v1", ModelConfig::V1));
        Ok((name.to_owned(), size))
    }
}

fn amount(bytes: u64) -> String {
    bytesize::ByteSize(bytes).to_string()
}

fn text(checks: &[Check]) -> String {
    let rows: Vec<_> = checks
        .iter()
        .map(|check| {
            let state = match check.state {
                State::Ok => "ok",
                State::Skipped => "-",
                State::Failed => "FAILED",
            };
            [check.name.to_owned(), state.to_owned(), check.found.clone()]
        })
        .collect();
    let mut text = table(["CHECK", "", "FOUND"], &rows);
    for check in checks {
        if let Some(fix) = &check.fix {
            text.push_str(&format!("Fix {}: {fix}\n", check.name));
        }
    }
    text
}
