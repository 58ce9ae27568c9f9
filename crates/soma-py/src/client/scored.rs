//! What data was scored with, so that no submission is judged by other weights.

use std::collections::BTreeSet;

use quick_cache::sync::Cache;
use soma_api::{DataSource, ScoreRequest};
use soma_sdk::{ModelVersion, SdkError};
use soma_types::{Checksum, ModelId, TargetId};

/// Pieces of data that are remembered.
const PIECES: usize = 10_000;

/// Checksums of the sealed weights that data was scored with by this client, by the data's.
pub(super) struct Scored(Cache<Checksum, BTreeSet<Checksum>>);

impl Scored {
    pub(super) fn new() -> Self {
        Self(Cache::new(PIECES))
    }

    /// Remembers a request that was answered.
    pub(super) fn add(&self, request: &ScoreRequest) {
        let data = match &request.data {
            DataSource::Inline { bytes } => soma_crypto::checksum(&bytes.0),
            DataSource::Url(view) => view.checksum,
        };
        let mut weights = self.0.get(&data).unwrap_or_default();
        weights.extend(request.models.iter().map(|model| model.checksum));
        self.0.insert(data, weights);
    }

    /// The weights of a target's models now, for a submission of `data` that claims a loss of `claimed`.
    ///
    /// # Errors
    /// [`SdkError::ModelsChanged`] when the data was scored here, but not with the weights that this
    /// model has now.
    pub(super) async fn versions(
        &self,
        sdk: &soma_sdk::Client,
        target: TargetId,
        data: &Checksum,
        claimed: ModelId,
    ) -> Result<Option<Vec<ModelVersion>>, SdkError> {
        let Some(known) = self.0.get(data) else {
            return Ok(None);
        };
        // What is unknown is for the chain to refuse, by its own names.
        let (Ok(model), Ok(view)) = (
            sdk.model(&claimed, false).await,
            sdk.target(&target, false).await,
        ) else {
            return Ok(None);
        };
        let now = model.weights;
        if now.is_some_and(|weights| !known.contains(&weights.checksum)) {
            return Err(SdkError::ModelsChanged { target });
        }
        sdk.model_versions(&view.models).await.map(Some)
    }
}
