//! The engine: started, driven, stopped.

mod driver;
mod handle;
mod histories;
mod votes;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use malachite::app::types::codec::Codec;
use malachite::{
    Channels, ConsensusContext, EngineBuilder, EngineHandle, NetworkIdentity, RequestContext,
    SyncContext, WalContext,
};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

pub use crate::host::Status;
pub use handle::{Handle, Observer, Outbox, Peer};
pub(crate) use histories::Histories;
pub use histories::MissingHistory;
pub use votes::is_torn_wal;

use crate::application::Application;
use crate::codec::WireCodec;
use crate::config::{ConsensusConfig, EngineConfig};
use crate::context::{Address, SomaContext};
use crate::error::ConsensusError;
use crate::host::{Host, LogPlace};
use crate::identity::Identity;
use crate::peers;
use crate::signing::{ChainSigner, ChainVerifier};

use driver::Driver;
use votes::{mend_wal, refuse_set_aside, set_damaged_aside, voted_beyond};

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
        let verifier = ChainVerifier::new(chain_id);
        let wal = folder.join("consensus.wal");
        let log_fails = |error| ConsensusError::Log {
            path: wal.clone(),
            error,
        };
        mend_wal(&wal).map_err(log_fails)?;
        let head = application.head().header.height;
        match &identity.validator {
            Some(_) => refuse_set_aside(folder)?,
            None => set_damaged_aside(folder, &wal, head)?,
        }
        let voted = voted_beyond(folder, &wal, head)?;
        if let (Some(voted), Some(_)) = (voted, &identity.validator) {
            return Err(ConsensusError::LostBlocks { voted, head });
        }
        let host = {
            let (folder, config) = (folder.to_owned(), config.clone());
            let (keys, verifier) = (identity.validator.clone(), verifier.clone());
            // Later than every earlier run of this node began.
            let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
            let first_stream = since_epoch.map_or(0, |time| time.as_nanos() as u64);
            let open = move || {
                let log = LogPlace::Folder(&folder);
                Host::open(
                    &config,
                    application,
                    keys.as_ref(),
                    verifier,
                    log,
                    first_stream,
                )
            };
            let opened = tokio::task::spawn_blocking(open).await;
            opened.map_err(|error| ConsensusError::Panicked(error.to_string()))??
        };
        let guard = Arc::clone(host.guard());
        let validator = host.validator().zip(host.signer());
        let network = network_identity(&config.name, &identity, validator)?;
        let consensus = match validator {
            Some((address, signer)) => ConsensusContext::new_validator(
                Address(address),
                Box::new(verifier.clone()),
                Box::new(signer.clone()),
            ),
            None => ConsensusContext::new_full_node(
                Address(soma_types::Address([0; 32])),
                Box::new(verifier.clone()),
            ),
        };
        let histories = Histories::default();
        let heard = histories.clone();
        let network = peers::start(&engine_config, network, heard, guard, verifier);
        let (network, outlet) = network.await?;
        let started = network.clone();
        let (channels, engine) = EngineBuilder::new(SomaContext, engine_config)
            .with_default_wal(WalContext::new(wal.clone(), WireCodec))
            .with_custom_network(network, outlet)
            .with_default_sync(SyncContext::new(WireCodec))
            .with_default_consensus(consensus)
            .with_default_request(RequestContext::new(REQUESTS))
            .build()
            .await
            .map_err(|error| {
                started.stop(None);
                let reason = error.to_string();
                match reason.contains("WAL") {
                    true => ConsensusError::DamagedLog { path: wal, reason },
                    false => ConsensusError::Start(reason),
                }
            })?;
        Ok(spawn(host, channels, engine, histories, stop))
    }
}

fn spawn<A: Application>(
    host: Host<A>,
    channels: Channels<SomaContext>,
    engine: EngineHandle,
    histories: Histories,
    stop: CancellationToken,
) -> Handle {
    let (outbox, transactions) = mpsc::channel(OUTBOX);
    let (status_in, status) = watch::channel(Status::default());
    let network = channels.net_requests.clone();
    let address = host.validator();
    let guard = Arc::clone(host.guard());
    let driver = Driver::new(host, status_in);
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
            histories,
            guard,
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
    validator: Option<(soma_types::Address, &ChainSigner)>,
) -> Result<NetworkIdentity, ConsensusError> {
    let keypair = identity.network.keypair().clone();
    let Some((address, signer)) = validator else {
        return Ok(NetworkIdentity::new(name.to_owned(), keypair, None));
    };
    let proof = signer.prove_peer(identity.network.peer_id_bytes());
    let proof = WireCodec
        .encode(&proof)
        .map_err(|error| ConsensusError::Start(error.to_string()))?;
    Ok(NetworkIdentity::new_validator(
        name.to_owned(),
        keypair,
        address.to_string(),
        proof,
    ))
}
