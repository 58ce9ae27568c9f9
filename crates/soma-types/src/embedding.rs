//! Embeddings, distances and losses in fixed point.
//!
//! An [`Embedding`] is a unit vector whose components are integers in units of 2^-30. Rounding
//! moves each component by at most 2^-31, so by Cauchy–Schwarz the cosine of two embeddings of
//! dimension d is off by at most 2·√d·2^-31 + d·2^-62: 4.3e-8 at d = 2,048, and below 1e-5 for
//! every dimension up to [`MAX_EMBEDDING_DIM`]. Dot products of two unit vectors, and every
//! partial sum of one, fit in 63 bits, so the arithmetic on them is exact.
//!
//! [`Embedding::from_f32`], [`Embedding::to_f32`] and the `f64` views of [`Distance`] and
//! [`Loss`] are the only floats of this crate. They stand at the edge, where people and models
//! hand in numbers; what they make is stored, hashed and compared as integers.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use crate::bounded::{ByteVec, from_base64, to_base64};

/// One, in the units of an embedding's components.
pub const EMBEDDING_ONE: i64 = 1 << 30;

/// The largest dimension that any network may choose.
pub const MAX_EMBEDDING_DIM: usize = 65_536;

/// The squared norm may differ from one by this much (2^-16), in units of 2^-60.
const NORM_TOLERANCE: u128 = 1 << 44;

/// A unit vector in fixed point; components in units of 2^-30.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Embedding(Box<[i32]>);

/// Why numbers are not an embedding.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum EmbeddingError {
    /// The number of components is zero or too large.
    #[error("embedding has {0} components; it must have between 1 and {MAX_EMBEDDING_DIM}")]
    Dimension(usize),
    /// A component is not a finite number.
    #[error("embedding component {index} is {value}; every component must be a finite number")]
    NotFinite {
        /// Place of the component, from 0.
        index: usize,
        /// `NaN`, `inf` or `-inf`.
        value: String,
    },
    /// All components are zero, so there is no direction.
    #[error("embedding has norm zero, so it has no direction")]
    ZeroNorm,
    /// The fixed-point vector is not of length one.
    #[error(
        "embedding is not a unit vector: its squared norm is {squared_norm} · 2^-60, expected 2^60 · 2^-60 within 2^-16"
    )]
    NotUnit {
        /// Sum of squares of the components.
        squared_norm: u128,
    },
    /// The encoded bytes are not whole components.
    #[error("embedding has {0} bytes, which is not a multiple of 4")]
    Bytes(usize),
}

impl Embedding {
    /// Takes fixed-point components that already form a unit vector.
    ///
    /// # Errors
    /// [`EmbeddingError::Dimension`] or [`EmbeddingError::NotUnit`].
    pub fn from_fixed(components: Vec<i32>) -> Result<Self, EmbeddingError> {
        if components.is_empty() || components.len() > MAX_EMBEDDING_DIM {
            return Err(EmbeddingError::Dimension(components.len()));
        }
        let squared_norm: u128 = components
            .iter()
            .map(|&c| u128::from(c.unsigned_abs()) * u128::from(c.unsigned_abs()))
            .sum();
        if squared_norm.abs_diff(1 << 60) > NORM_TOLERANCE {
            return Err(EmbeddingError::NotUnit { squared_norm });
        }
        Ok(Self(components.into_boxed_slice()))
    }

    /// Normalises `values` (any positive length, shape `[dim]`) and rounds them to fixed point.
    ///
    /// # Errors
    /// Wrong dimension, a component that is NaN or infinite, or norm zero.
    pub fn from_f32(values: &[f32]) -> Result<Self, EmbeddingError> {
        Self::normalise(values.iter().map(|&value| f64::from(value)))
    }

    /// As [`Embedding::from_f32`], from doubles.
    ///
    /// # Errors
    /// Wrong dimension, a component that is NaN or infinite, or norm zero.
    pub fn from_f64(values: &[f64]) -> Result<Self, EmbeddingError> {
        Self::normalise(values.iter().copied())
    }

    fn normalise(
        values: impl ExactSizeIterator<Item = f64> + Clone,
    ) -> Result<Self, EmbeddingError> {
        let dim = values.len();
        if dim == 0 || dim > MAX_EMBEDDING_DIM {
            return Err(EmbeddingError::Dimension(dim));
        }
        if let Some((index, value)) = values.clone().enumerate().find(|(_, v)| !v.is_finite()) {
            return Err(EmbeddingError::NotFinite {
                index,
                value: value.to_string(),
            });
        }
        // Dividing by the largest magnitude first keeps the sum of squares finite and non-zero.
        let largest = values.clone().fold(0.0_f64, |m, v| m.max(v.abs()));
        if largest == 0.0 {
            return Err(EmbeddingError::ZeroNorm);
        }
        let norm = values
            .clone()
            .map(|v| v / largest)
            .fold(0.0_f64, |sum, v| sum + v * v)
            .sqrt();
        let scale = EMBEDDING_ONE as f64;
        let components = values
            .map(|v| (v / largest / norm * scale).round_ties_even() as i32)
            .collect();
        Self::from_fixed(components)
    }

    /// The components as floats, shape `[dim]`.
    pub fn to_f32(&self) -> Vec<f32> {
        let scale = EMBEDDING_ONE as f64;
        self.0
            .iter()
            .map(|&c| (f64::from(c) / scale) as f32)
            .collect()
    }

    /// Number of components.
    pub fn dim(&self) -> usize {
        self.0.len()
    }

    /// The components in units of 2^-30.
    pub fn as_fixed(&self) -> &[i32] {
        &self.0
    }

    /// The components as little-endian bytes, 4 each: the form in every encoding.
    pub fn to_le_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|c| c.to_le_bytes()).collect()
    }

    /// Reads what [`Embedding::to_le_bytes`] wrote.
    ///
    /// # Errors
    /// A length that is not a multiple of 4, or what [`Embedding::from_fixed`] refuses.
    pub fn from_le_bytes(bytes: &[u8]) -> Result<Self, EmbeddingError> {
        let (chunks, rest) = bytes.as_chunks::<4>();
        if !rest.is_empty() {
            return Err(EmbeddingError::Bytes(bytes.len()));
        }
        if chunks.len() > MAX_EMBEDDING_DIM {
            return Err(EmbeddingError::Dimension(chunks.len()));
        }
        Self::from_fixed(
            chunks
                .iter()
                .map(|chunk| i32::from_le_bytes(*chunk))
                .collect(),
        )
    }
}

impl fmt::Debug for Embedding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Embedding(dim {})", self.0.len())
    }
}

impl Serialize for Embedding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes = self.to_le_bytes();
        if serializer.is_human_readable() {
            serializer.serialize_str(&to_base64(&bytes))
        } else {
            serializer.serialize_bytes(&bytes)
        }
    }
}

impl<'de> Deserialize<'de> for Embedding {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = if deserializer.is_human_readable() {
            from_base64(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)?
        } else {
            ByteVec::deserialize(deserializer)?.0
        };
        Self::from_le_bytes(&bytes).map_err(serde::de::Error::custom)
    }
}

/// A cosine distance (1 − cosine), between 0 and 2, in units of 2^-30.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Distance(pub u32);

impl Distance {
    /// Opposite directions.
    pub const MAX: Self = Self(1 << 31);

    /// The distance as a float, for people.
    pub fn to_f64(self) -> f64 {
        f64::from(self.0) / EMBEDDING_ONE as f64
    }

    /// The nearest fixed-point distance, or `None` outside 0..=2 and for NaN.
    pub fn from_f64(value: f64) -> Option<Self> {
        (0.0..=2.0)
            .contains(&value)
            .then(|| Self((value * EMBEDDING_ONE as f64).round_ties_even() as u32))
    }
}

impl fmt::Display for Distance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.6}", self.to_f64())
    }
}

/// A loss in nats, in units of 2^-30; at most [`Loss::MAX`].
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Loss(pub u64);

impl Loss {
    /// The largest loss that the chain takes: 2^20 nats.
    pub const MAX: Self = Self(1 << 50);

    /// The loss as a float in nats, for people.
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / EMBEDDING_ONE as f64
    }

    /// The nearest fixed-point loss, or `None` for negative values, NaN and values above 2^20.
    pub fn from_f64(value: f64) -> Option<Self> {
        (0.0..=1_048_576.0)
            .contains(&value)
            .then(|| Self((value * EMBEDDING_ONE as f64).round_ties_even() as u64))
    }

    /// True for a loss that the chain takes.
    pub fn is_valid(self) -> bool {
        self <= Self::MAX
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.6}", self.to_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bad_numbers_are_refused_with_their_place() {
        assert_eq!(Embedding::from_f32(&[]), Err(EmbeddingError::Dimension(0)));
        assert_eq!(
            Embedding::from_f32(&[0.0, -0.0]),
            Err(EmbeddingError::ZeroNorm)
        );
        assert_eq!(
            Embedding::from_f32(&[1.0, f32::NAN]),
            Err(EmbeddingError::NotFinite {
                index: 1,
                value: "NaN".into()
            })
        );
        assert!(matches!(
            Embedding::from_fixed(vec![1, 2, 3]),
            Err(EmbeddingError::NotUnit { squared_norm: 14 })
        ));
        assert_eq!(
            Embedding::from_le_bytes(&[0; 5]),
            Err(EmbeddingError::Bytes(5))
        );
    }

    #[test]
    fn extreme_magnitudes_keep_their_direction() {
        for scale in [f32::MAX, f32::MIN_POSITIVE, 1e-45] {
            let embedding = Embedding::from_f32(&[scale, 0.0, -scale]).unwrap();
            let half = (EMBEDDING_ONE as f64 / 2f64.sqrt()).round() as i32;
            assert_eq!(embedding.as_fixed(), [half, 0, -half]);
        }
    }

    proptest! {
        #[test]
        fn embeddings_round_trip_in_both_encodings(values in prop::collection::vec(-1e3f32..1e3, 1..64)) {
            prop_assume!(values.iter().any(|v| *v != 0.0));
            let embedding = Embedding::from_f32(&values).unwrap();
            let bytes = bcs::to_bytes(&embedding).unwrap();
            prop_assert_eq!(&bcs::from_bytes::<Embedding>(&bytes).unwrap(), &embedding);
            let json = serde_json::to_string(&embedding).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Embedding>(&json).unwrap(), &embedding);
        }

        #[test]
        fn hostile_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
            let _ = bcs::from_bytes::<Embedding>(&bytes);
        }

        #[test]
        fn distances_round_trip_within_half_a_unit(value in 0.0f64..=2.0) {
            let distance = Distance::from_f64(value).unwrap();
            prop_assert!((distance.to_f64() - value).abs() <= 0.5 / EMBEDDING_ONE as f64);
        }
    }

    #[test]
    fn floats_outside_the_range_are_refused() {
        for value in [f64::NAN, -0.1, 2.1, f64::INFINITY] {
            assert_eq!(Distance::from_f64(value), None);
        }
        assert_eq!(Loss::from_f64(-1.0), None);
        assert_eq!(Loss::from_f64(f64::NAN), None);
        assert_eq!(Loss::from_f64(2e6), None);
    }
}
