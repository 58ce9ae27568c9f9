//! The canonical binary encoding: BCS, for hashing, signing and storage.
//!
//! Decoding reads exactly one value and refuses bytes left over, so every value has one encoding.
//! Lists and byte strings in hostile input never make it reserve more memory than the input has.

use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

/// Bytes that are not the canonical encoding of a value.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("not a canonical encoding of {what}: {reason}")]
pub struct DecodeError {
    /// What was to be read.
    pub what: &'static str,
    /// Why it could not be.
    pub reason: String,
}

/// The canonical encoding of `value`.
///
/// Every type of this crate can be encoded; a failure would be a bug in its `Serialize`, and
/// yields no bytes.
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    bcs::to_bytes(value).unwrap_or_default()
}

/// Reads one value from all of `bytes`.
///
/// # Errors
/// [`DecodeError`] for anything but the canonical encoding of one value.
pub fn decode<T: DeserializeOwned>(what: &'static str, bytes: &[u8]) -> Result<T, DecodeError> {
    bcs::from_bytes(bytes).map_err(|error| {
        let mut reason = error.to_string();
        reason.truncate(reason.floor_char_boundary(200));
        DecodeError { what, reason }
    })
}
