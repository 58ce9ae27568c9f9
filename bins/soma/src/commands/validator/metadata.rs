//! `soma validator update-metadata`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use soma_crypto::key_file;
use soma_node::node::check_peer_address;
use soma_sdk::account::proof_of_possession;
use soma_sdk::types::validator::MetadataText;
use soma_sdk::types::{MetadataUpdate, TransactionKind, ValidatorMetadata};

use crate::context::Context;
use crate::error::CliError;
use crate::output::Output;
use crate::transaction::{TransactionOptions, process};

/// Change what you tell about yourself, or your consensus key, from the next epoch on
#[derive(Clone, Debug, Args)]
pub struct UpdateMetadata {
    /// What to change.
    #[command(subcommand)]
    pub command: MetadataCommand,
}

/// What to change.
#[derive(Clone, Debug, Subcommand)]
pub enum MetadataCommand {
    /// Change the name
    Name(Change),
    /// Change where other validators connect, as a multiaddress
    #[command(aliases = ["network-address", "primary-address"])]
    P2pAddress(Change),
    /// Change the URL of your API that clients see; `""` shows none
    RpcAddress(Change),
    /// Change the URL where you serve weights and data; `""` shows none
    ProxyAddress(Change),
    /// Change the key that signs votes
    #[command(alias = "protocol-pub-key")]
    ConsensusKey {
        /// The file with the new key; your node must have it in `next_consensus_keys` by then
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Options of the transaction.
        #[command(flatten)]
        options: TransactionOptions,
    },
}

/// A new value.
#[derive(Clone, Debug, Args)]
pub struct Change {
    /// The new value
    #[arg(value_name = "VALUE")]
    pub value: MetadataText,
    /// Options of the transaction.
    #[command(flatten)]
    pub options: TransactionOptions,
}

impl UpdateMetadata {
    pub(super) async fn run(self, context: &Context) -> Result<Output, CliError> {
        let mut update = MetadataUpdate::default();
        let options = match self.command {
            MetadataCommand::Name(change) => {
                update.name = Some(change.value);
                change.options
            }
            MetadataCommand::P2pAddress(change) => {
                check_peer(change.value.as_str())?;
                update.p2p_address = Some(change.value);
                change.options
            }
            MetadataCommand::RpcAddress(change) => {
                check_url(change.value.as_str())?;
                update.rpc_address = Some(change.value);
                change.options
            }
            MetadataCommand::ProxyAddress(change) => {
                check_url(change.value.as_str())?;
                update.proxy_address = Some(change.value);
                change.options
            }
            MetadataCommand::ConsensusKey { file, options } => {
                let key = key_file::read(&file)?;
                let sender = context.address(options.sender.as_ref())?;
                let chain = context.client()?.chain_id().await?;
                update.consensus_key = Some(key.public_key());
                update.proof_of_possession = Some(proof_of_possession(&chain, &sender, &key));
                options
            }
        };
        let kind = TransactionKind::UpdateValidatorMetadata(Box::new(update));
        process(context, &options, kind).await
    }
}

/// Refuses addresses in a `validator.info` that nobody can use; that for peers may be empty, for one
/// that only connects to others.
pub(in crate::commands) fn check_addresses(metadata: &ValidatorMetadata) -> Result<(), CliError> {
    if !metadata.p2p_address.as_str().is_empty() {
        check_peer(metadata.p2p_address.as_str())?;
    }
    check_url(metadata.rpc_address.as_str())?;
    check_url(metadata.proxy_address.as_str())
}

/// Refuses what other nodes cannot connect to.
pub(super) fn check_peer(text: &str) -> Result<(), CliError> {
    check_peer_address(text).map_err(|_| {
        CliError::Usage(format!(
            "`{text}` is no address for peers; give a multiaddress with the port that the node \
             listens on, such as /dns4/node.example/tcp/8084"
        ))
    })
}

/// Refuses what is no URL for clients; an empty one shows none.
pub(super) fn check_url(text: &str) -> Result<(), CliError> {
    let parsed = reqwest::Url::parse(text);
    let is_http = parsed.is_ok_and(|url| ["http", "https"].contains(&url.scheme()));
    match text.is_empty() || is_http {
        true => Ok(()),
        false => Err(CliError::Usage(format!(
            "`{text}` is no URL; give one such as https://node.example:9000, or \"\" for none"
        ))),
    }
}
