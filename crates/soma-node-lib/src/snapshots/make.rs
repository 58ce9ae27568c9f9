//! Making snapshots while the node goes on.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use soma_api::{SNAPSHOT_FORMAT, SnapshotManifest};
use soma_chain::{ChainError, Export, header};
use soma_types::{Epoch, Height};
use thiserror::Error;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Snapshots, chunk};
use crate::application::{Application, NodeChain};
use crate::store::NodeStore;

/// The state at the end of an epoch, held until it is read.
pub(crate) type StateExport = Export<NodeStore>;

/// Why a snapshot was not made.
#[derive(Debug, Error)]
pub(super) enum MakeError {
    #[error(transparent)]
    Chain(#[from] ChainError),
    #[error("cannot be written: {0}")]
    File(#[from] std::io::Error),
    #[error("the last block of the epoch has no hand-over")]
    NoHandover,
    #[error("the node is stopping")]
    Stopping,
}

/// Takes hold of the state at the end of an epoch in the moment when the next one begins: a moment
/// later it may be gone.
#[derive(Default)]
pub(crate) struct EpochEnds {
    /// Every so manieth; none while nobody makes snapshots.
    every: OnceLock<u64>,
    /// What waits for the snapshot that is being made now. A newer state takes its place.
    waiting: Mutex<Option<StateExport>>,
    news: Notify,
}

fn is_wanted(every: u64, epoch: Epoch) -> bool {
    epoch.0.saturating_add(1).is_multiple_of(every.max(1))
}

impl EpochEnds {
    /// An epoch has ended with the block at `height`, the chain's head. Waits for nothing.
    pub(crate) fn on_end(&self, chain: &Arc<NodeChain>, epoch: Epoch, height: Height) {
        if !self
            .every
            .get()
            .is_some_and(|every| is_wanted(*every, epoch))
        {
            return;
        }
        let export = match Export::begin(Arc::clone(chain), height) {
            Ok(export) => export,
            Err(error) => {
                tracing::warn!(epoch = epoch.0, %error, "no snapshot");
                return;
            }
        };
        if let Some(older) = self.lock().replace(export) {
            let height = older.height();
            tracing::warn!(height, "no snapshot: one before took longer than an epoch");
        }
        self.news.notify_one();
    }

    async fn next(&self) -> StateExport {
        loop {
            if let Some(export) = self.lock().take() {
                return export;
            }
            self.news.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<StateExport>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Snapshots {
    /// Makes snapshots from now on until `stop`, beginning with that of the last epoch when it is
    /// missing and its state is still kept.
    pub(crate) fn start(
        self,
        application: Arc<Application>,
        stop: CancellationToken,
    ) -> JoinHandle<()> {
        // Set once: a node has one store of snapshots.
        let every = self.shared.config.every_epochs;
        let _ = application.epoch_ends().every.set(every);
        tokio::spawn(async move {
            let (snapshots, missing) = (self.clone(), Arc::clone(&application));
            let missing = tokio::task::spawn_blocking(move || snapshots.missing(&missing));
            let mut next = missing.await.ok().flatten();
            loop {
                let export = match next.take() {
                    Some(export) => export,
                    None => tokio::select! {
                        () = stop.cancelled() => return,
                        export = application.epoch_ends().next() => export,
                    },
                };
                let (snapshots, stop) = (self.clone(), stop.clone());
                // It ends with an error only when the runtime does.
                let _ = tokio::task::spawn_blocking(move || snapshots.take(export, &stop)).await;
            }
        })
    }

    /// The state at the end of the last epoch, when there is no snapshot of it.
    fn missing(&self, application: &Application) -> Option<StateExport> {
        let chain = application.chain();
        let epoch = chain.system().epoch.minus(1)?;
        if !is_wanted(self.shared.config.every_epochs, epoch) || self.manifest(epoch).is_some() {
            return None;
        }
        let handover = chain.reader().handover(epoch).ok().flatten()?;
        Export::begin(Arc::clone(chain), handover.committee.header.height).ok()
    }

    fn take(&self, export: StateExport, stop: &CancellationToken) {
        let (since, height) = (Instant::now(), export.height());
        match self.make(export, stop) {
            Ok(manifest) => tracing::info!(
                epoch = manifest.epoch.0,
                height,
                digest = %manifest.digest,
                chunks = manifest.chunks.len(),
                bytes = manifest.size(),
                seconds = since.elapsed().as_secs_f64(),
                "snapshot"
            ),
            Err(MakeError::Stopping) => {}
            Err(error) => tracing::error!(height, %error, "no snapshot"),
        }
    }

    /// Makes a snapshot, and removes those that are not kept any more. Blocks the thread.
    fn make(
        &self,
        mut export: StateExport,
        stop: &CancellationToken,
    ) -> Result<Arc<SnapshotManifest>, MakeError> {
        let chain = Arc::clone(export.chain());
        let height = export.height();
        let handover = {
            let reader = chain.reader();
            // The block ended the epoch before the one that it made current; later ones may have
            // passed meanwhile.
            let mut epoch = reader.system().epoch;
            loop {
                epoch = epoch.minus(1).ok_or(MakeError::NoHandover)?;
                let found = reader.handover(epoch)?.ok_or(MakeError::NoHandover)?;
                if found.committee.header.height <= height {
                    break found;
                }
            }
        };
        let header = handover.committee.header;
        if header.height != height {
            return Err(MakeError::NoHandover);
        }
        let folder = &self.shared.folder;
        let mut unfinished = folder.begin(header.epoch)?;
        loop {
            let since = Instant::now();
            let Some(entries) = export.next(self.shared.config.chunk())? else {
                break;
            };
            let (bytes, content_size) = chunk::encode(&entries)?;
            drop(entries);
            unfinished.add(&bytes, content_size)?;
            // Blocks come first: at most half of one core's time.
            if !wait(since.elapsed(), stop) {
                return Err(MakeError::Stopping);
            }
        }
        // What was kept for it can go.
        drop(export);
        let manifest = SnapshotManifest {
            format: SNAPSHOT_FORMAT,
            chain_id: header.chain_id,
            epoch: header.epoch,
            height,
            digest: header::digest(&header),
            state_root: header.state_root,
            chunks: std::mem::take(&mut unfinished.chunks),
        };
        folder.finish(unfinished, &manifest)?;
        let manifest = Arc::new(manifest);
        self.add(Arc::clone(&manifest))?;
        Ok(manifest)
    }
}

/// Waits, unless the node is stopping: then it is false.
fn wait(time: Duration, stop: &CancellationToken) -> bool {
    const STEP: Duration = Duration::from_millis(50);
    let until = Instant::now() + time;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if stop.is_cancelled() {
            return false;
        }
        if left.is_zero() {
            return true;
        }
        std::thread::sleep(left.min(STEP));
    }
}
