//! Arguments from Python, checked; what is wrong is said with the argument's name.

use std::fmt::Display;
use std::str::FromStr;

use soma_blobs::check_published;
use soma_types::codec;
use soma_types::{Embedding, Url};

use crate::errors::Failure;

/// Reads an address, id, key or checksum.
pub(crate) fn parse<T: FromStr<Err: Display>>(name: &str, text: &str) -> Result<T, Failure> {
    text.trim()
        .parse()
        .map_err(|error| Failure::argument(name, error))
}

/// Checks that numbers have a direction.
pub(crate) fn embedding(name: &str, values: &[f32]) -> Result<(), Failure> {
    Embedding::from_f32(values)
        .map(|_| ())
        .map_err(|error| Failure::argument(name, error))
}

/// Checks that a text can be a URL on chain, which others can open.
pub(crate) fn url(name: &str, text: &str) -> Result<(), Failure> {
    // Whether files can be opened depends on the network; the client knows that.
    check_published(text, true).map_err(|error| Failure::argument(name, error))?;
    Url::new(text)
        .map(|_| ())
        .map_err(|error| Failure::argument(name, error))
}

/// Reads a value in its canonical encoding.
pub(crate) fn decode<T: serde::de::DeserializeOwned>(
    name: &str,
    what: &'static str,
    bytes: &[u8],
) -> Result<T, Failure> {
    codec::decode(what, bytes).map_err(|error| Failure::argument(name, error))
}
