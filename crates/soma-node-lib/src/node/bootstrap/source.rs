//! The nodes that a snapshot is taken from, and what they offer.

use std::time::Duration;

use soma_api::{SNAPSHOT_FORMAT, SnapshotManifest};
use soma_chain::{Handover, header};
use soma_sdk::Client;
use soma_types::Epoch;

use super::error::{BootstrapError, SourceError};
use crate::snapshots::MAX_CHUNK_BYTES;

/// The longest that a source may take for an answer, chunks aside.
const TIMEOUT: Duration = Duration::from_secs(20);
/// The most chunks of a snapshot.
const MAX_CHUNKS: usize = 1 << 18;
/// The newest snapshots of a source that are tried. Of each source: one that invents many leaves
/// those of the others where they are.
const MAX_OFFERS: usize = 4;

/// A node that gives snapshots.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) url: String,
    pub(super) client: Client,
}

impl Source {
    pub(super) fn new(url: &str) -> Result<Self, BootstrapError> {
        let client = Client::builder().rpc_url(url).timeout(TIMEOUT).build();
        let client = client.map_err(|error| BootstrapError::Url {
            url: url.to_owned(),
            reason: error.to_string(),
        })?;
        Ok(Self {
            url: client.rpc_url().to_owned(),
            client,
        })
    }

    /// The epochs whose snapshots it offers: the newest few.
    pub(super) async fn offers(&self) -> Result<Vec<Epoch>, SourceError> {
        let offered = self.client.snapshots().await?.snapshots;
        let mut epochs: Vec<_> = offered.iter().map(|snapshot| snapshot.epoch).collect();
        epochs.sort();
        epochs.dedup();
        epochs.reverse();
        epochs.truncate(MAX_OFFERS);
        Ok(epochs)
    }

    /// Its snapshot of the state after the block of `handover`, as it says.
    pub(super) async fn manifest(
        &self,
        handover: &Handover,
        max_bytes: u64,
    ) -> Result<SnapshotManifest, SourceError> {
        let epoch = handover.committee.header.epoch;
        let manifest = self.client.snapshot(epoch).await?;
        let checked = check(&manifest, handover, max_bytes);
        checked.map_err(|reason| SourceError::Manifest {
            epoch: epoch.0,
            reason,
        })?;
        Ok(manifest)
    }

    /// Where a chunk lies.
    pub(super) fn chunk_url(&self, epoch: Epoch, index: usize) -> String {
        format!("{}/v1/snapshots/{epoch}/chunks/{index}", self.url)
    }
}

/// Checks a manifest against the verified header, and its sizes.
fn check(manifest: &SnapshotManifest, handover: &Handover, max_bytes: u64) -> Result<(), String> {
    if manifest.format != SNAPSHOT_FORMAT {
        let got = manifest.format;
        return Err(format!(
            "its form is {got}, this build reads {SNAPSHOT_FORMAT}"
        ));
    }
    let header = handover.committee.header;
    let differs = |what: &str, got: &dyn std::fmt::Display, want: &dyn std::fmt::Display| {
        Err(format!("its {what} is {got}; the certified one is {want}"))
    };
    if manifest.chain_id != header.chain_id {
        return differs("chain", &manifest.chain_id, &header.chain_id);
    }
    if manifest.epoch != header.epoch {
        return differs("epoch", &manifest.epoch, &header.epoch);
    }
    if manifest.height != header.height {
        return differs("height", &manifest.height, &header.height);
    }
    let digest = header::digest(&header);
    if manifest.digest != digest {
        return differs("digest", &manifest.digest, &digest);
    }
    if manifest.state_root != header.state_root {
        return differs("state root", &manifest.state_root, &header.state_root);
    }
    let count = manifest.chunks.len();
    if count == 0 || count > MAX_CHUNKS {
        return Err(format!("it has {count} chunks, not 1 to {MAX_CHUNKS}"));
    }
    for (index, chunk) in manifest.chunks.iter().enumerate() {
        let largest = chunk.size.max(chunk.content_size);
        if largest > MAX_CHUNK_BYTES || chunk.size == 0 {
            return Err(format!(
                "chunk {index} has {largest} bytes, not 1 to {MAX_CHUNK_BYTES}"
            ));
        }
    }
    let mut checksums: Vec<_> = manifest.chunks.iter().map(|chunk| chunk.checksum).collect();
    checksums.sort();
    checksums.dedup();
    if checksums.len() != count {
        return Err("it has a chunk twice".to_owned());
    }
    let content: u64 = manifest.chunks.iter().map(|chunk| chunk.content_size).sum();
    let size = manifest.size().max(content);
    match size > max_bytes {
        true => Err(format!(
            "it has {size} bytes; this node takes at most {max_bytes} (`snapshots.max_bytes`)"
        )),
        false => Ok(()),
    }
}
