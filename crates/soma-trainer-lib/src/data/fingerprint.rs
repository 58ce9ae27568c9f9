//! What tells one list of documents from another.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha3::{Digest, Sha3_256};

use super::corpus::Corpus;
use super::format::{Format, Packing};

/// A hash of the names and sizes of files and of what is taken from them; text is 64 hex digits.
///
/// The text of the documents is not in it: a file that is written anew with the same size has the
/// same fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    pub(super) fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The hash.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(super) fn of(corpus: &Corpus) -> Self {
        let mut hasher = Sha3_256::new();
        hasher.update(b"soma training documents 1");
        let mut put = |bytes: &[u8]| {
            hasher.update((bytes.len() as u64).to_le_bytes());
            hasher.update(bytes);
        };
        put(corpus.config.field.as_bytes());
        for file in &corpus.files {
            put(&file.name);
            put(&file.size.to_le_bytes());
            put(&[kind(file.format)]);
        }
        let summary = &corpus.summary;
        for side in [&summary.training, &summary.held_out] {
            put(&side.documents.to_le_bytes());
            put(&side.bytes.to_le_bytes());
            put(&side.sequences.to_le_bytes());
        }
        put(&corpus.split.seed.to_le_bytes());
        put(&corpus.split.limit.to_le_bytes());
        Self(hasher.finalize().into())
    }
}

fn kind(format: Format) -> u8 {
    match format {
        Format::Plain => 0,
        Format::Jsonl(Packing::None) => 1,
        Format::Jsonl(Packing::Gzip) => 2,
        Format::Jsonl(Packing::Zstd) => 3,
        Format::Parquet => 4,
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode(self.0))
    }
}

impl FromStr for Fingerprint {
    type Err = hex::FromHexError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes)?;
        Ok(Self(bytes))
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, output: S) -> Result<S::Ok, S::Error> {
        output.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = String::deserialize(input)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
