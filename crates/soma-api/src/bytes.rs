//! Bytes in JSON: standard Base64 with padding.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use soma_types::bounded::{from_base64, to_base64};
use soma_types::codec::{self, DecodeError};

/// Bytes that are Base64 text in JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Base64(pub Vec<u8>);

impl Base64 {
    /// The canonical encoding of a value.
    pub fn encode<T: Serialize + ?Sized>(value: &T) -> Self {
        Self(codec::encode(value))
    }

    /// Reads the canonical encoding of one value.
    ///
    /// # Errors
    /// [`DecodeError`] for anything else.
    pub fn decode<T: serde::de::DeserializeOwned>(
        &self,
        what: &'static str,
    ) -> Result<T, DecodeError> {
        codec::decode(what, &self.0)
    }
}

impl Serialize for Base64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&to_base64(&self.0))
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        from_base64(&text)
            .map(Self)
            .map_err(serde::de::Error::custom)
    }
}
