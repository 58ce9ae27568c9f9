//! Settings of a node.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use soma_consensus::ConsensusConfig;
use soma_crypto::key_file;
use soma_service::logging::LogConfig;
use soma_types::Genesis;

use super::documented::unknown_option;
use super::{NodeError, TrustedBlock, ValidatorConfig, limits};
use crate::audit::AuditConfig;
use crate::blobs::BlobsConfig;
use crate::mempool::MempoolConfig;
use crate::rpc::RpcConfig;
use crate::snapshots::SnapshotsConfig;

/// Settings of a node: one TOML file, every value with a default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NodeConfig {
    /// Where the chain is kept; in memory when absent.
    pub data_dir: Option<PathBuf>,
    /// The genesis document as JSON. Default `genesis.json` in the data folder.
    pub genesis: Option<PathBuf>,
    /// Blocks to keep, with receipts and events; all when absent.
    pub keep_blocks: Option<u64>,
    /// Past heights whose state can be proven. Default 16.
    pub keep_states: u64,
    /// Memory for the store's cache in bytes. Default 32 MiB.
    pub cache_bytes: u64,
    /// Nodes, by the URLs of their APIs, whose snapshots a start with an empty data folder begins
    /// from: whatever they give is verified. Default none: it begins with the genesis, and gets all
    /// blocks from peers.
    pub snapshot_urls: Vec<String>,
    /// A block, as `HEIGHT:DIGEST`, from which the way to a snapshot is followed. Default none: it
    /// is followed from the genesis.
    pub trusted_block: Option<TrustedBlock>,
    /// The API.
    pub rpc: RpcConfig,
    /// Waiting transactions.
    pub mempool: MempoolConfig,
    /// The validator that this node is; without keys it only follows.
    pub validator: ValidatorConfig,
    /// Peers, and the rhythm of blocks.
    pub consensus: ConsensusConfig,
    /// Time without a block after which an empty one is made, so that the chain's clock and its
    /// expiry heights move, in milliseconds. Default 10,000.
    pub idle_block_interval_ms: u64,
    /// How far a block's time may be ahead of this node's clock before it votes for it, in
    /// milliseconds. Default 5,000.
    pub max_clock_ahead_ms: u64,
    /// The audit.
    pub audit: AuditConfig,
    /// Blobs that are downloaded and passed on.
    pub blobs: BlobsConfig,
    /// Snapshots that are made and passed on.
    pub snapshots: SnapshotsConfig,
    /// The log.
    pub log: LogConfig,
}

impl Default for NodeConfig {
    fn default() -> Self {
        Self {
            data_dir: None,
            genesis: None,
            keep_blocks: None,
            keep_states: 16,
            cache_bytes: 32 << 20,
            snapshot_urls: Vec::new(),
            trusted_block: None,
            rpc: RpcConfig::default(),
            mempool: MempoolConfig::default(),
            validator: ValidatorConfig::default(),
            consensus: ConsensusConfig::default(),
            idle_block_interval_ms: 10_000,
            max_clock_ahead_ms: 5_000,
            audit: AuditConfig::default(),
            blobs: BlobsConfig::default(),
            snapshots: SnapshotsConfig::default(),
            log: LogConfig::default(),
        }
    }
}

impl NodeConfig {
    /// Reads a TOML file.
    ///
    /// # Errors
    /// A file that cannot be read, an unknown setting, a bad value.
    pub fn from_file(path: &Path) -> Result<Self, NodeError> {
        let text = std::fs::read_to_string(path).map_err(|error| NodeError::File {
            path: path.to_owned(),
            error,
        })?;
        toml::from_str(&text).map_err(|error| NodeError::Content {
            path: path.to_owned(),
            reason: unknown_option(&text)
                .unwrap_or_else(|| key_file::fault(&text, error.span(), error.message())),
        })
    }

    /// Refuses values that nothing can be done with.
    ///
    /// # Errors
    /// [`NodeError::Option`], or what is wrong with the settings of consensus.
    pub(super) fn check(&self) -> Result<(), NodeError> {
        self.consensus.check()?;
        limits::check(self)?;
        if let Some(url) = self.audit.scorer.iter().find(|url| !is_http(url)) {
            return Err(NodeError::ScorerUrl(url.clone()));
        }
        if self.trusted_block.is_some() && self.snapshot_urls.is_empty() {
            tracing::warn!(
                "`trusted_block` has no use without `snapshot_urls`: this node gets all blocks from \
                 the genesis on"
            );
        }
        Ok(())
    }

    /// Reads the genesis document.
    ///
    /// # Errors
    /// A file that is not named, cannot be read, or is no genesis.
    pub fn read_genesis(&self) -> Result<Genesis, NodeError> {
        let beside = || self.data_dir.as_ref().map(|dir| dir.join("genesis.json"));
        let path = self.genesis.clone().or_else(beside);
        let path = path.ok_or(NodeError::NoGenesis)?;
        let text = std::fs::read_to_string(&path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => NodeError::Content {
                path: path.clone(),
                reason: "no such file; put the network's genesis document there, or name it with \
                         `--genesis FILE`"
                    .to_owned(),
            },
            _ => NodeError::File {
                path: path.clone(),
                error,
            },
        })?;
        serde_json::from_str(&text).map_err(|error| NodeError::Content {
            reason: format!("not a genesis document: {error}"),
            path,
        })
    }
}

fn is_http(url: &str) -> bool {
    reqwest::Url::parse(url).is_ok_and(|url| ["http", "https"].contains(&url.scheme()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_file_that_is_named_as_settings_is_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("account.key");
        let key = soma_crypto::SecretKey::generate();
        key_file::create(&path, &key).unwrap();
        let error = NodeConfig::from_file(&path).unwrap_err().to_string();
        assert!(error.contains("account.key: line 1: "), "{error}");
        assert!(!error.contains(&key.to_hex()[2..10]), "{error}");
    }

    #[test]
    fn values_out_of_range_are_refused_with_their_range() {
        let refusal = |text: &str| {
            let config: NodeConfig = toml::from_str(text).unwrap();
            config.check().unwrap_err().to_string()
        };
        for (text, told) in [
            (
                "keep_blocks = 0",
                "`keep_blocks` is 0; it must be at least 1",
            ),
            (
                "[audit]\nsample_bps = 20000",
                "`audit.sample_bps` is 20000; it must be 0 to 10000",
            ),
            (
                "[snapshots]\nkeep = 0",
                "`snapshots.keep` is 0; it must be at least 1",
            ),
            (
                "[snapshots]\nevery_epochs = 0",
                "`snapshots.every_epochs` is 0; it must be at least 1",
            ),
            (
                "[mempool]\nmax_parked_percent = 200",
                "`mempool.max_parked_percent` is 200; it must be 0 to 100",
            ),
            (
                "[blobs]\nparallel = 9000000000000000000",
                "`blobs.parallel` is 9000000000000000000; it must be 1 to 2305843009213693951",
            ),
            (
                "[consensus]\nmax_peers = 0",
                "consensus cannot start: consensus.max_peers is 0; it must be at least 1",
            ),
            (
                "[consensus.timeouts]\npropose_ms = 0",
                "consensus cannot start: consensus.timeouts.propose_ms is 0; it must be at least 1",
            ),
            (
                "[audit]\nscorer = \"127.0.0.1:9124\"",
                "`audit.scorer` is `127.0.0.1:9124`; give the URL of a scoring service, such as \
                 http://127.0.0.1:9124",
            ),
            (
                "[consensus]\nmax_peers = 9223372036854775807",
                "consensus cannot start: consensus.max_peers is 9223372036854775807; it must be at \
                 most 10000",
            ),
            (
                "[consensus.bans]\nban_ms = 0",
                "consensus cannot start: consensus.bans.ban_ms is 0; it must be at least 1",
            ),
        ] {
            assert_eq!(refusal(text), told);
        }
        let off = "[rpc]\nmax_waiting = 0\nmax_event_streams = 0\n[consensus.bans]\nmax_faults = 0";
        toml::from_str::<NodeConfig>(off).unwrap().check().unwrap();
        NodeConfig::default().check().unwrap();
    }
}
