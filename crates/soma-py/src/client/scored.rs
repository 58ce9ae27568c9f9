//! What data was scored with, so that no submission is judged by other weights.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use quick_cache::unsync::Cache;
use soma_api::{DataSource, ErrorCode, ScoreRequest};
use soma_sdk::{ModelVersion, SdkError};
use soma_types::{Checksum, ModelId, TargetId};

/// Pieces of data that are remembered.
const PIECES: usize = 10_000;

/// The checksum of sealed weights, and the model whose they are; none for those named by hand.
type Weights = (Option<ModelId>, Checksum);

/// The weights that data was scored with by this client, by the data's checksum.
pub(super) struct Scored(Mutex<Cache<Checksum, BTreeSet<Weights>>>);

impl Scored {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Cache::new(PIECES)))
    }

    fn pieces(&self) -> MutexGuard<'_, Cache<Checksum, BTreeSet<Weights>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers a request that was answered, and whose weights it named.
    pub(super) fn add(&self, request: &ScoreRequest, models: Vec<Option<ModelId>>) {
        let data = match &request.data {
            DataSource::Inline { bytes } => soma_crypto::checksum(&bytes.0),
            DataSource::Url(view) => view.checksum,
        };
        let checksums = request.models.iter().map(|weights| weights.checksum);
        let mut pieces = self.pieces();
        let mut weights = pieces.get(&data).cloned().unwrap_or_default();
        weights.extend(models.into_iter().zip(checksums));
        pieces.insert(data, weights);
    }

    /// The weights of a target's models now, for a submission of `data` that claims a loss of
    /// `claimed`; none when the data was not scored here.
    ///
    /// # Errors
    /// [`SdkError::ModelsChanged`] when an assigned model was scored with other weights than it has
    /// now: any of them may be the winner now. Those that were never scored are let pass, but for
    /// `claimed`. [`SdkError`] of the node.
    pub(super) async fn versions(
        &self,
        sdk: &soma_sdk::Client,
        target: TargetId,
        data: &Checksum,
        claimed: ModelId,
    ) -> Result<Option<Vec<ModelVersion>>, SdkError> {
        let Some(known) = self.pieces().get(data).cloned() else {
            return Ok(None);
        };
        let assigned = match sdk.target(&target, false).await {
            Ok(view) => view.models,
            // For the chain to refuse, by its own name.
            Err(error) if error.api_code() == Some(ErrorCode::NotFound) => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut versions = BTreeSet::new();
        for model in assigned {
            let view = sdk.model(&model, false).await?;
            let (Some(version), Some(now)) = (ModelVersion::of(&view), &view.weights) else {
                continue;
            };
            let is_same = known.iter().any(|(_, weights)| *weights == now.checksum);
            let was_scored = known.iter().any(|(owner, _)| *owner == Some(model));
            if !is_same && (was_scored || model == claimed) {
                return Err(SdkError::ModelsChanged { target });
            }
            versions.insert(version);
        }
        Ok(Some(versions.into_iter().collect()))
    }
}
