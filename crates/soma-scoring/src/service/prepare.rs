//! From a request to a job: what must be there is downloaded and checked.

use std::sync::Arc;

use futures::future::try_join_all;
use soma_api::{DataSource, WeightsSource};
use soma_blobs::{BlobRef, Cache};
use soma_crypto::sealed::sealed_len;
use soma_model::{ModelConfig, TokenizedData, weights};
use soma_types::Embedding;

use super::shared::Shared;
use crate::error::{LoadError, ScoringError};
use crate::scores::DataName;
use crate::source::{ModelSource, SealedWeights};

/// A piece of data, ready to be scored.
pub(super) struct Piece {
    pub(super) name: DataName,
    pub(super) tokens: TokenizedData,
}

/// Size of data in bytes, as it came or as it is said to be.
pub(super) fn size(data: &DataSource) -> u64 {
    match data {
        DataSource::Inline { bytes } => bytes.0.len() as u64,
        DataSource::Url(view) => view.size,
    }
}

impl Shared {
    /// The direction to measure to.
    pub(super) fn target(
        &self,
        numbers: Option<&[f32]>,
    ) -> Result<Option<Embedding>, ScoringError> {
        let Some(numbers) = numbers else {
            return Ok(None);
        };
        let dim = self.config.scorer.model.embedding_dim;
        if numbers.len() != dim {
            let text = format!("{} numbers; models here have {dim}", numbers.len());
            return Err(ScoringError::InvalidTarget(text));
        }
        let embedding = Embedding::from_f32(numbers);
        embedding
            .map(Some)
            .map_err(|error| ScoringError::InvalidTarget(error.to_string()))
    }

    /// Downloads the weights, all at the same time.
    pub(super) async fn models(
        &self,
        models: &[WeightsSource],
    ) -> Result<Vec<Arc<dyn ModelSource>>, ScoringError> {
        let (count, max) = (models.len(), self.config.max_models);
        if count == 0 {
            return Err(ScoringError::NoModels);
        }
        if count > max {
            return Err(ScoringError::TooManyModels { count, max });
        }
        let max = largest_sealed(&self.config.scorer.model);
        let all = models.iter().enumerate().map(|(place, model)| async move {
            // Whoever committed to such a size is at fault, whether or not there is room for it.
            if model.size > max {
                let error = LoadError::TooLarge {
                    size: model.size,
                    max,
                };
                return Err(ScoringError::Model {
                    model: place,
                    error,
                });
            }
            let blob = BlobRef {
                url: model.url.clone(),
                checksum: model.checksum,
                size: model.size,
            };
            let blob = self.cache.get(&blob).await.map_err(|error| {
                let error = LoadError::Blob(error);
                ScoringError::Model {
                    model: place,
                    error,
                }
            })?;
            let source: Arc<dyn ModelSource> = Arc::new(SealedWeights {
                blob,
                key: model.key,
                plaintext_checksum: model.plaintext_checksum,
            });
            Ok(source)
        });
        try_join_all(all).await
    }

    /// The data, if it can be scored. What cannot is dropped here: it is not even downloaded, and
    /// takes no memory while the rest of its request waits.
    pub(super) fn fitting(&self, data: DataSource) -> Result<DataSource, ScoringError> {
        let (size, max) = (size(&data), self.config.scorer.max_data_bytes);
        if size > max {
            return Err(ScoringError::DataTooLarge { size, max });
        }
        if size == 0 {
            return Err(ScoringError::EmptyData);
        }
        Ok(data)
    }

    /// Gets one piece of data and cuts it into sequences.
    pub(super) async fn piece(self: &Arc<Self>, data: DataSource) -> Result<Piece, ScoringError> {
        let bytes = match data {
            DataSource::Inline { bytes } => bytes.0,
            DataSource::Url(view) => {
                let blob = BlobRef {
                    url: view.url,
                    checksum: view.checksum,
                    size: view.size,
                };
                read(&self.cache, &blob).await?
            }
        };
        let shared = Arc::clone(self);
        let cut = tokio::task::spawn_blocking(move || {
            Ok(Piece {
                name: DataName {
                    checksum: soma_crypto::checksum(&bytes),
                    size: bytes.len() as u64,
                },
                tokens: shared.scorer.tokenize(&bytes)?,
            })
        });
        cut.await.unwrap_or(Err(ScoringError::Stopping))
    }
}

/// The largest sealed weights of models of this size, in bytes: what is said to be larger can hold
/// no such model, and is not worth a download.
pub fn largest_sealed(size: &ModelConfig) -> u64 {
    sealed_len(weights::largest_file_bytes(size)).unwrap_or(u64::MAX)
}

/// Downloads and reads a small blob; once more when the kept file turns out to be damaged.
async fn read(cache: &Cache, blob: &BlobRef) -> Result<Vec<u8>, ScoringError> {
    let mut tries = 0;
    loop {
        let kept = cache.get(blob).await.map_err(ScoringError::Data)?;
        let read = tokio::task::spawn_blocking(move || kept.read());
        match read.await {
            Ok(Ok(bytes)) => return Ok(bytes),
            Ok(Err(soma_blobs::BlobError::Damaged { .. })) if tries == 0 => tries += 1,
            Ok(Err(error)) => return Err(ScoringError::Data(error)),
            Err(_) => return Err(ScoringError::Stopping),
        }
    }
}
