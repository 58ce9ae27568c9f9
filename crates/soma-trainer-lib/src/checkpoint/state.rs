//! What a checkpoint says beside its tensors.

use serde::{Deserialize, Serialize};

use crate::session::Inputs;
use crate::{TrainConfig, TrainError};

/// The version of the format.
const VERSION: u32 = 1;

/// The state of a run. All random numbers follow from the seed of the settings and the step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    version: u32,
    /// Steps done.
    pub(crate) step: u64,
    /// Sequences taken from the data.
    pub(crate) position: u64,
    /// What tells this data from other.
    pub(crate) data: Option<String>,
    /// The settings of the run.
    pub(crate) config: TrainConfig,
    /// Those of its data, where the run is a session's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) inputs: Option<Inputs>,
    /// The best evaluation.
    pub(crate) best: Option<Best>,
    /// Evaluations since the best.
    pub(crate) since_best: u32,
}

/// The best evaluation of a run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Best {
    /// Steps done.
    pub step: u64,
    /// The held-out loss.
    pub loss: f64,
}

impl State {
    /// A run before its first step.
    pub(crate) fn new(config: TrainConfig, data: Option<String>, position: u64) -> Self {
        Self {
            version: VERSION,
            step: 0,
            position,
            data,
            config,
            inputs: None,
            best: None,
            since_best: 0,
        }
    }

    /// True where both are the same text.
    pub(super) fn is_written_like(&self, other: &Self) -> bool {
        let texts = (serde_json::to_string(self), serde_json::to_string(other));
        matches!(texts, (Ok(one), Ok(other)) if one == other)
    }

    /// Reads a state.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let state: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        match state.version {
            VERSION => Ok(state),
            other => Err(format!(
                "its version is {other}, and this program reads {VERSION}"
            )),
        }
    }

    /// Checks that the run can go on with these settings and this data, and takes them.
    ///
    /// # Errors
    /// [`TrainError::OtherConfig`] and [`TrainError::OtherData`].
    pub(crate) fn go_on(
        self,
        config: &TrainConfig,
        data: Option<&str>,
    ) -> Result<Self, TrainError> {
        if let Some(difference) = config.difference(&self.config) {
            let crate::config::Difference { field, was, now } = difference;
            return Err(TrainError::OtherConfig { field, was, now });
        }
        if let (Some(was), Some(now)) = (&self.data, data)
            && was != now
        {
            let (was, now) = (was.clone(), now.to_owned());
            return Err(TrainError::OtherData { was, now });
        }
        let config = config.clone();
        Ok(Self { config, ..self })
    }
}
