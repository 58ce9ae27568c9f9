//! Weights are checked before anything is committed: validators slash the stake of a model whose
//! weights do not load. What the chain would refuse is known before anything is sealed.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use soma_crypto::sealed::{SealReport, SealedReader};
use soma_model::ModelConfig;
use soma_model::weights::{WeightsError, check};
use soma_sdk::types::{ModelId, Shannons, WeightsKey};
use soma_sdk::{Account, Client};

use super::own::create;
use crate::context::Context;
use crate::error::CliError;
use crate::transaction::simulate;

/// Checks that `account` can create a model, the money for it too.
///
/// # Errors
/// [`CliError::WouldFail`], or the node cannot be asked.
pub(in crate::commands) async fn check_new(
    context: &Context,
    account: &Account,
    stake: Option<Shannons>,
    commission_bps: u16,
) -> Result<(), CliError> {
    let client = account.client();
    let kind = create(client, stake, commission_bps, None).await?;
    let transaction = client.build(account.address(), kind).await?;
    simulate(context, &transaction).await.map(|_| ())
}

/// Checks that `account` can commit to new weights of `model`.
///
/// # Errors
/// [`CliError::WouldFail`], or the node cannot be asked.
pub(in crate::commands) async fn check_own(
    account: &Account,
    model: ModelId,
) -> Result<(), CliError> {
    let (client, address) = (account.client(), account.address());
    let view = client.model(&model, false).await?;
    let balance = account.balance().await?;
    let parameters = client.parameters().await?;
    let min_stake = Shannons(parameters.model_min_stake);
    let (code, message) = if view.owner != address {
        let owner = view.owner;
        let text = format!("model {model} is of {owner}, not of {address}; act as its owner");
        ("NotModelOwner", text)
    } else if view.status == "inactive" {
        let text = format!("model {model} has ended; publish a new one");
        ("ModelAlreadyInactive", text)
    } else if view.leaving {
        let text = format!("model {model} is leaving: it ends with this epoch; publish a new one");
        ("ModelAlreadyLeaving", text)
    } else if view.stake < min_stake {
        let stake = view.stake;
        let text = format!(
            "model {model} has stake {stake}, and needs {min_stake} to publish; stake with it first"
        );
        ("ModelMinStakeNotMet", text)
    } else if balance.0 < parameters.base_fee {
        let text = format!("{address} has {balance}, too little for the fee");
        ("InsufficientGas", text)
    } else {
        return Ok(());
    };
    let code = code.to_owned();
    Err(CliError::WouldFail { code, message })
}

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
