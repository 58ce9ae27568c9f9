//! Downloading what the chain names: data of submissions, weights of models.

use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::Path;

use soma_api::WeightsView;
use soma_blobs::{AddressPolicy, BlobError, BlobRef, FetchConfig, Fetcher};
use soma_crypto::sealed;
use soma_types::{ModelId, TargetId};

use super::part::Part;
use crate::client::Client;
use crate::error::SdkError;

/// Downloads of blobs that the chain names. What is not there any more under its own URL is asked
/// from the node; whoever gives it, its checksum must match.
#[derive(Clone, Debug)]
pub struct Downloads {
    client: Client,
    fetcher: Fetcher,
    /// The node is an address that the user chose, private or not.
    from_node: Fetcher,
}

impl Client {
    /// Downloads after `config`, which says which addresses may be connected to.
    ///
    /// # Errors
    /// [`SdkError::Blob`] for settings that cannot be.
    pub fn downloads(&self, config: FetchConfig) -> Result<Downloads, SdkError> {
        let from_node = FetchConfig {
            policy: AddressPolicy::anywhere(),
            tries: 1,
            ..config.clone()
        };
        Ok(Downloads {
            client: self.clone(),
            fetcher: Fetcher::new(config)?,
            from_node: Fetcher::new(from_node)?,
        })
    }
}

impl Downloads {
    /// Downloads the data that filled a target into the file `to`, which is replaced only when all
    /// is well. Gives its size in bytes.
    ///
    /// # Errors
    /// [`SdkError::InvalidArgument`] when the target is not filled; [`SdkError::Blob`].
    pub async fn data(&self, target: &TargetId, to: &Path) -> Result<u64, SdkError> {
        let view = self.client.target(target, false).await?;
        let Some(fill) = view.fill else {
            let text = format!("target {target} is {}: no data was submitted", view.status);
            return Err(SdkError::InvalidArgument(text));
        };
        let blob = BlobRef {
            url: fill.data.url,
            checksum: fill.data.checksum,
            size: fill.data.size,
        };
        let part = Part::beside(to, &blob)?;
        self.fetch(&blob, &format!("/v1/targets/{target}/data"), &part.path)
            .await?;
        put(&part.path, to)?;
        Ok(blob.size)
    }

    /// Downloads the weights of a model as they lie, sealed, into the file `to`. Gives what opens
    /// them.
    ///
    /// # Errors
    /// [`SdkError::InvalidArgument`] when the model has revealed none; [`SdkError::Blob`].
    pub async fn sealed_weights(
        &self,
        model: &ModelId,
        to: &Path,
    ) -> Result<WeightsView, SdkError> {
        let (weights, part) = self.fetch_weights(model, to).await?;
        put(&part.path, to)?;
        Ok(weights)
    }

    /// Downloads the weights of a model, opens them, and puts them into the file `to`. Gives what
    /// opened them.
    ///
    /// # Errors
    /// As [`Downloads::sealed_weights`]; [`BlobError::Sealed`] and
    /// [`BlobError::PlaintextMismatch`] when they are not what the owner committed to.
    pub async fn weights(&self, model: &ModelId, to: &Path) -> Result<WeightsView, SdkError> {
        let (weights, part) = self.fetch_weights(model, to).await?;
        let (sealed, place, named) = (part.path.clone(), to.to_owned(), weights.clone());
        let opened = tokio::task::spawn_blocking(move || open(&sealed, &place, &named));
        let opened = opened
            .await
            .unwrap_or_else(|_| Err(file(to, "the task that opens it ended")));
        // Another download of the same file begins anew.
        let _ = std::fs::remove_file(&part.path);
        opened.map(|()| weights)
    }

    /// Downloads the weights of an assigned model as the fill of a target pinned them, sealed, into
    /// the file `to`: what the submission is audited by, also after the model has revealed others.
    /// Gives what opens them.
    ///
    /// # Errors
    /// [`SdkError::InvalidArgument`] when the target is not filled, or its fill pinned no weights of
    /// the model; [`SdkError::Blob`].
    pub async fn pinned_weights(
        &self,
        target: &TargetId,
        model: &ModelId,
        to: &Path,
    ) -> Result<WeightsView, SdkError> {
        let card = self.client.scorecard(target).await?;
        let mut pinned = card.pinned_weights.into_iter();
        let weights = pinned
            .find(|one| one.model == *model)
            .and_then(|one| one.weights);
        let weights = weights.ok_or_else(|| {
            let text =
                format!("the fill of target {target} has pinned no weights of model {model}");
            SdkError::InvalidArgument(text)
        })?;
        let blob = blob_of(&weights);
        let part = Part::beside(to, &blob)?;
        self.fetch(
            &blob,
            &format!("/v1/targets/{target}/weights/{model}"),
            &part.path,
        )
        .await?;
        put(&part.path, to)?;
        Ok(weights)
    }

    /// Downloads the weights of a model to where they wait for their place `to`.
    async fn fetch_weights(
        &self,
        model: &ModelId,
        to: &Path,
    ) -> Result<(WeightsView, Part), SdkError> {
        let view = self.client.model(model, false).await?;
        let Some(weights) = view.weights else {
            let text = match view.status.as_str() {
                "inactive" => format!("model {model} has ended, and has no weights any more"),
                status => format!("model {model} is {status}: it has revealed no weights"),
            };
            return Err(SdkError::InvalidArgument(text));
        };
        let blob = blob_of(&weights);
        let part = Part::beside(to, &blob)?;
        self.fetch(&blob, &format!("/v1/models/{model}/weights"), &part.path)
            .await?;
        Ok((weights, part))
    }

    async fn fetch(&self, blob: &BlobRef, at_node: &str, to: &Path) -> Result<(), SdkError> {
        let first = match self.fetcher.fetch(blob, to, &|_| {}).await {
            Ok(()) => return Ok(()),
            Err(error @ (BlobError::DiskFull { .. } | BlobError::Io { .. })) => {
                return Err(error.into());
            }
            Err(error) => error,
        };
        tracing::warn!(error = %first, "not found under its own URL; the node is asked");
        let at_node = BlobRef {
            url: format!("{}{at_node}", self.client.rpc_url()),
            ..blob.clone()
        };
        match self.from_node.fetch(&at_node, to, &|_| {}).await {
            Ok(()) => Ok(()),
            // What is wrong with the blob itself says more than that the node has no copy.
            Err(error) => {
                tracing::warn!(%error, "the node does not have it");
                Err(first.into())
            }
        }
    }
}

fn blob_of(weights: &WeightsView) -> BlobRef {
    BlobRef {
        url: weights.url.clone(),
        checksum: weights.checksum,
        size: weights.size,
    }
}

fn put(part: &Path, to: &Path) -> Result<(), SdkError> {
    std::fs::rename(part, to).map_err(|error| file(to, error))
}

fn open(sealed: &Path, to: &Path, weights: &WeightsView) -> Result<(), SdkError> {
    let folder = match to.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let reader = BufReader::new(File::open(sealed).map_err(|error| file(sealed, error))?);
    let beside = tempfile::NamedTempFile::new_in(folder).map_err(|error| file(folder, error))?;
    let mut writer = BufWriter::new(beside);
    let report = sealed::open(reader, &mut writer, &weights.key);
    let report = report.map_err(|error| BlobError::Sealed {
        reason: error.to_string(),
    })?;
    if report.plaintext_checksum != weights.plaintext_checksum {
        let (expected, got) = (weights.plaintext_checksum, report.plaintext_checksum);
        return Err(BlobError::PlaintextMismatch { expected, got }.into());
    }
    writer.flush().map_err(|error| file(to, error))?;
    let whole = writer
        .into_inner()
        .map_err(|error| file(to, error.error()))?;
    whole
        .as_file()
        .sync_all()
        .map_err(|error| file(to, error))?;
    whole.persist(to).map_err(|error| file(to, error.error))?;
    Ok(())
}

pub(super) fn file(path: &Path, reason: impl ToString) -> SdkError {
    SdkError::File {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}
