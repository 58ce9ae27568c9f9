//! The difficulty controller.

use soma_types::{DifficultyState, Distance};

/// What the controller steers by.
#[derive(Clone, Copy, Debug)]
pub struct Parameters {
    /// Hits per epoch to steer to.
    pub hits_goal: u64,
    /// Components of an embedding.
    pub dim: u64,
    /// Weight of the past in the average, in basis points.
    pub ema_decay_bps: u64,
}

/// Threshold and average of hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difficulty {
    /// Threshold of new targets.
    pub threshold: Distance,
    /// Average of hits in units of 2^-16.
    pub hits_average: Option<u64>,
}

impl From<DifficultyState> for Difficulty {
    fn from(state: DifficultyState) -> Self {
        Self {
            threshold: state.distance_threshold,
            hits_average: state.hits_average,
        }
    }
}

impl From<Difficulty> for DifficultyState {
    fn from(state: Difficulty) -> Self {
        Self {
            distance_threshold: state.threshold,
            hits_average: state.hits_average,
        }
    }
}

impl Difficulty {
    /// The state after an epoch with `hits`.
    pub fn next(&self, _hits: u64, _parameters: &Parameters) -> Self {
        *self
    }
}
