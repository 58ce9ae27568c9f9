//! The SOMA node: arguments, configuration, run, exit code.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use soma_node::node::run_until_signal;
use soma_node::{NodeConfig, NodeError};
use soma_service::logging::LogFormat;
use soma_types::Address;

/// Blocks are many small allocations, which this allocator is quick at.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Runs a node of the SOMA network.
#[derive(Debug, Parser)]
#[command(name = "soma-node", version)]
struct Arguments {
    /// Settings in TOML; flags win over the file.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Folder of the chain's data; in memory when absent.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Genesis document; default `genesis.json` in the data folder.
    #[arg(long, value_name = "FILE")]
    genesis: Option<PathBuf>,
    /// Where the API listens; default 0.0.0.0:9000.
    #[arg(long, value_name = "IP:PORT")]
    rpc_address: Option<SocketAddr>,
    /// Where peers connect, as a multiaddress such as /ip4/0.0.0.0/tcp/8084.
    #[arg(long, value_name = "MULTIADDRESS")]
    p2p_address: Option<String>,
    /// A peer to stay connected with, such as /ip4/10.0.0.2/tcp/8084; may be given again.
    #[arg(long, value_name = "MULTIADDRESS")]
    peer: Vec<String>,
    /// The validator that this node is; default that of `--validator-key`.
    #[arg(long, value_name = "ADDRESS")]
    validator: Option<Address>,
    /// File with the secret key of the validator's account in hex; with it and a scorer, the node
    /// audits.
    #[arg(long, value_name = "FILE")]
    validator_key: Option<PathBuf>,
    /// File with the validator's secret consensus key in hex; default the account's key.
    #[arg(long, value_name = "FILE")]
    consensus_key: Option<PathBuf>,
    /// Scoring service that the audit asks, such as http://127.0.0.1:9124; give more than one to
    /// have others asked when the first fails.
    #[arg(long, value_name = "URL")]
    scorer: Vec<String>,
    /// Blocks to keep; all when absent.
    #[arg(long, value_name = "COUNT")]
    keep_blocks: Option<u64>,
    /// What to log, such as `info` or `soma_node=debug`.
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
    /// Form of the log lines.
    #[arg(long, value_enum)]
    log_format: Option<Format>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Text,
    Json,
}

impl Arguments {
    fn into_config(self) -> Result<NodeConfig, NodeError> {
        let mut config = match &self.config {
            Some(path) => NodeConfig::from_file(path)?,
            None => NodeConfig::default(),
        };
        config.data_dir = self.data_dir.or(config.data_dir);
        config.genesis = self.genesis.or(config.genesis);
        config.keep_blocks = self.keep_blocks.or(config.keep_blocks);
        let validator = &mut config.validator;
        validator.address = self.validator.or(validator.address);
        validator.account_key = self.validator_key.or(validator.account_key.take());
        validator.consensus_key = self.consensus_key.or(validator.consensus_key.take());
        if let Some(address) = self.p2p_address {
            config.consensus.listen = address;
        }
        if !self.peer.is_empty() {
            config.consensus.persistent_peers = self.peer;
        }
        if !self.scorer.is_empty() {
            config.audit.scorer = self.scorer;
        }
        if let Some(address) = self.rpc_address {
            config.rpc.address = address;
        }
        if let Some(filter) = self.log {
            config.log.filter = filter;
        }
        if let Some(format) = self.log_format {
            config.log.format = match format {
                Format::Text => LogFormat::Text,
                Format::Json => LogFormat::Json,
            };
        }
        Ok(config)
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.into_config().and_then(run_until_signal) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
