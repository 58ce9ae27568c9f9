//! What can be wrong with a weights file.

use std::io;

use thiserror::Error;

/// Why weights cannot be read or written.
#[derive(Debug, Error)]
pub enum WeightsError {
    /// The file is not in the safetensors format.
    #[error("not a weights file: {reason}")]
    Malformed {
        /// What is wrong with it.
        reason: String,
    },
    /// A tensor that the model needs is not there.
    #[error("tensor `{name}` is missing; a model of this size needs it with shape {shape:?}")]
    MissingTensor {
        /// Its name.
        name: String,
        /// The shape that it should have.
        shape: Vec<usize>,
    },
    /// The file has a tensor that the model does not know.
    #[error("tensor `{name}` does not belong to a model of this size; remove it from the file")]
    UnexpectedTensor {
        /// Its name.
        name: String,
    },
    /// A tensor has another shape.
    #[error("tensor `{name}` has shape {got:?} instead of {expected:?}")]
    WrongShape {
        /// Its name.
        name: String,
        /// Its shape.
        got: Vec<usize>,
        /// The shape of a model of this size.
        expected: Vec<usize>,
    },
    /// A tensor does not hold floats of 32 or 16 bits.
    #[error("tensor `{name}` holds {got}; only F32, BF16 and F16 are accepted")]
    WrongType {
        /// Its name.
        name: String,
        /// Its type.
        got: String,
    },
    /// A tensor holds a number that is infinite or none.
    #[error("tensor `{name}` holds {value} at place {place}; weights must be finite")]
    NotFinite {
        /// Its name.
        name: String,
        /// The place in the tensor, row after row.
        place: usize,
        /// The number.
        value: f32,
    },
    /// The file ends too early, or goes on after its last tensor.
    #[error("the file is {problem}")]
    WrongLength {
        /// What is wrong with the length.
        problem: &'static str,
    },
    /// Reading or writing failed.
    #[error("cannot read or write weights: {0}")]
    Io(#[from] io::Error),
}

impl WeightsError {
    /// The stable name of the error.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "Malformed",
            Self::MissingTensor { .. } => "MissingTensor",
            Self::UnexpectedTensor { .. } => "UnexpectedTensor",
            Self::WrongShape { .. } => "WrongShape",
            Self::WrongType { .. } => "WrongType",
            Self::NotFinite { .. } => "NotFinite",
            Self::WrongLength { .. } => "WrongLength",
            Self::Io(_) => "Io",
        }
    }
}
