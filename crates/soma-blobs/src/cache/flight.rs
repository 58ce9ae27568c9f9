//! One download for all who want the same blob.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use soma_types::Checksum;
use tokio::sync::watch;

use super::{CachedBlob, Shared, parts};
use crate::error::BlobError;
use crate::location::{BlobRef, shown};

/// Progress is told when this many more bytes have arrived.
const PROGRESS_STEP: u64 = 4 << 20;

/// How far a download is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Checksum of the blob.
    pub checksum: Checksum,
    /// Bytes that have arrived.
    pub bytes: u64,
    /// Bytes in all.
    pub total: u64,
    /// Whether it goes on.
    pub state: ProgressState,
}

/// Whether a download goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgressState {
    /// It goes on.
    Running,
    /// The blob is here and verified.
    Done,
    /// It failed, or nobody waits for it any more.
    Failed,
}

/// The result, once there is one.
type Landed = Option<Result<CachedBlob, BlobError>>;
/// Downloads under way. Keyed by the whole reference: a wrong URL must not spoil a good one for
/// the same checksum.
pub(super) type Flights = HashMap<BlobRef, watch::Receiver<Landed>>;

/// Waits for the download of `blob`, which is begun when there is none.
pub(super) async fn join(shared: &Arc<Shared>, blob: &BlobRef) -> Result<CachedBlob, BlobError> {
    let mut flight = {
        let mut index = shared.index();
        match index.flights.get(blob) {
            Some(flight) if flight.has_changed().is_ok() => flight.clone(),
            _ => {
                let (sender, receiver) = watch::channel(None);
                // Kept as a mark; the download counts only those who wait.
                index.flights.insert(blob.clone(), receiver.clone());
                tokio::spawn(fly(Arc::clone(shared), blob.clone(), sender));
                receiver
            }
        }
    };
    let landed = flight.wait_for(Option::is_some).await;
    let landed = landed.ok().and_then(|landed| landed.clone());
    landed.unwrap_or_else(|| {
        Err(BlobError::Io {
            what: format!("cannot download {}", shown(&blob.url)),
            reason: "the download was stopped; try again".to_owned(),
        })
    })
}

async fn fly(shared: Arc<Shared>, blob: BlobRef, sender: watch::Sender<Landed>) {
    let tell = |bytes, state| {
        let (checksum, total) = (blob.checksum, blob.size);
        // Nobody may be listening.
        let _ = shared.progress.send(Progress {
            checksum,
            bytes,
            total,
            state,
        });
    };
    let result = tokio::select! {
        result = download(&shared, &blob, &tell) => Some(result),
        () = abandoned(&sender) => None,
    };
    let state = match &result {
        Some(Ok(_)) => ProgressState::Done,
        _ => ProgressState::Failed,
    };
    if let Some(Err(error)) = &result {
        tracing::warn!(url = %shown(&blob.url), checksum = %blob.checksum, %error, "download failed");
    }
    let bytes = if state == ProgressState::Done {
        blob.size
    } else {
        0
    };
    // First out of the index: whoever comes now finds the blob, or begins anew.
    shared.index().flights.remove(&blob);
    tell(bytes, state);
    sender.send_replace(result);
}

/// Returns when only the mark in the index is left.
async fn abandoned(sender: &watch::Sender<Landed>) {
    loop {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        if sender.receiver_count() <= 1 {
            return;
        }
    }
}

/// Gives back what was reserved, also when the download is dropped halfway.
struct Reservation<'a> {
    shared: &'a Shared,
    size: u64,
    whole: Option<Checksum>,
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        self.shared.index().settle(self.size, self.whole);
    }
}

async fn download(
    shared: &Arc<Shared>,
    blob: &BlobRef,
    tell: &(impl Fn(u64, ProgressState) + Send + Sync),
) -> Result<CachedBlob, BlobError> {
    let slot = shared.slots.acquire().await;
    let slot = slot.map_err(|error| BlobError::Settings(error.to_string()))?;
    let part = part_path(shared, blob);
    make_room(shared, blob, &part)?;
    let mut reservation = Reservation {
        shared,
        size: blob.size,
        whole: None,
    };
    tracing::info!(url = %shown(&blob.url), checksum = %blob.checksum, bytes = blob.size, "downloading");
    let told = AtomicU64::new(0);
    let progress = |bytes: u64| {
        if bytes >= told.load(Ordering::Relaxed) + PROGRESS_STEP {
            told.store(bytes, Ordering::Relaxed);
            tell(bytes, ProgressState::Running);
        }
    };
    tell(0, ProgressState::Running);
    shared.fetcher.fetch(blob, &part, &progress).await?;
    let place = shared.path(&blob.checksum);
    fs::rename(&part, &place)
        .map_err(|error| BlobError::io(format!("cannot keep {}", place.display()), &error))?;
    reservation.whole = Some(blob.checksum);
    drop(reservation);
    drop(slot);
    tracing::info!(checksum = %blob.checksum, "downloaded and verified");
    Ok(CachedBlob::new(
        Arc::clone(shared),
        blob.checksum,
        blob.size,
    ))
}

/// The file of an unfinished download: one for each source.
fn part_path(shared: &Shared, blob: &BlobRef) -> PathBuf {
    let source = soma_crypto::checksum(format!("{} {}", blob.size, blob.url));
    let name = format!(
        "{}-{}",
        hex::encode(blob.checksum.0),
        hex::encode(&source.0[..8])
    );
    parts(&shared.config).join(name)
}

/// Reserves room; when it is short, leftovers of other downloads go first.
fn make_room(shared: &Shared, blob: &BlobRef, own: &std::path::Path) -> Result<(), BlobError> {
    let mut index = shared.index();
    let flying: Vec<PathBuf> = index
        .flights
        .keys()
        .map(|blob| part_path(shared, blob))
        .collect();
    let files = fs::read_dir(parts(&shared.config))
        .into_iter()
        .flatten()
        .flatten();
    let mut leftovers: Vec<(PathBuf, u64)> = files
        .filter_map(|file| Some((file.path(), file.metadata().ok()?.len())))
        .filter(|(path, _)| path != own && !flying.contains(path))
        .collect();
    let mut leftover: u64 = leftovers.iter().map(|(_, bytes)| bytes).sum();
    let max = shared.config.max_bytes;
    while index.bytes() + leftover + blob.size > max
        && let Some((path, bytes)) = leftovers.pop()
    {
        let _ = fs::remove_file(path);
        leftover -= bytes;
    }
    index.reserve(blob.size, max, leftover, |checksum| {
        tracing::debug!(%checksum, "removed from the cache to make room");
        let _ = fs::remove_file(shared.path(checksum));
    })
}
