//! The engine: started, driven, stopped.

mod desk;
mod driver;
mod gossip;
mod handle;
mod pace;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use malachite::app::types::codec::Codec;
use malachite::{
    Channels, ConsensusContext, EngineBuilder, EngineHandle, NetworkContext, NetworkIdentity,
    RequestContext, SyncContext, WalContext,
};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

pub use handle::{Handle, Observer, Outbox, Peer, Status};

use crate::application::Application;
use crate::codec::WireCodec;
use crate::config::{ConsensusConfig, EngineConfig};
use crate::context::{Address, SomaContext};
use crate::error::ConsensusError;
use crate::identity::Identity;
use crate::signing::{ChainSigner, ChainVerifier};

use desk::{Desk, Proposer};
use driver::Driver;

/// Batches of transactions that wait to be sent.
const OUTBOX: usize = 1_024;
/// Requests to the engine that wait.
const REQUESTS: usize = 64;
/// How long the engine's parts may take to stop.
const STOP_TIME: Duration = Duration::from_secs(5);

/// Starts engines.
#[derive(Clone, Copy, Debug)]
pub struct Engine;

impl Engine {
    /// Starts consensus for `application`, with its files in `folder`: the engine's write-ahead log
    /// and the undecided blocks. Both belong to the chain's data: keep or remove them together.
    ///
    /// # Errors
    /// A configuration that is not usable, files that fail, or an engine that cannot start.
    pub async fn start<A: Application>(
        config: &ConsensusConfig,
        identity: Identity,
        application: Arc<A>,
        folder: &Path,
        stop: CancellationToken,
    ) -> Result<Handle, ConsensusError> {
        let engine_config = EngineConfig::new(config)?;
        let chain_id = application.chain_id();
        let proposer = identity.validator.as_ref().map(|keys| Proposer {
            address: keys.address,
            signer: ChainSigner::new(chain_id, keys.key.clone(), &keys.next),
        });
        let verifier = ChainVerifier::new(chain_id);
        let network = network_identity(&config.name, &identity, proposer.as_ref())?;
        let desk = {
            let (folder, limits) = (folder.to_owned(), config.limits);
            let proposer = proposer.clone();
            let open = move || Desk::open(application, limits, proposer, &folder);
            let opened = tokio::task::spawn_blocking(open).await;
            opened.map_err(|error| ConsensusError::Panicked(error.to_string()))??
        };
        let consensus = match &proposer {
            Some(proposer) => ConsensusContext::new_validator(
                Address(proposer.address),
                Box::new(verifier.clone()),
                Box::new(proposer.signer.clone()),
            ),
            None => ConsensusContext::new_full_node(
                Address(soma_types::Address([0; 32])),
                Box::new(verifier.clone()),
            ),
        };
        let (channels, engine) = EngineBuilder::new(SomaContext, engine_config)
            .with_default_wal(WalContext::new(folder.join("consensus.wal"), WireCodec))
            .with_default_network(NetworkContext::new(network, WireCodec))
            .with_default_sync(SyncContext::new(WireCodec))
            .with_default_consensus(consensus)
            .with_default_request(RequestContext::new(REQUESTS))
            .build()
            .await
            .map_err(|error| ConsensusError::Start(error.to_string()))?;
        Ok(spawn(
            config, desk, verifier, proposer, channels, engine, stop,
        ))
    }
}

fn spawn<A: Application>(
    config: &ConsensusConfig,
    desk: Desk<A>,
    verifier: ChainVerifier,
    proposer: Option<Proposer>,
    channels: Channels<SomaContext>,
    engine: EngineHandle,
    stop: CancellationToken,
) -> Handle {
    let (outbox, transactions) = mpsc::channel(OUTBOX);
    let (status_in, status) = watch::channel(Status::default());
    let network = channels.net_requests.clone();
    let address = proposer.as_ref().map(|proposer| proposer.address);
    let driver = Driver::new(config, desk, verifier, proposer, status_in);
    let task = tokio::spawn(async move {
        let result = driver.run(channels, transactions, stop).await;
        end(engine).await;
        result
    });
    Handle {
        task,
        outbox: Outbox(outbox),
        observer: Observer {
            status,
            network,
            address,
        },
    }
}

/// Stops the engine's parts and waits, so that its files are free when this returns.
async fn end(engine: EngineHandle) {
    let cell = engine.actor.get_cell();
    cell.stop_children_and_wait(Some("consensus ends".to_owned()), Some(STOP_TIME))
        .await;
    cell.stop(None);
    if tokio::time::timeout(STOP_TIME, engine.handle)
        .await
        .is_err()
    {
        tracing::warn!("the consensus engine did not stop in time");
    }
}

fn network_identity(
    name: &str,
    identity: &Identity,
    proposer: Option<&Proposer>,
) -> Result<NetworkIdentity, ConsensusError> {
    let keypair = identity.network.keypair().clone();
    let Some(proposer) = proposer else {
        return Ok(NetworkIdentity::new(name.to_owned(), keypair, None));
    };
    let proof = proposer.signer.prove_peer(identity.network.peer_id_bytes());
    let proof = WireCodec
        .encode(&proof)
        .map_err(|error| ConsensusError::Start(error.to_string()))?;
    let address = proposer.address.to_string();
    Ok(NetworkIdentity::new_validator(
        name.to_owned(),
        keypair,
        address,
        proof,
    ))
}
