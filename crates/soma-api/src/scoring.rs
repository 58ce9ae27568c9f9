//! The scoring service: what models say of data.

use serde::{Deserialize, Serialize};
use soma_types::{Checksum, WeightsKey};
use thiserror::Error;

use crate::bytes::Base64;
use crate::error::ErrorBody;
use crate::model::WeightsView;
use crate::target::DataView;

/// Data to score: where it lies, or the bytes themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(untagged, try_from = "DataFields")]
pub enum DataSource {
    /// Downloaded by the service and checked.
    Url(DataView),
    /// Sent along.
    Inline {
        /// The data, as Base64.
        bytes: Base64,
    },
}

/// What [`DataSource`] is read from: serde's own error for untagged forms names no field.
#[derive(Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "data with `bytes`, or with `url`, `checksum` and `size`"
)]
struct DataFields {
    bytes: Option<Base64>,
    url: Option<String>,
    checksum: Option<Checksum>,
    size: Option<u64>,
}

/// Fields that make no data together.
#[derive(Debug, Error)]
#[error("data with {given:?}; give `bytes` alone, or `url`, `checksum` and `size` together")]
struct WrongFields {
    given: Vec<&'static str>,
}

impl TryFrom<DataFields> for DataSource {
    type Error = WrongFields;

    fn try_from(fields: DataFields) -> Result<Self, WrongFields> {
        let DataFields {
            bytes,
            url,
            checksum,
            size,
        } = fields;
        match (bytes, url, checksum, size) {
            (Some(bytes), None, None, None) => Ok(Self::Inline { bytes }),
            (None, Some(url), Some(checksum), Some(size)) => Ok(Self::Url(DataView {
                url,
                checksum,
                size,
            })),
            (bytes, url, checksum, size) => {
                let given = [
                    bytes.map(|_| "bytes"),
                    url.map(|_| "url"),
                    checksum.map(|_| "checksum"),
                    size.map(|_| "size"),
                ];
                let given = given.into_iter().flatten().collect();
                Err(WrongFields { given })
            }
        }
    }
}

/// Sealed weights to score with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct WeightsSource {
    /// Where the sealed file lies.
    pub url: String,
    /// SHA3-256 of the sealed file.
    pub checksum: Checksum,
    /// Size of the sealed file in bytes.
    pub size: u64,
    /// The key that opens it.
    pub key: WeightsKey,
    /// SHA3-256 of the opened file; checked when given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plaintext_checksum: Option<Checksum>,
}

impl From<&WeightsView> for WeightsSource {
    fn from(weights: &WeightsView) -> Self {
        Self {
            url: weights.url.clone(),
            checksum: weights.checksum,
            size: weights.size,
            key: weights.key,
            plaintext_checksum: Some(weights.plaintext_checksum),
        }
    }
}

/// Asks for the scores of one piece of data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ScoreRequest {
    /// The data.
    pub data: DataSource,
    /// The models; at least one.
    pub models: Vec<WeightsSource>,
    /// A direction to measure distances to: as many numbers as an embedding has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_embedding: Option<Vec<f32>>,
    /// Seed of SIGReg's noise: 0 wherever the network compares results.
    #[serde(default)]
    pub seed: u64,
}

/// Asks for the scores of many pieces of data with the same models.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct BatchScoreRequest {
    /// The pieces of data; at least one.
    pub data: Vec<DataSource>,
    /// The models; at least one.
    pub models: Vec<WeightsSource>,
    /// A direction to measure distances to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_embedding: Option<Vec<f32>>,
    /// Seed of SIGReg's noise.
    #[serde(default)]
    pub seed: u64,
}

/// What one model says of one piece of data. Numbers are absent where they are not finite.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ModelScoreView {
    /// Cross-entropy and SIGReg, mean over batches, in nats.
    pub loss: Option<f64>,
    /// The loss in units of 2^-30, as a submission claims it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_fixed: Option<u64>,
    /// Bits that the model needs for a byte of the data.
    pub bits_per_byte: Option<f64>,
    /// Where the data lies, of length one.
    pub embedding: Option<Vec<f32>>,
    /// Distance of the embedding to the target: 1 − cosine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distance: Option<f64>,
    /// The distance in units of 2^-30, as the chain computes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distance_fixed: Option<u32>,
}

/// The scores of one piece of data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ScoreResponse {
    /// Place of the model with the lowest loss in the request; absent when no loss is finite.
    pub winner: Option<usize>,
    /// The scores, in the order of the request's models.
    pub models: Vec<ModelScoreView>,
    /// SHA3-256 of the data.
    pub data_checksum: Checksum,
    /// Size of the data in bytes.
    pub data_size: u64,
}

/// One piece of a batch: its scores, or why there are none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum PieceView {
    /// The scores.
    Scores(ScoreResponse),
    /// Why this piece has none; the others are not affected.
    Error(ErrorBody),
}

/// The scores of a batch, in the order of the request's pieces.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BatchScoreResponse {
    /// One entry for each piece.
    pub results: Vec<PieceView>,
}

/// Version of the contract from data to loss and embedding: scores of one version compare.
pub const CONTRACT_VERSION: u64 = 1;

/// A scoring service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ScorerInfo {
    /// Version of the program.
    pub version: String,
    /// Version of the contract from data to loss and embedding; scores of one version compare.
    pub contract_version: u64,
    /// `cpu`, `wgpu` or `cuda`, with its number where there are several.
    pub device: String,
    /// What the driver calls it.
    pub device_name: String,
    /// What linear maps compute with: `f32` or `bf16`.
    pub precision: String,
    /// Size of the models: `v1`, `small`, or another preset's name.
    pub model_size: String,
    /// Components of an embedding.
    pub embedding_dim: u64,
    /// Parameters of a model.
    pub parameters: u64,
    /// Bytes that models may take where they run: their weights, and what is computed with them.
    /// On the CPU `--memory` without what requests may take of it, on a GPU `--device-memory`. What
    /// the program takes without models and requests is not counted.
    pub memory_bytes: u64,
    /// Bytes of weights that are loaded.
    pub loaded_bytes: u64,
    /// Models that are loaded.
    pub loaded_models: u64,
    /// Bytes of downloads that may be kept.
    pub cache_max_bytes: u64,
    /// Bytes of downloads that are kept.
    pub cache_bytes: u64,
    /// Requests that may wait.
    pub queue_max: u64,
    /// Requests that wait or are worked on.
    pub queue: u64,
    /// The largest piece of data that is scored, in bytes.
    pub max_data_bytes: u64,
}

/// Progress of a download, as the event stream tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DownloadView {
    /// Checksum of what is downloaded.
    pub checksum: Checksum,
    /// Bytes that have arrived.
    pub bytes: u64,
    /// Bytes in all.
    pub total: u64,
    /// `running`, `done` or `failed`.
    pub state: String,
}
