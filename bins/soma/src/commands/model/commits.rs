//! What `soma model commit` keeps until the reveal: without key and embedding the weights cannot
//! be revealed.

use std::io::Write as _;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use soma_sdk::types::{Address, ChainId, Epoch, ModelId, WeightsKey};

use super::reveals::FOLDER;
use crate::context::Context;
use crate::error::CliError;

/// A commit that waits for its reveal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeptCommit {
    pub(super) chain_id: ChainId,
    pub(super) owner: Address,
    pub(super) model: ModelId,
    /// The one epoch in which the reveal counts.
    pub(super) reveal_epoch: Epoch,
    /// Secret until the reveal.
    pub(super) key: WeightsKey,
    pub(super) embedding: Vec<f32>,
}

fn path(context: &Context, model: ModelId) -> PathBuf {
    let folder = context.dir.dir().join(FOLDER).join("commits");
    folder.join(format!("{model}.json"))
}

/// All that are kept.
pub(super) fn all(context: &Context) -> Vec<KeptCommit> {
    let folder = context.dir.dir().join(FOLDER).join("commits");
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let read = entries.flatten().filter_map(|entry| {
        let bytes = std::fs::read(entry.path()).ok()?;
        serde_json::from_slice(&bytes).ok()
    });
    read.collect()
}

/// The commit to a model's weights, if one is kept.
///
/// # Errors
/// A file that cannot be read or is damaged.
pub(super) fn of(context: &Context, model: ModelId) -> Result<Option<KeptCommit>, CliError> {
    let path = path(context, model);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(CliError::file(path)(error)),
    };
    let commit = serde_json::from_slice(&bytes).map_err(|error| CliError::File {
        path,
        reason: format!("no commit: {error}"),
    })?;
    Ok(Some(commit))
}

/// Keeps a commit, in place of an earlier one to weights of the same model. On disk when this
/// returns, for its owner alone.
///
/// # Errors
/// The settings folder cannot be written.
pub(super) fn keep(context: &Context, commit: &KeptCommit) -> Result<(), CliError> {
    let path = path(context, commit.model);
    let folder = path.parent().unwrap_or(context.dir.dir());
    let bytes = serde_json::to_vec_pretty(commit)
        .map_err(|error| CliError::Invalid(format!("a commit: {error}")))?;
    let write = || {
        std::fs::create_dir_all(folder)?;
        // Such a file is for its owner alone from the beginning.
        let mut beside = tempfile::NamedTempFile::new_in(folder)?;
        beside.write_all(&bytes)?;
        beside.as_file().sync_all()?;
        beside.persist(&path)?;
        Ok(())
    };
    write().map_err(CliError::file(&path))
}

/// Forgets the commit to a model's weights.
pub(super) fn forget(context: &Context, model: ModelId) {
    // What stays is no harm: the chain says that the weights are revealed.
    let _ = std::fs::remove_file(path(context, model));
}
