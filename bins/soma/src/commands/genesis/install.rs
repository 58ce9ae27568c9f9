//! `soma genesis install`: from the ceremony to a node.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use soma_ceremony::{Ceremony, Summary, genesis_json, read_genesis};
use soma_node::NodeConfig;
use soma_node::node::NodeKeys;
use soma_sdk::types::{Address, Genesis, PublicKey};

use super::view::approvals;
use crate::commands::node_file;
use crate::error::CliError;
use crate::output::{Fields, Output};

/// Give the final genesis, and the addresses of the others, to a node
#[derive(Clone, Debug, Args)]
pub struct Install {
    /// The node's folder, such as `soma validator make-info` made it
    #[arg(value_name = "NODE_DIR")]
    pub node: PathBuf,
}

impl Install {
    pub(super) fn run(self, ceremony: &Ceremony) -> Result<Output, CliError> {
        let genesis = read_genesis(&ceremony.genesis_path())?;
        // Whoever gave the folder: all validators have signed it.
        approvals(&ceremony.signatures_path())?.check(&genesis)?;
        let summary = Summary::of(&genesis)?;
        let dir = std::path::absolute(&self.node).map_err(CliError::file(&self.node))?;
        std::fs::create_dir_all(&dir).map_err(CliError::file(&dir))?;
        let written = write_genesis(&dir, &genesis)?;
        let file = dir.join("node.toml");
        let (config, was_there) = match file.exists() {
            true => (NodeConfig::from_file(&file)?, true),
            false => (follower(&dir), false),
        };
        let own = NodeKeys::read(&config.validator)?.validator;
        let own = own.map(|keys| keys.key.public_key());
        let (config, changed) = with_peers(config, &genesis, own);
        if changed || !was_there {
            node_file::write(&file, &config)?;
        }
        let peers = &config.consensus.persistent_peers;
        let json = json!({
            "chain_id": summary.chain_id,
            "genesis": written,
            "config": file,
            "persistent_peers": peers,
            "validator": listed(&genesis, own),
        });
        let fields = Fields::new()
            .with("Chain", format!("{} {}", summary.chain, summary.chain_id))
            .with("Node", role(&genesis, own))
            .with("Written", written.display())
            .with(if changed { "Changed" } else { "Kept" }, file.display())
            .maybe("Peers", (!peers.is_empty()).then(|| peers.join(" ")))
            .with(
                "Next",
                format!("`soma start validator --config {}`", file.display()),
            );
        Ok(Output::new(&json, fields.text()))
    }
}

fn write_genesis(dir: &Path, genesis: &Genesis) -> Result<PathBuf, CliError> {
    let path = dir.join("genesis.json");
    let chain = dir.join("chain");
    if chain.exists() && read_genesis(&path).is_ok_and(|old| old != *genesis) {
        return Err(CliError::File {
            path: chain,
            reason: "there is another chain; remove the folders `chain` and `consensus`, or take \
                     another folder for the node"
                .to_owned(),
        });
    }
    let text = genesis_json(genesis).map_err(|error| CliError::File {
        path: path.clone(),
        reason: error.to_string(),
    })?;
    std::fs::write(&path, text).map_err(CliError::file(&path))?;
    Ok(path)
}

/// The settings of a node that only follows.
fn follower(dir: &Path) -> NodeConfig {
    let mut config = NodeConfig {
        data_dir: Some(dir.to_owned()),
        ..NodeConfig::default()
    };
    config.consensus.listen = "/ip4/0.0.0.0/tcp/8084".to_owned();
    config
}

/// Stays connected with all other validators, unless peers are named already.
fn with_peers(
    mut config: NodeConfig,
    genesis: &Genesis,
    own: Option<PublicKey>,
) -> (NodeConfig, bool) {
    if !config.consensus.persistent_peers.is_empty() {
        return (config, false);
    }
    let others = genesis.validators.iter();
    let others = others.filter(|listed| Some(listed.metadata.consensus_key) != own);
    let addresses = others.map(|listed| listed.metadata.p2p_address.to_string());
    config.consensus.persistent_peers = addresses.filter(|text| !text.is_empty()).collect();
    (config, true)
}

/// The validator of the genesis whose consensus key is `own`.
fn listed(genesis: &Genesis, own: Option<PublicKey>) -> Option<Address> {
    let mut validators = genesis.validators.iter();
    let found = validators.find(|listed| Some(listed.metadata.consensus_key) == own);
    found.map(|listed| listed.address)
}

fn role(genesis: &Genesis, own: Option<PublicKey>) -> String {
    match (listed(genesis, own), own) {
        (Some(address), _) => format!("validates as {address}"),
        (None, None) => "follows, without keys".to_owned(),
        (None, Some(_)) => "follows: no validator of this genesis has its consensus key".to_owned(),
    }
}
