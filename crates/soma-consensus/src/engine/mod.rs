//! The engine: started, driven, stopped.

mod driver;
mod handle;
mod histories;

use std::io::{ErrorKind, Read as _};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use malachite::app::types::codec::Codec;
use malachite::{
    Channels, ConsensusContext, EngineBuilder, EngineHandle, NetworkIdentity, RequestContext,
    SyncContext, WalContext,
};
use soma_types::Height;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

pub use crate::host::Status;
pub use handle::{Handle, Observer, Outbox, Peer};
pub(crate) use histories::Histories;
pub use histories::MissingHistory;

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

/// Batches of transactions that wait to be sent.
const OUTBOX: usize = 1_024;
/// Requests to the engine that wait.
const REQUESTS: usize = 64;
/// How long the engine's parts may take to stop.
const STOP_TIME: Duration = Duration::from_secs(5);

/// Bytes of a write-ahead log without entries.
const EMPTY_WAL_BYTES: u64 = 12;

/// True for a write-ahead log of `bytes` bytes whose very first write was cut by a crash. The engine
/// refuses to open it; nothing was logged yet, so it may be emptied.
pub fn is_torn_wal(bytes: u64) -> bool {
    (1..EMPTY_WAL_BYTES).contains(&bytes)
}

/// Empties a write-ahead log that [`is_torn_wal`]: a node that crashed in its first moment would
/// never start again.
fn mend_wal(path: &Path) -> std::io::Result<()> {
    match std::fs::metadata(path) {
        Ok(metadata) if is_torn_wal(metadata.len()) => {
            let file = std::fs::OpenOptions::new().write(true).open(path)?;
            file.set_len(0)?;
            file.sync_all()
        }
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The height in work when the log at `path` was written last; `None` when there is no such log yet.
fn voted_height(path: &Path) -> std::io::Result<Option<Height>> {
    let mut head = [0; EMPTY_WAL_BYTES as usize];
    match std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut head)) {
        // Four bytes of a version, then the height.
        Ok(()) => Ok(head.last_chunk().copied().map(Height::from_be_bytes)),
        Err(error) if [ErrorKind::NotFound, ErrorKind::UnexpectedEof].contains(&error.kind()) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

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
        if identity.validator.is_some()
            && let Some(voted) = voted_height(&wal).map_err(log_fails)?
        {
            let head = application.head().header.height;
            if voted > head.saturating_add(1) {
                return Err(ConsensusError::LostBlocks { voted, head });
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_says_at_which_height_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("consensus.wal");
        assert_eq!(voted_height(&path).unwrap(), None);
        std::fs::write(&path, [0; 5]).unwrap();
        assert_eq!(voted_height(&path).unwrap(), None);
        let log = [&[0, 0, 0, 1][..], &77_u64.to_be_bytes(), b"entries"].concat();
        std::fs::write(&path, log).unwrap();
        assert_eq!(voted_height(&path).unwrap(), Some(77));
    }

    #[test]
    fn only_a_log_cut_in_its_first_write_is_emptied() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("consensus.wal");
        mend_wal(&path).unwrap();
        assert!(!path.exists());
        for (before, after) in [(0, 0), (1, 0), (11, 0), (12, 12), (200, 200)] {
            std::fs::write(&path, vec![1; before]).unwrap();
            mend_wal(&path).unwrap();
            assert_eq!(std::fs::read(&path).unwrap().len(), after);
        }
    }
}
