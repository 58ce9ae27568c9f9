//! Reading a checkpoint.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use soma_model::{ModelBackend, ModelConfig, V1Model, weights};

use super::folder::latest;
use super::{CURVE, MOMENTS, STATE, State, WEIGHTS};
use crate::curve::Curve;
use crate::learner::Learner;
use crate::optimizer::AdamW;
use crate::session::Inputs;
use crate::{TrainConfig, TrainError};

/// A run as it was when its checkpoint was written.
pub(crate) struct Loaded<B: ModelBackend> {
    pub(crate) learner: Learner<B>,
    pub(crate) state: State,
    pub(crate) curve: Curve,
    /// The checkpoint that it is from, if that says the same as one that is written now would.
    pub(crate) saved: Option<PathBuf>,
}

/// The state of the latest checkpoint of the run in `folder`. Makes and locks nothing.
///
/// # Errors
/// [`TrainError::NoCheckpoint`], [`TrainError::BadState`], [`TrainError::File`].
#[cfg(feature = "cli")]
pub(crate) fn state(folder: &Path) -> Result<State, TrainError> {
    read_text(&latest(folder)?.join(STATE), State::parse)
}

/// Loads the latest checkpoint of the run in `folder`, for settings and data that must be those of the run.
///
/// # Errors
/// [`TrainError::NoCheckpoint`], [`TrainError::BadState`], [`TrainError::Weights`],
/// [`TrainError::OtherConfig`], [`TrainError::OtherData`], [`TrainError::File`].
pub(crate) fn load<B: ModelBackend>(
    folder: &Path,
    config: &TrainConfig,
    data: Option<&str>,
    inputs: Option<&Inputs>,
    device: &B::Device,
) -> Result<Loaded<B>, TrainError> {
    let size = config.check()?;
    let path = latest(folder)?;
    let was = read_text(&path.join(STATE), State::parse)?;
    let mut state = was.clone().go_on(config, data)?;
    state.inputs = inputs.cloned().or(state.inputs);
    let curve = read_text(&path.join(CURVE), Curve::from_csv)?;
    let read = |name: &str| read_model(&path.join(name), &size, device);
    let model = read(WEIGHTS)?;
    let optimizer = match state.step {
        // Nothing was learned yet.
        0 => AdamW::new(config),
        steps => AdamW::resumed(config, steps, [read(MOMENTS[0])?, read(MOMENTS[1])?]),
    };
    let learner = Learner::new(config, model, optimizer, state.step, device);
    Ok(Loaded {
        learner,
        saved: state.is_written_like(&was).then_some(path),
        state,
        curve,
    })
}

/// Reads a weights file of a model of size `size`.
pub(crate) fn read_model<B: ModelBackend>(
    path: &Path,
    size: &ModelConfig,
    device: &B::Device,
) -> Result<V1Model<B>, TrainError> {
    let file = File::open(path).map_err(TrainError::file(path))?;
    weights::read(BufReader::new(file), size, device).map_err(TrainError::weights(path))
}

fn read_text<T>(
    path: &Path,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Result<T, TrainError> {
    let bytes = fs::read(path).map_err(TrainError::file(path))?;
    let text = std::str::from_utf8(&bytes).map_err(|error| error.to_string());
    text.and_then(parse).map_err(|reason| TrainError::BadState {
        path: path.to_owned(),
        reason,
    })
}
