//! Scorer, faucet, admin, epochs, downloads.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use serde_json::{Value, json};
use soma_api::{Base64, DataSource, DataView, ScoreRequest, WeightsSource};
use soma_sdk::blobs::FetchConfig;
use soma_sdk::{SdkError, Service};
use soma_types::{Address, ModelId, TargetId};

use super::{Called, Client, checked};
use crate::arguments::{embedding as check_embedding, parse};
use crate::bridge::Reply;
use crate::errors::Failure;

/// What is named by its place in the network.
enum Wanted {
    Weights(ModelId),
    Data(TargetId),
}

/// URL, checksum, size, key, checksum of the open file, and the model whose weights they are.
type Manifest = (String, String, u64, String, Option<String>, Option<String>);

fn weights(manifest: Manifest) -> Result<(Option<ModelId>, WeightsSource), Failure> {
    let (url, checksum, size, key, plain, model) = manifest;
    let model = model.map(|model| parse("models", &model)).transpose()?;
    let source = WeightsSource {
        url,
        checksum: parse("models", &checksum)?,
        size,
        key: parse("models", &key)?,
        plaintext_checksum: plain.map(|plain| parse("models", &plain)).transpose()?,
    };
    Ok((model, source))
}

#[pymethods]
impl Client {
    /// Raises when there is no scorer to ask.
    fn needs_scorer(&self, py: Python<'_>) -> PyResult<()> {
        match self.sdk.scoring_url() {
            Some(_) => Ok(()),
            None => Err(Failure::from(SdkError::NotConfigured {
                service: Service::Scoring,
                setting: "scoring_url",
            })
            .raise(py)),
        }
    }

    /// Scores data: those bytes, or what lies at the URL with that checksum and size.
    #[pyo3(signature = (models, target_embedding, seed, data = None, located = None))]
    fn score<'py>(
        &self,
        py: Python<'py>,
        models: Vec<Manifest>,
        target_embedding: Option<Vec<f32>>,
        seed: u64,
        data: Option<PyBackedBytes>,
        located: Option<(String, String, u64)>,
    ) -> Called<'py> {
        let request = || -> Result<_, Failure> {
            if let Some(target) = &target_embedding {
                check_embedding("target_embedding", target)?;
            }
            let data = match (data, located) {
                (Some(data), _) => DataSource::Inline {
                    bytes: Base64(data.to_vec()),
                },
                (None, Some((url, checksum, size))) => DataSource::Url(DataView {
                    url,
                    checksum: parse("data_checksum", &checksum)?,
                    size,
                }),
                (None, None) => {
                    let text = "Either data or both data_checksum and data_size are required";
                    return Err(Failure::Argument(text.to_owned()));
                }
            };
            let models: Result<Vec<_>, _> = models.into_iter().map(weights).collect();
            let (ids, models): (Vec<_>, Vec<_>) = models?.into_iter().unzip();
            let request = ScoreRequest {
                data,
                models,
                target_embedding,
                seed,
            };
            Ok((ids, request))
        };
        let (ids, request) = checked(py, request())?;
        let scored = Arc::clone(&self.scored);
        self.call(py, move |sdk| async move {
            let answer = sdk.score(&request).await?;
            scored.add(&request, ids);
            Reply::json(&answer)
        })
    }

    /// True when the scorer says that it can score.
    fn scorer_health<'py>(&self, py: Python<'py>) -> Called<'py> {
        self.call(
            py,
            |sdk| async move { Reply::json(&sdk.scorer_health().await?) },
        )
    }

    /// What the scorer is.
    fn scorer_info<'py>(&self, py: Python<'py>) -> Called<'py> {
        self.call(
            py,
            |sdk| async move { Reply::json(&sdk.scorer_info().await?) },
        )
    }

    /// Asks the faucet for money.
    fn request_faucet<'py>(&self, py: Python<'py>, address: &str) -> Called<'py> {
        let address: Address = checked(py, parse("address", address))?;
        self.call(py, move |sdk| async move {
            Reply::json(&sdk.request_faucet(address).await?)
        })
    }

    /// Ends the epoch of a localnet.
    fn advance_epoch<'py>(&self, py: Python<'py>) -> Called<'py> {
        self.call(
            py,
            |sdk| async move { Reply::json(&sdk.advance_epoch().await?) },
        )
    }

    /// Waits until the current epoch is over; gives the next.
    fn wait_for_next_epoch<'py>(&self, py: Python<'py>, seconds: f64) -> Called<'py> {
        let timeout = Duration::try_from_secs_f64(seconds);
        let timeout = timeout.map_err(|error| Failure::argument("timeout", error));
        let timeout = checked(py, timeout)?;
        self.call(py, move |sdk| async move {
            let epoch = sdk.wait_for_next_epoch(timeout).await?;
            Reply::json(&json!({ "epoch": epoch }))
        })
    }

    /// Downloads a model's weights into a file, as they lie: sealed.
    fn fetch_model<'py>(
        &self,
        py: Python<'py>,
        model_id: &str,
        path: PathBuf,
        allow_private: bool,
    ) -> Called<'py> {
        let model = checked(py, parse("model_id", model_id))?;
        self.fetch(py, Wanted::Weights(model), path, allow_private)
    }

    /// Downloads the data that filled a target into a file.
    fn fetch_data<'py>(
        &self,
        py: Python<'py>,
        target_id: &str,
        path: PathBuf,
        allow_private: bool,
    ) -> Called<'py> {
        let target = checked(py, parse("target_id", target_id))?;
        self.fetch(py, Wanted::Data(target), path, allow_private)
    }
}

impl Client {
    fn fetch<'py>(
        &self,
        py: Python<'py>,
        wanted: Wanted,
        path: PathBuf,
        allow_private: bool,
    ) -> Called<'py> {
        let config = match allow_private {
            true => FetchConfig::local(),
            false => FetchConfig::default(),
        };
        self.call(py, move |sdk| async move {
            let downloads = sdk.downloads(config)?;
            match wanted {
                Wanted::Weights(model) => {
                    downloads.sealed_weights(&model, &path).await?;
                }
                Wanted::Data(target) => {
                    downloads.data(&target, &path).await?;
                }
            }
            Ok(Reply::Json(Value::Null))
        })
    }
}
