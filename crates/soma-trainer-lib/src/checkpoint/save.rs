//! Writing a checkpoint.

use std::fs;
use std::path::PathBuf;

use soma_model::{ModelBackend, V1Model, weights};

use super::folder::{Folder, flush_folder, write_flushed};
use super::{CURVE, MOMENTS, STATE, State, WEIGHTS};
use crate::TrainError;
use crate::curve::Curve;
use crate::learner::Learner;

/// Saves the run, and removes all but the latest checkpoints. Gives the checkpoint's folder.
///
/// # Errors
/// [`TrainError::File`] and [`TrainError::Weights`]; the checkpoints there were are kept.
pub(crate) fn save<B: ModelBackend>(
    folder: &Folder,
    learner: &Learner<B>,
    state: &State,
    curve: &Curve,
) -> Result<PathBuf, TrainError> {
    folder.clear_partial()?;
    let partial = folder.partial();
    fs::create_dir(&partial).map_err(TrainError::file(&partial))?;
    let write = |model: &V1Model<B>, name: &str| {
        let path = partial.join(name);
        weights::write(model, &path).map_err(TrainError::weights(&path))
    };
    write(&learner.plain(), WEIGHTS)?;
    if let Some(moments) = learner.optimizer.moments(&learner.model) {
        for (moment, name) in moments.iter().zip(MOMENTS) {
            write(moment, name)?;
        }
    }
    write_flushed(&partial.join(CURVE), curve.to_csv().as_bytes())?;
    let path = partial.join(STATE);
    let text =
        serde_json::to_vec_pretty(state).map_err(|error| TrainError::file(&path)(error.into()))?;
    write_flushed(&path, &text)?;
    flush_folder(&partial)?;
    let whole = folder.put(state.step)?;
    let steps = folder.steps()?;
    let old = steps.len().saturating_sub(state.config.keep_checkpoints);
    for step in &steps[..old] {
        folder.remove(&folder.checkpoint(*step))?;
    }
    Ok(whole)
}
