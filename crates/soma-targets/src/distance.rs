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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn exact(a: &[f32], b: &[f32]) -> f64 {
        let dot: f64 = a
            .iter()
            .zip(b)
            .map(|(x, y)| f64::from(*x) * f64::from(*y))
            .sum();
        let norm = |v: &[f32]| v.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
        1.0 - dot / (norm(a) * norm(b))
    }

    proptest! {
        #[test]
        fn distances_agree_with_doubles(
            pairs in prop::collection::vec((-1.0f32..1.0, -1.0f32..1.0), 1..300),
        ) {
            let (a, b): (Vec<f32>, Vec<f32>) = pairs.into_iter().unzip();
            prop_assume!(a.iter().any(|v| v.abs() > 1e-3) && b.iter().any(|v| v.abs() > 1e-3));
            let (x, y) = (Embedding::from_f32(&a).unwrap(), Embedding::from_f32(&b).unwrap());
            let distance = cosine_distance(&x, &y).unwrap();
            prop_assert!((distance.to_f64() - exact(&a, &b)).abs() < 1e-6);
            prop_assert_eq!(cosine_distance(&y, &x), Ok(distance));
            prop_assert!(cosine_distance(&x, &x).unwrap().to_f64() < 1e-6);
        }
    }

    #[test]
    fn opposite_directions_are_at_distance_two() {
        let (a, b) = (
            Embedding::from_f32(&[1.0, 0.0]),
            Embedding::from_f32(&[-1.0, 0.0]),
        );
        assert_eq!(cosine_distance(&a.unwrap(), &b.unwrap()), Ok(Distance::MAX));
    }

    #[test]
    fn different_dimensions_have_no_distance() {
        let (a, b) = (
            Embedding::from_f32(&[1.0]),
            Embedding::from_f32(&[1.0, 1.0]),
        );
        let error = cosine_distance(&a.unwrap(), &b.unwrap()).unwrap_err();
        assert_eq!(error, DimensionMismatch { left: 1, right: 2 });
    }
}
