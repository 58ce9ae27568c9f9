//! What keeps a run from being made.

use thiserror::Error;

/// Why a run could not begin. It says nothing of the network: this crate is at fault.
#[derive(Debug, Error)]
pub enum SimError {
    /// The world could not be made.
    #[error("the simulated world cannot be set up: {0}; mend soma-sim")]
    Setup(String),
}

impl SimError {
    /// Wraps any error of the setup.
    pub(crate) fn setup(error: impl ToString) -> Self {
        Self::Setup(error.to_string())
    }
}
