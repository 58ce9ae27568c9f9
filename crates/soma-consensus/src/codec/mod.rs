//! How everything of the engine is written: on the wire, in the write-ahead log, for sync.
//!
//! Each engine type has a *form*: a plain struct of soma-types values, written in the canonical
//! encoding. Decoding hostile bytes gives an error, never a panic; lists are bounded, and no more
//! memory is reserved than the input has bytes.

mod certificates;
mod messages;
mod streams;
mod sync;

pub(crate) use streams::carries_transactions;
pub(crate) use sync::{byte_string, commit_certificate, engine_certificate};

use bytes::Bytes;
use malachite::app::types::codec::{Codec, HasEncodedLen};
use malachite::app::types::sync::Response;
use serde::Serialize;
use serde::de::DeserializeOwned;
use soma_types::codec::{self as canonical, DecodeError};

use crate::context::SomaContext;

/// Rounds above this are refused: no network gets there, and the engine counts on from them.
pub const MAX_ROUND: u32 = 1 << 24;

/// The one codec of this crate.
#[derive(Clone, Copy, Debug, Default)]
pub struct WireCodec;

/// A type that has a form.
pub(crate) trait Wire: Sized {
    /// What is written.
    type Form: Serialize + DeserializeOwned;
    /// Its name in errors.
    const WHAT: &'static str;

    /// The form of a value.
    fn to_form(&self) -> Self::Form;

    /// The value of a form.
    fn from_form(form: Self::Form) -> Result<Self, DecodeError>;
}

impl<T: Wire> Codec<T> for WireCodec {
    type Error = DecodeError;

    fn decode(&self, bytes: Bytes) -> Result<T, DecodeError> {
        T::from_form(canonical::decode(T::WHAT, &bytes)?)
    }

    fn encode(&self, value: &T) -> Result<Bytes, DecodeError> {
        Ok(canonical::encode(&value.to_form()).into())
    }
}

impl HasEncodedLen<Response<SomaContext>> for WireCodec {
    fn encoded_len(&self, response: &Response<SomaContext>) -> Result<usize, DecodeError> {
        Ok(sync::encoded_len(response))
    }
}

/// An error for a value that the encoding allows, but not the engine.
fn refuse(what: &'static str, reason: &str) -> DecodeError {
    DecodeError {
        what,
        reason: reason.to_owned(),
    }
}

/// Checks a round.
fn checked_round(what: &'static str, round: u32) -> Result<u32, DecodeError> {
    match round {
        0..=MAX_ROUND => Ok(round),
        _ => Err(refuse(what, "the round is too high")),
    }
}
