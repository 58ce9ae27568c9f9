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
    /// The validator in whose name blocks are proposed; default the first of the genesis.
    #[arg(long, value_name = "ADDRESS")]
    proposer: Option<Address>,
    /// File with the validator's secret key in hex; with it and a scorer, the node audits.
    #[arg(long, value_name = "FILE")]
    validator_key: Option<PathBuf>,
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
        config.proposer = self.proposer.or(config.proposer);
        config.keep_blocks = self.keep_blocks.or(config.keep_blocks);
        config.audit.validator_key = self.validator_key.or(config.audit.validator_key);
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
