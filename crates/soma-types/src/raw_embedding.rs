//! Embeddings as a transaction carries them: not yet known to be of the right length or norm.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::bounded::{ByteVec, from_base64, to_base64};
use crate::embedding::{Embedding, EmbeddingError, MAX_EMBEDDING_DIM};

/// Fixed-point components from a transaction, in units of 2^-30. The chain checks them with
/// [`RawEmbedding::check`] and answers a bad one by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RawEmbedding(Vec<i32>);

impl RawEmbedding {
    /// Takes any components, up to [`MAX_EMBEDDING_DIM`] of them.
    ///
    /// # Errors
    /// [`EmbeddingError::Dimension`] above that.
    pub fn new(components: Vec<i32>) -> Result<Self, EmbeddingError> {
        if components.len() > MAX_EMBEDDING_DIM {
            return Err(EmbeddingError::Dimension(components.len()));
        }
        Ok(Self(components))
    }

    /// Number of components.
    pub fn dim(&self) -> usize {
        self.0.len()
    }

    /// The embedding, when the components are a unit vector.
    ///
    /// # Errors
    /// What [`Embedding::from_fixed`] refuses.
    pub fn check(&self) -> Result<Embedding, EmbeddingError> {
        Embedding::from_fixed(self.0.clone())
    }

    /// The components as little-endian bytes, 4 each.
    pub fn to_le_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|c| c.to_le_bytes()).collect()
    }

    fn from_le_bytes(bytes: &[u8]) -> Result<Self, EmbeddingError> {
        let (chunks, rest) = bytes.as_chunks::<4>();
        if !rest.is_empty() {
            return Err(EmbeddingError::Bytes(bytes.len()));
        }
        if chunks.len() > MAX_EMBEDDING_DIM {
            return Err(EmbeddingError::Dimension(chunks.len()));
        }
        Ok(Self(
            chunks
                .iter()
                .map(|chunk| i32::from_le_bytes(*chunk))
                .collect(),
        ))
    }
}

impl From<&Embedding> for RawEmbedding {
    fn from(embedding: &Embedding) -> Self {
        Self(embedding.as_fixed().to_vec())
    }
}

impl Serialize for RawEmbedding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes = self.to_le_bytes();
        if serializer.is_human_readable() {
            serializer.serialize_str(&to_base64(&bytes))
        } else {
            serializer.serialize_bytes(&bytes)
        }
    }
}

impl<'de> Deserialize<'de> for RawEmbedding {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = if deserializer.is_human_readable() {
            from_base64(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)?
        } else {
            ByteVec::deserialize(deserializer)?.0
        };
        Self::from_le_bytes(&bytes).map_err(serde::de::Error::custom)
    }
}
