//! `soma doctor`: what would not work here, and how to fix it.

use std::time::{Duration, SystemTime};

use clap::Args;
use serde::Serialize;
use serde_json::json;
use soma_scoring::memory::HostMemory;
use soma_scoring::{Device, ModelConfig, ScorerConfig};

use crate::config::Env;
use crate::context::Context;
use crate::error::CliError;
use crate::output::{Output, table};

/// How far this clock may be from a node's, in seconds.
const CLOCK_TOLERANCE_S: u64 = 10;
/// Disk beside that for three models, in bytes.
const SPARE_DISK: u64 = 1 << 30;
/// Models that are assigned to a target.
const MODELS: u64 = 3;
/// How long a service has to answer.
const ANSWER: Duration = Duration::from_secs(10);

/// Check device, memory, disk, clock and services, and say how to fix what fails
#[derive(Clone, Debug, Args)]
pub struct Doctor {
    /// Device to score with: cpu, wgpu, wgpu:N, cuda or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    pub device: Device,
    /// Size of the models; default that of the network, or v1
    #[arg(long, value_name = "SIZE")]
    pub model_size: Option<String>,
    /// URL of the scoring service; default the environment's
    #[arg(long, value_name = "URL")]
    pub scorer: Option<String>,
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
        let env = context.env()?;
        let (size_name, size) = self.size(context).await?;
        let mut checks = vec![
            device(self.device).await,
            memory(self.device, &size_name, &size),
            disk(context, &size),
            wallet(context),
        ];
        checks.extend(self.services(&env).await?);
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

    async fn services(&self, env: &Env) -> Result<Vec<Check>, CliError> {
        let client = reqwest::Client::builder().timeout(ANSWER).build();
        let client = client.map_err(|error| CliError::Invalid(error.to_string()))?;
        let mut checks = vec![clock(&client, &env.rpc).await];
        let scorer = self.scorer.as_ref().or(env.scorer.as_ref());
        for (name, url, fix) in [
            (
                "node",
                Some(&env.rpc),
                "start one with `soma start localnet`, or choose another with `soma env switch`",
            ),
            (
                "faucet",
                env.faucet.as_ref(),
                "faucets are for test networks; set its URL with `soma env new`",
            ),
            (
                "scorer",
                scorer,
                "start one with `soma start scoring`, or give its URL with --scorer",
            ),
        ] {
            checks.push(match url {
                Some(url) => service(&client, name, url, fix).await,
                None => Check::skipped(name, "none configured"),
            });
        }
        Ok(checks)
    }
}

async fn device(device: Device) -> Check {
    let probe = tokio::task::spawn_blocking(move || device.probe()).await;
    match probe {
        Ok(Ok(name)) => Check::ok("device", format!("{device} ({name}) computes")),
        Ok(Err(error)) => Check::failed("device", format!("{device} fails"), error.to_string()),
        Err(error) => Check::failed("device", error.to_string(), "choose --device cpu"),
    }
}

fn memory(device: Device, name: &str, size: &ModelConfig) -> Check {
    let config = ScorerConfig::new(*size, device);
    let needs = config.needs();
    let host = HostMemory::now();
    let needed = if device.shares_host_memory() {
        needs.total()
    } else {
        needs.staging
    };
    let found = format!(
        "a {name} model needs {}, of {} are {} free",
        amount(needed),
        amount(host.total),
        amount(host.available)
    );
    if needed <= host.available {
        return Check::ok("memory", found);
    }
    let fix = if needed <= host.total {
        "end other programs"
    } else {
        "use a machine with more memory, or a network of smaller models"
    };
    Check::failed("memory", found, fix)
}

fn disk(context: &Context, size: &ModelConfig) -> Check {
    let folder = context.dir.dir();
    let probe = folder.join("doctor.probe");
    let written = std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&probe, [0; 4_096]))
        .and_then(|()| std::fs::remove_file(&probe));
    if let Err(error) = written {
        let found = format!("cannot write {}: {error}", folder.display());
        let fix = "make the folder writable, or choose another in SOMA_CONFIG_DIR";
        return Check::failed("disk", found, fix);
    }
    let needed = MODELS * size.weight_bytes() + SPARE_DISK;
    match fs4::available_space(folder) {
        Ok(free) if free < needed => Check::failed(
            "disk",
            format!("{} free, {} needed", amount(free), amount(needed)),
            "free some space, or keep downloads elsewhere with --data-dir",
        ),
        Ok(free) => Check::ok("disk", format!("{} free", amount(free))),
        Err(error) => Check::skipped("disk", format!("free space is unknown: {error}")),
    }
}

fn wallet(context: &Context) -> Check {
    match context.wallet() {
        Ok(wallet) if wallet.entries().is_empty() => {
            Check::skipped("wallet", "no keys yet; make one with `soma wallet new`")
        }
        Ok(wallet) => Check::ok("wallet", format!("{} keys", wallet.entries().len())),
        Err(error) => Check::failed(
            "wallet",
            error.to_string(),
            "restore the keystore file from a copy, or import its keys again",
        ),
    }
}

/// Compares this clock with that of the node.
async fn clock(client: &reqwest::Client, rpc: &str) -> Check {
    let url = format!("{}/health", rpc.trim_end_matches('/'));
    let response = client.get(url).send().await.ok();
    let date = response.and_then(|response| {
        let date = response.headers().get(reqwest::header::DATE)?;
        httpdate::parse_http_date(date.to_str().ok()?).ok()
    });
    let Some(date) = date else {
        return Check::skipped("clock", "no node to compare with");
    };
    let now = SystemTime::now();
    let apart = now
        .duration_since(date)
        .or_else(|_| date.duration_since(now));
    let apart = apart.map_or(0, |apart| apart.as_secs());
    let found = format!("{apart} s from the node's");
    if apart <= CLOCK_TOLERANCE_S {
        return Check::ok("clock", found);
    }
    let fix = "set this machine's clock, and keep it right with NTP";
    Check::failed("clock", found, fix)
}

async fn service(client: &reqwest::Client, name: &'static str, url: &str, fix: &str) -> Check {
    let health = format!("{}/health", url.trim_end_matches('/'));
    match client.get(&health).send().await {
        Ok(response) if response.status().is_success() => Check::ok(name, format!("{url} answers")),
        Ok(response) => {
            let status = response.status();
            let text = response.text().await.unwrap_or_default();
            let text: String = text.chars().take(200).collect();
            Check::failed(name, format!("{url} answers {status}: {text}"), fix)
        }
        Err(error) => Check::failed(name, format!("{url} does not answer: {error}"), fix),
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
