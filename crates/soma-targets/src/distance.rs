//! Exact cosine distance.

use soma_types::{Distance, Embedding};
use thiserror::Error;

/// Embeddings of different dimension.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("embeddings have {left} and {right} components; they must have the same number")]
pub struct DimensionMismatch {
    /// Dimension of the first.
    pub left: usize,
    /// Dimension of the second.
    pub right: usize,
}

/// Dot product in units of 2^-60.
///
/// # Errors
/// Different dimensions.
pub fn dot(a: &Embedding, b: &Embedding) -> Result<i64, DimensionMismatch> {
    if a.dim() != b.dim() {
        return Err(DimensionMismatch {
            left: a.dim(),
            right: b.dim(),
        });
    }
    Ok(dot_fixed(a.as_fixed(), b.as_fixed()))
}

pub(crate) fn dot_fixed(a: &[i32], b: &[i32]) -> i64 {
    a.iter().zip(b).fold(0, |sum: i64, (x, y)| {
        sum.wrapping_add(i64::from(*x) * i64::from(*y))
    })
}

pub(crate) fn distance_of_dot(dot: i64) -> Distance {
    let gap = (1i64 << 60).saturating_sub(dot) >> 30;
    Distance(u32::try_from(gap.clamp(0, 1 << 31)).unwrap_or_default())
}

/// Cosine distance, rounded down to a multiple of 2^-30.
///
/// # Errors
/// Different dimensions.
pub fn cosine_distance(a: &Embedding, b: &Embedding) -> Result<Distance, DimensionMismatch> {
    dot(a, b).map(distance_of_dot)
}
