//! Weights are checked before anything is committed: validators slash the stake of a model whose
//! weights do not load.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use soma_crypto::sealed::{SealReport, SealedReader};
use soma_model::ModelConfig;
use soma_model::weights::{WeightsError, check};
use soma_sdk::Client;
use soma_sdk::types::WeightsKey;

use crate::error::CliError;

/// The size of the network's models: that of the embeddings of its targets.
///
/// # Errors
/// The node cannot be asked, or no known size has such embeddings.
pub(in crate::commands) async fn network_size(client: &Client) -> Result<ModelConfig, CliError> {
    let dim = client.parameters().await?.target_embedding_dim;
    let found = ModelConfig::presets().find(|(_, size)| size.embedding_dim as u64 == dim);
    found.map(|(_, size)| size).ok_or_else(|| {
        let text = format!(
            "this network's embeddings have {dim} numbers: no size of models that this program \
             knows has, so it cannot check weights; use a newer version of it"
        );
        CliError::Invalid(text)
    })
}

/// Checks that an embedding has as many numbers as those of models of a size: the chain takes
/// commitments to any, and refuses their reveals.
///
/// # Errors
/// [`CliError::Invalid`].
pub(super) fn check_embedding(embedding: &[f32], size: ModelConfig) -> Result<(), CliError> {
    let (got, dim) = (embedding.len(), size.embedding_dim);
    match got == dim {
        true => Ok(()),
        false => Err(CliError::Invalid(format!(
            "the embedding has {got} numbers, this network's have {dim}"
        ))),
    }
}

/// Checks that a file holds a model of a size, whole and finite. Takes as long as reading it.
///
/// # Errors
/// [`CliError::Weights`], [`CliError::File`].
pub(in crate::commands) async fn check_weights(
    path: &Path,
    size: ModelConfig,
) -> Result<(), CliError> {
    let path = path.to_owned();
    blocking(move || {
        let file = File::open(&path).map_err(CliError::file(&path))?;
        check(BufReader::new(file), &size).map_err(CliError::weights(&path))
    })
    .await
}

/// Opens a sealed file without keeping what comes out, and checks that it holds a model of a size.
///
/// # Errors
/// [`CliError::File`] for a wrong key or a damaged file, [`CliError::Weights`].
pub(in crate::commands) async fn check_sealed(
    path: &Path,
    key: WeightsKey,
    size: ModelConfig,
) -> Result<SealReport, CliError> {
    let path = path.to_owned();
    blocking(move || {
        let file = File::open(&path).map_err(CliError::file(&path))?;
        let refuse = |error: soma_crypto::sealed::SealError| CliError::File {
            path: path.clone(),
            reason: error.to_string(),
        };
        let mut sealed = SealedReader::new(BufReader::new(file), &key).map_err(refuse)?;
        let checked = check(&mut sealed, &size);
        if let Err(WeightsError::Io(error)) = checked {
            // Nothing more can be read after it.
            return Err(CliError::file(&path)(error));
        }
        // What cannot be opened says more than that weights are cut off there; and the checksums
        // are known at the end only.
        let rest = io::copy(&mut sealed.by_ref(), &mut io::sink());
        rest.map_err(CliError::file(&path))?;
        checked.map_err(CliError::weights(&path))?;
        sealed.report().ok_or_else(|| CliError::File {
            path: path.clone(),
            reason: "it has no end".to_owned(),
        })
    })
    .await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CliError> + Send + 'static,
) -> Result<T, CliError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(CliError::Invalid(format!("checking stopped: {error}"))))
}
