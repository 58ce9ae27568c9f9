//! A block that the operator knows to be of the chain.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use soma_types::{Digest, Height};

/// A block that is known to be of the chain, as `HEIGHT:DIGEST`: best the last one of an epoch, as
/// `/v1/snapshots` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrustedBlock {
    /// Its height.
    pub height: Height,
    /// Digest of its header.
    pub digest: Digest,
}

impl fmt::Display for TrustedBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.height, self.digest)
    }
}

impl FromStr for TrustedBlock {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (height, digest) = text
            .split_once(':')
            .ok_or_else(|| format!("`{text}` is not HEIGHT:DIGEST"))?;
        Ok(Self {
            height: height
                .parse()
                .map_err(|error| format!("height `{height}`: {error}"))?,
            digest: digest
                .parse()
                .map_err(|error| format!("digest `{digest}`: {error}"))?,
        })
    }
}

impl Serialize for TrustedBlock {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TrustedBlock {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trusted_block_is_read_as_it_is_written() {
        let block = TrustedBlock {
            height: 77,
            digest: Digest([9; 32]),
        };
        assert_eq!(block.to_string().parse(), Ok(block));
        let json = serde_json::to_string(&block).unwrap();
        assert_eq!(serde_json::from_str::<TrustedBlock>(&json).unwrap(), block);
        for wrong in ["", "77", "77:", ":9", "x:9", "77:zz"] {
            wrong.parse::<TrustedBlock>().unwrap_err();
        }
    }
}
