//! One download for all who want the same blob.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use soma_types::Checksum;
use tokio::sync::watch;

use super::index::Kept;
use super::pace::{Line, Pace};
use super::{CachedBlob, Shared, parts, remove_if_empty};
use crate::error::BlobError;
use crate::location::{BlobRef, shown};

/// Progress is told when this many more bytes have arrived, or a sixteenth of all.
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

/// Times that a download is joined which then ends without a result.
const JOINS: usize = 5;

/// Waits for the download of `blob`, which is begun when there is none.
pub(super) async fn join(shared: &Arc<Shared>, blob: &BlobRef) -> Result<CachedBlob, BlobError> {
    for _ in 0..JOINS {
        let mut flight = match find_or_begin(shared, blob) {
            Found::Kept(kept) => return Ok(CachedBlob::new(Arc::clone(shared), kept)),
            Found::Flight(flight) => flight,
        };
        let landed = flight.wait_for(Option::is_some).await;
        if let Some(landed) = landed.ok().and_then(|landed| landed.clone()) {
            return landed;
        }
        // It was just being given up, since nobody had been waiting for it.
    }
    Err(BlobError::Io {
        what: format!("cannot download {}", shown(&blob.url)),
        reason: "the download was stopped; try again".to_owned(),
    })
}

enum Found {
    Kept(Kept),
    Flight(watch::Receiver<Landed>),
}

/// Looks again whether the blob is here: it may have landed since the caller looked.
fn find_or_begin(shared: &Arc<Shared>, blob: &BlobRef) -> Found {
    let mut index = shared.index();
    if index.has(&blob.checksum, blob.size)
        && let Some(kept) = index.take(&blob.checksum)
    {
        return Found::Kept(kept);
    }
    match index.flights.get(blob) {
        Some(flight) if flight.has_changed().is_ok() => Found::Flight(flight.clone()),
        _ => {
            let (sender, receiver) = watch::channel(None);
            // Kept as a mark; the download counts only those who wait.
            index.flights.insert(blob.clone(), receiver.clone());
            tokio::spawn(fly(Arc::clone(shared), blob.clone(), sender));
            Found::Flight(receiver)
        }
    }
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
    if state == ProgressState::Failed {
        remove_if_empty(&part_path(&shared, &blob));
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
    blob: &'a BlobRef,
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        self.shared.index().unreserve(self.blob);
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
    make_room(shared, blob, &part, Bound::Config)?;
    let _reservation = Reservation { shared, blob };
    tracing::info!(url = %shown(&blob.url), checksum = %blob.checksum, bytes = blob.size, "downloading");
    let step = PROGRESS_STEP.min(blob.size / 16);
    let (told, begin, pace) = (AtomicU64::new(0), Instant::now(), Pace::default());
    let progress = |bytes: u64| {
        if let Some(Line { percent, seconds }) = pace.line(begin.elapsed(), bytes, blob.size) {
            tracing::info!(checksum = %blob.checksum, bytes, total = blob.size, percent, seconds, "still downloading");
        }
        if bytes >= told.load(Ordering::Relaxed) + step {
            told.store(bytes, Ordering::Relaxed);
            tell(bytes, ProgressState::Running);
        }
    };
    tell(0, ProgressState::Running);
    let mut fetched = shared.fetcher.fetch(blob, &part, &progress).await;
    if matches!(fetched, Err(BlobError::DiskFull { .. }))
        && make_room(shared, blob, &part, Bound::FullDisk).is_ok()
    {
        tracing::info!(checksum = %blob.checksum, "the disk was full; made room and try again");
        fetched = shared.fetcher.fetch(blob, &part, &progress).await;
    }
    fetched?;
    drop(slot);
    let kept = land(shared, blob, &part)?;
    tracing::info!(checksum = %blob.checksum, "downloaded and verified");
    Ok(CachedBlob::new(Arc::clone(shared), kept))
}

/// Moves a verified file to its place, and begins its first use.
fn land(shared: &Shared, blob: &BlobRef, part: &Path) -> Result<Kept, BlobError> {
    let place = shared.path(&blob.checksum);
    let fail = |reason| BlobError::io(format!("cannot keep {}", place.display()), &reason);
    let mut index = shared.index();
    fs::rename(part, &place).map_err(fail)?;
    index.unreserve(blob);
    index.keep(blob.checksum, blob.size);
    let kept = index.take(&blob.checksum);
    kept.ok_or_else(|| fail(std::io::ErrorKind::NotFound.into()))
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

/// How much may lie on disk.
#[derive(Clone, Copy)]
enum Bound {
    /// As much as the configuration says.
    Config,
    /// As much as lies there now: the disk holds no more.
    FullDisk,
}

/// Reserves room; when it is short, leftovers of other downloads go first.
fn make_room(shared: &Shared, blob: &BlobRef, own: &Path, bound: Bound) -> Result<(), BlobError> {
    let mut index = shared.index();
    // The first try may have reserved it already.
    index.unreserve(blob);
    let paths = |blobs: Vec<&BlobRef>| -> Vec<PathBuf> {
        let paths = blobs.into_iter().map(|blob| part_path(shared, blob));
        paths.collect()
    };
    let reserved = paths(index.reserved().iter().collect());
    // Those that wait for a slot have no room reserved yet, but will go on from what they have.
    let flying = paths(index.flights.keys().collect());
    let files = fs::read_dir(parts(&shared.config))
        .into_iter()
        .flatten()
        .flatten();
    let (staying, mut leaving): (Vec<_>, Vec<_>) = files
        .filter_map(|file| Some((file.path(), file.metadata().ok()?)))
        .filter(|(_, metadata)| metadata.is_file())
        .map(|(path, metadata)| (path, metadata.len()))
        .filter(|(path, _)| path != own && !reserved.contains(path))
        .partition(|(path, _)| flying.contains(path));
    let sum = |files: &[(PathBuf, u64)]| -> u64 { files.iter().map(|(_, bytes)| bytes).sum() };
    let mut leftover = sum(&staying) + sum(&leaving);
    let max = match bound {
        Bound::Config => shared.config.max_bytes,
        Bound::FullDisk => {
            let own_bytes = fs::metadata(own).map_or(0, |own| own.len());
            index.bytes() + index.reserved_bytes() + leftover + own_bytes
        }
    };
    let size = blob.size;
    if !index.can_hold(size, sum(&staying), max) {
        return Err(BlobError::CacheFull { size, max });
    }
    while index.bytes() + index.reserved_bytes() + leftover + size > max
        && let Some((path, bytes)) = leaving.pop()
    {
        let _ = fs::remove_file(path);
        leftover -= bytes;
    }
    index.reserve(blob, max, leftover, |checksum| {
        tracing::debug!(%checksum, "removed from the cache to make room");
        let _ = fs::remove_file(shared.path(checksum));
    })
}
