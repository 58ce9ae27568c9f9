//! Snapshots of the state, as a node gives them.
//!
//! None of this proves what the state is: who uses it checks that its root is the one that a
//! verified header names, as [`soma_chain::Import`] does.

use soma_api::{SnapshotManifest, Snapshots};
use soma_types::Epoch;

use crate::client::Client;
use crate::error::SdkError;
use crate::http::Query;

impl Client {
    /// The snapshots that the node gives, newest first.
    ///
    /// # Errors
    /// [`SdkError`].
    pub async fn snapshots(&self) -> Result<Snapshots, SdkError> {
        let http = self.http();
        http.get(self.rpc(), "/v1/snapshots", &Query::new()).await
    }

    /// What the snapshot of the end of `epoch` consists of.
    ///
    /// # Errors
    /// `NotFound` when there is none; [`SdkError`].
    pub async fn snapshot(&self, epoch: Epoch) -> Result<SnapshotManifest, SdkError> {
        let path = format!("/v1/snapshots/{epoch}");
        self.http().get(self.rpc(), &path, &Query::new()).await
    }

    /// The bytes of chunk `index` of `manifest`, with the checksum that it names.
    ///
    /// # Errors
    /// [`SdkError::UnexpectedAnswer`] when the node's bytes are others; [`SdkError`].
    pub async fn snapshot_chunk(
        &self,
        manifest: &SnapshotManifest,
        index: usize,
    ) -> Result<Vec<u8>, SdkError> {
        let chunk = manifest.chunks.get(index).ok_or_else(|| {
            let count = manifest.chunks.len();
            SdkError::InvalidArgument(format!("chunk {index} of a snapshot with {count} chunks"))
        })?;
        let path = format!("/v1/snapshots/{}/chunks/{index}", manifest.epoch);
        let bytes = self.http().get_bytes(self.rpc(), &path).await?;
        match soma_crypto::checksum(&bytes) == chunk.checksum {
            true => Ok(bytes),
            false => Err(SdkError::UnexpectedAnswer {
                service: self.rpc().service,
                url: format!("{}{path}", self.rpc_url()),
                reason: "its bytes do not have the checksum of the manifest".to_owned(),
            }),
        }
    }
}
