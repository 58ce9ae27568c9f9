//! `soma start localnet`.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use soma_localnet::{LocalnetConfig, Network, NetworkConfig, NodeProgram, ScorerConfig};
use soma_sdk::types::Shannons;
use soma_service::stop_signal;

use super::log;
use crate::config::{CONFIG_DIR_VARIABLE, ClientConfig, Env, LOCALNET};
use crate::context::Context;
use crate::error::CliError;
use crate::output::Output;
use crate::wallet::WalletEntry;

/// Run a network on this machine, with faucet, scorer and blob server, until Ctrl-C
#[derive(Clone, Debug, Args)]
pub struct LocalnetArguments {
    /// Start over: forget the chain and its keys
    #[arg(long)]
    pub force_regenesis: bool,
    /// Validators, each beside the first in a process of its own; fixed by the genesis. Default 1
    #[arg(long, alias = "committee-size", value_name = "COUNT", value_parser = clap::value_parser!(u8).range(1..=16))]
    pub validators: Option<u8>,
    /// Length of an epoch in milliseconds; fixed by the genesis. Default 24 hours
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..))]
    pub epoch_duration_ms: Option<u64>,
    /// Size of the models: small, mini, base, large or v1; fixed by the genesis. Default v1
    #[arg(long, value_name = "SIZE", conflicts_with = "small_model")]
    pub model_size: Option<String>,
    /// The same as `--model-size small`
    #[arg(long)]
    pub small_model: bool,
    /// Port of the node; 0 takes a free one
    #[arg(long, alias = "rpc-port", value_name = "PORT", default_value_t = 9_000)]
    pub fullnode_rpc_port: u16,
    /// Port of the faucet; 0 takes a free one
    #[arg(long, value_name = "PORT", conflicts_with_all = ["no_faucet", "with_faucet"])]
    pub faucet_port: Option<u16>,
    /// Where the faucet listens
    #[arg(long, value_name = "HOST:PORT", num_args = 0..=1, require_equals = true, default_missing_value = "127.0.0.1:9123", conflicts_with = "no_faucet")]
    pub with_faucet: Option<SocketAddr>,
    /// Run no faucet
    #[arg(long)]
    pub no_faucet: bool,
    /// Port of the admin routes, on this machine only; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 9_125)]
    pub admin_port: u16,
    /// Port of the scorer; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 9_124)]
    pub scorer_port: u16,
    /// Run no scorer, and so no audit of submissions
    #[arg(long, alias = "no-scoring", conflicts_with = "scorer_port")]
    pub no_scorer: bool,
    /// What the scorer computes on: cpu, wgpu, wgpu:N, cuda or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    pub device: soma_scoring::Device,
    /// Port of the blob server; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 9_126)]
    pub blobs_port: u16,
    /// Run no blob server
    #[arg(long, conflicts_with = "blobs_port")]
    pub no_blobs: bool,
    /// Where chain and keys are kept; default `localnet` in the settings folder
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// The same as `--data-dir`, for a network that is there already
    #[arg(long = "network.config", value_name = "DIR", conflicts_with_all = ["data_dir", "force_regenesis"])]
    pub network_config: Option<PathBuf>,
    /// The first validator is a full node as well, so there is none to leave out
    #[arg(long, hide = true)]
    pub no_full_node: bool,
    /// What to log, such as `warn`, `info` or `soma_node=debug`
    #[arg(long, value_name = "FILTER", default_value = "info")]
    pub log_level: String,
}

impl LocalnetArguments {
    pub(super) async fn run(self, context: &Context) -> Result<Output, CliError> {
        log(&self.log_level)?;
        // Both before the start: a Ctrl-C stops cleanly from now on, and settings that cannot be
        // read leave no network running.
        let stopped = tokio::spawn(stop_signal());
        context.config()?;
        let folder = self.folder(context)?;
        let folder = std::path::absolute(&folder).map_err(CliError::file(folder))?;
        let network = Network::start(self.config(context)?).await?;
        let announced = announce(context, &network, &folder);
        if let Err(error) = announced {
            network.shutdown().await?;
            return Err(error);
        }
        let ended = network.node().stop().clone();
        tokio::select! {
            _ = stopped => context.say("Stopping."),
            () = ended.cancelled() => {}
        }
        network.shutdown().await?;
        Ok(Output::nothing())
    }

    fn config(&self, context: &Context) -> Result<NetworkConfig, CliError> {
        let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let small = self.small_model.then(|| "small".to_owned());
        Ok(NetworkConfig {
            node: self.node_config(context)?,
            model_size: small.or_else(|| self.model_size.clone()),
            scorer: (!self.no_scorer).then(|| ScorerConfig {
                address: local(self.scorer_port),
                device: self.device,
            }),
            program: own_program(),
            blobs: (!self.no_blobs).then(|| local(self.blobs_port)),
        })
    }

    fn node_config(&self, context: &Context) -> Result<LocalnetConfig, CliError> {
        let mut config = LocalnetConfig {
            force_regenesis: self.force_regenesis,
            validators: self.validators.map(usize::from),
            epoch_duration_ms: self.epoch_duration_ms,
            ..LocalnetConfig::default()
        };
        config.data_dir = Some(self.folder(context)?);
        config.node.rpc.address.set_port(self.fullnode_rpc_port);
        if let Some(admin) = &mut config.admin {
            admin.address.set_port(self.admin_port);
        }
        if let Some(faucet) = &mut config.faucet {
            if let Some(port) = self.faucet_port {
                faucet.address.set_port(port);
            }
            if let Some(address) = self.with_faucet {
                faucet.address = address;
            }
        }
        if self.no_faucet {
            config.faucet = None;
        }
        Ok(config)
    }

    /// Where the network is kept.
    fn folder(&self, context: &Context) -> Result<PathBuf, CliError> {
        let unusable = |path: &Path, reason: &str| CliError::File {
            path: path.to_owned(),
            reason: reason.to_owned(),
        };
        match (&self.data_dir, &self.network_config) {
            (Some(file), _) if file.is_file() => {
                Err(unusable(file, "it is a file; `--data-dir` takes a folder"))
            }
            (Some(dir), _) => Ok(dir.clone()),
            (None, Some(missing)) if !missing.exists() => Err(unusable(
                missing,
                "there is no network; a new one is made in the folder that `--data-dir` names",
            )),
            // A file of a network stands for its folder.
            (None, Some(file)) if file.is_file() => {
                let parent = file.parent().filter(|parent| *parent != Path::new(""));
                Ok(parent.unwrap_or(Path::new(".")).to_owned())
            }
            (None, Some(dir)) => Ok(dir.clone()),
            (None, None) => Ok(context.dir.dir().join("localnet")),
        }
    }
}

/// How other nodes are started: by this program itself; in this process where the system does not
/// say what that is.
pub(crate) fn own_program() -> Option<NodeProgram> {
    Some(NodeProgram {
        path: std::env::current_exe().ok()?,
        arguments: vec!["start".into(), "validator".into()],
    })
}

/// Makes the network and its accounts usable by this client, and says how.
fn announce(context: &Context, network: &Network, folder: &Path) -> Result<(), CliError> {
    let net = network.node();
    let keys = net.keys().accounts.iter();
    let keys: Vec<_> = keys.map(|account| account.secret_key.clone()).collect();
    let mut wallet = context.wallet()?;
    let gone: Vec<_> = wallet.entries().iter().map(|entry| entry.address).collect();
    // One that was removed, or is started over, has no accounts to get back.
    let replaced = wallet.localnet_folder();
    let replaced = replaced.filter(|dir| *dir != folder && dir.join("keys.json").exists());
    let entries = wallet.put_localnet(&keys, folder)?;
    let left: Vec<_> = wallet.entries().iter().map(|entry| entry.address).collect();
    let config = context.change_config(|config| {
        config.put_env(Env {
            name: LOCALNET.to_owned(),
            rpc: net.rpc_url(),
            faucet: net.faucet_url(),
            scorer: network.scorer_url(),
            blobs: network.blobs_url(),
            admin: net.admin_url(),
            chain_id: Some(net.application().chain().chain_id()),
        });
        config.active_env.get_or_insert_with(|| LOCALNET.to_owned());
        // A key of a localnet that was started over is worth nothing.
        let is_stale = |address| gone.contains(&address) && !left.contains(&address);
        if config.active_address.is_none_or(is_stale) {
            config.active_address = entries.first().map(|entry| entry.address);
        }
        Ok(config.clone())
    })?;
    let text = match context.options.json {
        true => as_json(network, &entries, replaced.as_deref()),
        false => panel(network, &entries, &config, replaced.as_deref())?,
    };
    let mut out = std::io::stdout();
    // Who started this may have closed its output; the network runs on.
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
    Ok(())
}

fn as_json(network: &Network, entries: &[WalletEntry], replaced: Option<&Path>) -> String {
    let net = network.node();
    let now = net.application().now();
    json!({
        "rpc_url": net.rpc_url(),
        "validators": network.rpc_urls(),
        "faucet_url": net.faucet_url(),
        "scorer_url": network.scorer_url(),
        "blobs_url": network.blobs_url(),
        "admin_url": net.admin_url(),
        "model_size": network.model_size(),
        "data_dir": net.data_dir(),
        "replaced_data_dir": replaced,
        "chain_id": net.application().chain().chain_id(),
        "height": now.height(),
        "epoch": now.system.epoch,
        "is_new": net.is_new(),
        "accounts": entries,
    })
    .to_string()
}

fn panel(
    network: &Network,
    entries: &[WalletEntry],
    config: &ClientConfig,
    replaced: Option<&Path>,
) -> Result<String, CliError> {
    let net = network.node();
    let now = net.application().now();
    let mut lines = vec![format!(
        "Localnet is ready: epoch {}, block {}{}",
        now.system.epoch,
        now.height(),
        if net.is_new() { ", new" } else { "" }
    )];
    let mut line = |label: &str, value: Option<String>| {
        if let Some(value) = value {
            lines.push(format!("  {label:<8} {value}"));
        }
    };
    line("RPC:", Some(net.rpc_url()));
    for (number, url) in (1..).zip(network.rpc_urls()).skip(1) {
        line(&format!("Node {number}:"), Some(url));
    }
    line("Faucet:", net.faucet_url());
    line("Scorer:", network.scorer_url());
    line("Blobs:", network.blobs_url());
    line("Admin:", net.admin_url());
    line("Models:", Some(network.model_size().to_owned()));
    line("Data:", net.data_dir().map(|dir| dir.display().to_string()));
    if let Some(first) = entries.first() {
        let reader = net.application().chain().reader();
        let balance = reader
            .account(&first.address)
            .map(|account| account.balance);
        let balance = balance.unwrap_or(Shannons::ZERO);
        line(
            "Account:",
            Some(format!("{} {} ({balance})", first.alias, first.address)),
        );
    }
    if let Some(dir) = replaced {
        lines.push(format!(
            "The accounts of the localnet in {} are out of the wallet until it starts again; another \
             folder in {CONFIG_DIR_VARIABLE} for each keeps both",
            dir.display()
        ));
    }
    lines.push("Try in another terminal:".to_owned());
    for command in next_commands(config, entries) {
        lines.push(format!("  {command}"));
    }
    lines.push("Press Ctrl-C to stop.".to_owned());
    Ok(lines.join("\n"))
}

/// Three commands that work now.
fn next_commands(config: &ClientConfig, entries: &[WalletEntry]) -> [String; 3] {
    let env = match config.active_env.as_deref() == Some(LOCALNET) {
        true => "",
        false => " --env localnet",
    };
    let is_active = |entry: &WalletEntry| config.active_address == Some(entry.address);
    let sender = match entries.first().is_some_and(is_active) {
        true => "",
        false => " --sender localnet-1",
    };
    let soma = program();
    [
        format!("{soma} status{env}"),
        format!("{soma} send 1.5 --to localnet-2{sender}{env}"),
        format!("{soma} objects list localnet-2{env}"),
    ]
}

/// How to call this program: by its name when a shell would find it, else by its path.
fn program() -> String {
    let name = env!("CARGO_PKG_NAME");
    let Ok(this) = std::env::current_exe() else {
        return name.to_owned();
    };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|folder| folder.join(name).is_file());
    match found {
        true => name.to_owned(),
        false => this.display().to_string(),
    }
}
