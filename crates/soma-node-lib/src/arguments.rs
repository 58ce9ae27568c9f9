//! The node's command line, the same for `soma-node` and `soma start validator`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use soma_service::logging::LogFormat;
use soma_types::Address;

use crate::node::{NodeConfig, NodeError, TrustedBlock, Until};

/// Settings of a node. Flags win over the file.
#[derive(Clone, Debug, Args)]
pub struct NodeArguments {
    /// Settings in TOML; flags win over the file
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print a settings file with every option, its default and what it is for, and stop
    #[arg(long)]
    pub print_config: bool,
    /// Folder of the chain's data; in memory when absent
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Genesis document; default `genesis.json` in the data folder
    #[arg(long, value_name = "FILE")]
    pub genesis: Option<PathBuf>,
    /// Where the API listens; default 0.0.0.0:9000
    #[arg(long, value_name = "IP:PORT")]
    pub rpc_address: Option<SocketAddr>,
    /// Where peers connect, as a multiaddress such as /ip4/0.0.0.0/tcp/8084
    #[arg(long, value_name = "MULTIADDRESS")]
    pub p2p_address: Option<String>,
    /// A peer to stay connected with, such as /ip4/10.0.0.2/tcp/8084; may be given again
    #[arg(long, value_name = "MULTIADDRESS")]
    pub peer: Vec<String>,
    /// The validator that this node is; default that of `--validator-key`
    #[arg(long, value_name = "ADDRESS")]
    pub validator: Option<Address>,
    /// File with the secret key of the validator's account in hex; with it and a scorer, the node
    /// audits
    #[arg(long, value_name = "FILE")]
    pub validator_key: Option<PathBuf>,
    /// File with the validator's secret consensus key in hex; default the account's key
    #[arg(long, value_name = "FILE")]
    pub consensus_key: Option<PathBuf>,
    /// Scoring service that the audit asks, such as http://127.0.0.1:9124; give more than one to
    /// have others asked when the first fails
    #[arg(long, value_name = "URL")]
    pub scorer: Vec<String>,
    /// Blocks to keep; all when absent
    #[arg(long, value_name = "COUNT")]
    pub keep_blocks: Option<u64>,
    /// Give revealed weights and submitted data to whoever asks, from a cache on disk; the same as
    /// `blobs.serve`
    #[arg(long)]
    pub serve_blobs: bool,
    /// Node, by the URL of its API, whose snapshot a start with an empty data folder begins from;
    /// may be given again
    #[arg(long, value_name = "URL")]
    pub snapshot_from: Vec<String>,
    /// A block known to be of the chain, from which the way to the snapshot is followed; default
    /// the genesis
    #[arg(long, value_name = "HEIGHT:DIGEST")]
    pub trusted_block: Option<TrustedBlock>,
    /// What to log, such as `info` or `soma_node=debug`
    #[arg(long, alias = "log-level", value_name = "FILTER")]
    pub log: Option<String>,
    /// Form of the log lines
    #[arg(long, value_enum)]
    pub log_format: Option<LogForm>,
    /// Stop when standard input ends, too: with the program that started this one
    #[arg(long)]
    pub stop_with_stdin: bool,
}

/// Form of the log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogForm {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl NodeArguments {
    /// When a node with these arguments stops.
    pub const fn until(&self) -> Until {
        match self.stop_with_stdin {
            true => Until::StdinEnds,
            false => Until::Signal,
        }
    }

    /// The settings that they stand for.
    ///
    /// # Errors
    /// A settings file that cannot be read.
    pub fn into_config(self) -> Result<NodeConfig, NodeError> {
        let mut config = match &self.config {
            Some(path) => NodeConfig::from_file(path)?,
            None => NodeConfig::default(),
        };
        config.data_dir = self.data_dir.or(config.data_dir);
        config.genesis = self.genesis.or(config.genesis);
        config.keep_blocks = self.keep_blocks.or(config.keep_blocks);
        config.blobs.serve |= self.serve_blobs;
        config.trusted_block = self.trusted_block.or(config.trusted_block);
        if !self.snapshot_from.is_empty() {
            config.snapshot_urls = self.snapshot_from;
        }
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
        if let Some(form) = self.log_format {
            config.log.format = match form {
                LogForm::Text => LogFormat::Text,
                LogForm::Json => LogFormat::Json,
            };
        }
        Ok(config)
    }
}
