//! Fixed-size byte values: addresses, object ids, digests, checksums, keys, signatures.
//!
//! Addresses, ids and digests print as `0x` and hex digits; checksums and commitments print as
//! Base58. Reading accepts hex with or without `0x`. In the canonical encoding each is its bytes
//! with no length in front.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// Why a text is not an id, digest, key or checksum.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ParseIdError {
    /// The text has other characters than its alphabet's.
    #[error("invalid {kind} `{text}`: expected {expected}")]
    Alphabet {
        /// What was to be read.
        kind: &'static str,
        /// The text as given (at most 80 characters of it).
        text: String,
        /// The form that is accepted.
        expected: &'static str,
    },
    /// The text stands for another number of bytes.
    #[error("invalid {kind}: must be exactly {expected} bytes, got {got}")]
    Length {
        /// What was to be read.
        kind: &'static str,
        /// Bytes needed.
        expected: usize,
        /// Bytes found.
        got: usize,
    },
}

fn shorten(text: &str) -> String {
    text.chars().take(80).collect()
}

/// Reads exactly `N` bytes of hex, with or without `0x`.
pub fn parse_hex<const N: usize>(kind: &'static str, text: &str) -> Result<[u8; N], ParseIdError> {
    let digits = text
        .strip_prefix("0x")
        .or_else(|| text.strip_prefix("0X"))
        .unwrap_or(text);
    let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_hex || !digits.len().is_multiple_of(2) {
        return Err(ParseIdError::Alphabet {
            kind,
            text: shorten(text),
            expected: "hex digits, with or without 0x",
        });
    }
    let mut bytes = [0; N];
    if digits.len() != 2 * N || hex::decode_to_slice(digits, &mut bytes).is_err() {
        return Err(ParseIdError::Length {
            kind,
            expected: N,
            got: digits.len() / 2,
        });
    }
    Ok(bytes)
}

/// Reads exactly `N` bytes of Base58.
pub fn parse_base58<const N: usize>(
    kind: &'static str,
    text: &str,
) -> Result<[u8; N], ParseIdError> {
    // Base58 of N bytes is at most 1.4 N characters; a longer text is refused before decoding.
    let too_long = text.len() > 2 * N;
    let mut bytes = [0; N];
    match bs58::decode(text.as_bytes()).onto(&mut bytes[..]) {
        Ok(got) if got == N && !too_long => Ok(bytes),
        Ok(got) => Err(ParseIdError::Length {
            kind,
            expected: N,
            got,
        }),
        Err(bs58::decode::Error::BufferTooSmall) => {
            // Of one that is far too long about: decoding takes time with its square.
            let whole = (!too_long).then(|| bs58::decode(text).into_vec().ok());
            let about = text.len() * 733 / 1000;
            Err(ParseIdError::Length {
                kind,
                expected: N,
                got: whole.flatten().map_or(about, |bytes| bytes.len()),
            })
        }
        Err(_) => Err(ParseIdError::Alphabet {
            kind,
            text: shorten(text),
            expected: "Base58",
        }),
    }
}

struct BytesVisitor<const N: usize>;

impl<'de, const N: usize> serde::de::Visitor<'de> for BytesVisitor<N> {
    type Value = [u8; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{N} bytes")
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<[u8; N], A::Error> {
        let mut bytes = [0; N];
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = seq
                .next_element()?
                .ok_or_else(|| serde::de::Error::invalid_length(index, &self))?;
        }
        Ok(bytes)
    }
}

fn serialize_tuple<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    use serde::ser::SerializeTuple;
    let mut tuple = serializer.serialize_tuple(bytes.len())?;
    for byte in bytes {
        tuple.serialize_element(byte)?;
    }
    tuple.end()
}

macro_rules! byte_value {
    ($(#[$doc:meta])* $name:ident, $size:literal, $kind:literal, $parse:ident, $show:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $size]);

        impl $name {
            /// The bytes.
            pub const fn as_bytes(&self) -> &[u8; $size] {
                &self.0
            }
        }

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }

        impl From<[u8; $size]> for $name {
            fn from(bytes: [u8; $size]) -> Self {
                Self(bytes)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let show: fn(&[u8]) -> String = $show;
                f.write_str(&show(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                $parse::<$size>($kind, text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    serialize_tuple(&self.0, serializer)
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    let text = String::deserialize(deserializer)?;
                    text.parse().map_err(serde::de::Error::custom)
                } else {
                    deserializer
                        .deserialize_tuple($size, BytesVisitor::<$size>)
                        .map(Self)
                }
            }
        }
    };
}

fn show_hex(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

fn show_base58(bytes: &[u8]) -> String {
    bs58::encode(bytes).into_string()
}

byte_value!(
    /// An account: SHA3-256 over a domain tag and the compressed public key.
    Address, 32, "address", parse_hex, show_hex
);
byte_value!(
    /// A SHA3-256 digest of a transaction, block, or other canonical encoding.
    Digest, 32, "digest", parse_hex, show_hex
);
byte_value!(
    /// A chain: the digest of its genesis document.
    ChainId, 32, "chain id", parse_hex, show_hex
);
byte_value!(
    /// A model.
    ModelId, 32, "model id", parse_hex, show_hex
);
byte_value!(
    /// A target.
    TargetId, 32, "target id", parse_hex, show_hex
);
byte_value!(
    /// A staking pool of a validator or a model.
    PoolId, 32, "pool id", parse_hex, show_hex
);
byte_value!(
    /// A stake position.
    StakeId, 32, "stake id", parse_hex, show_hex
);
byte_value!(
    /// A compressed secp256k1 public key (SEC1, 33 bytes).
    PublicKey, 33, "public key", parse_hex, show_hex
);
byte_value!(
    /// An ECDSA signature: r and s, big-endian, 32 bytes each; s in the lower half.
    Signature, 64, "signature", parse_hex, show_hex
);
byte_value!(
    /// SHA3-256 of the bytes of a file. Prints as Base58.
    Checksum, 32, "checksum", parse_base58, show_base58
);
byte_value!(
    /// A hash that binds its sender to a value revealed later. Prints as Base58.
    Commitment, 32, "commitment", parse_base58, show_base58
);
byte_value!(
    /// The symmetric key of sealed weights. Prints as Base58.
    WeightsKey, 32, "weights key", parse_base58, show_base58
);
byte_value!(
    /// A random value that hides a commitment's content until it is opened.
    Salt, 32, "salt", parse_hex, show_hex
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_read_with_and_without_a_prefix() {
        let id = TargetId([0xab; 32]);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!("ab".repeat(32).parse(), Ok(id));
        assert_eq!(
            "ab".parse::<TargetId>(),
            Err(ParseIdError::Length {
                kind: "target id",
                expected: 32,
                got: 1
            })
        );
        assert!(matches!(
            "0xzz".parse::<TargetId>(),
            Err(ParseIdError::Alphabet { .. })
        ));
        assert!(matches!(
            "é".repeat(32).parse::<TargetId>(),
            Err(ParseIdError::Alphabet { .. })
        ));
    }

    #[test]
    fn checksums_are_base58() {
        let sum = Checksum([7; 32]);
        assert_eq!(sum.to_string().parse(), Ok(sum));
        assert!("0OIl".parse::<Checksum>().is_err());
        assert!("2".repeat(100_000).parse::<Checksum>().is_err());
        assert!("abc".parse::<Checksum>().is_err());
        assert_eq!(
            "x".repeat(44).parse::<Checksum>(),
            Err(ParseIdError::Length {
                kind: "checksum",
                expected: 32,
                got: 33
            })
        );
    }

    #[test]
    fn the_canonical_encoding_is_the_bare_bytes() {
        let key = PublicKey([3; 33]);
        assert_eq!(bcs::to_bytes(&key).unwrap(), vec![3; 33]);
        assert_eq!(bcs::from_bytes::<PublicKey>(&[3; 33]).unwrap(), key);
        assert!(bcs::from_bytes::<PublicKey>(&[3; 32]).is_err());
    }
}
