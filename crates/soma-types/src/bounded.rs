//! Lists and texts with a limit, so that decoding never takes more memory than its input.
//!
//! A length in front of hostile bytes may claim anything. The types here check the limit first,
//! never reserve memory by the claimed length, and grow only with what is really there.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// Standard Base64 with padding.
pub fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Reads standard Base64.
///
/// # Errors
/// The decoder's description of the first bad character.
pub fn from_base64(text: &str) -> Result<Vec<u8>, String> {
    STANDARD
        .decode(text)
        .map_err(|error| format!("invalid Base64: {error}"))
}

/// Bytes, encoded with their length in front.
pub(crate) struct ByteVec(pub(crate) Vec<u8>);

impl<'de> Deserialize<'de> for ByteVec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct BytesVisitor;
        impl Visitor<'_> for BytesVisitor {
            type Value = ByteVec;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<ByteVec, E> {
                Ok(ByteVec(bytes.to_vec()))
            }
        }
        deserializer.deserialize_bytes(BytesVisitor)
    }
}

/// Reads a list without reserving memory by its claimed length: for lists that have no limit of
/// their own. Use as `#[serde(deserialize_with = "soma_types::bounded::unreserved")]`.
///
/// # Errors
/// What the deserializer finds wrong.
pub fn unreserved<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    BoundedVec::<T, { usize::MAX }>::deserialize(deserializer).map(BoundedVec::into_vec)
}

/// More items or bytes than allowed.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("{got} {what}, but at most {max} are allowed")]
pub struct TooLong {
    /// What is counted.
    pub what: &'static str,
    /// How many there are.
    pub got: usize,
    /// How many may be.
    pub max: usize,
}

/// A list of at most `MAX` items.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BoundedVec<T, const MAX: usize>(Vec<T>);

impl<T, const MAX: usize> BoundedVec<T, MAX> {
    /// Takes `items`.
    ///
    /// # Errors
    /// [`TooLong`] above `MAX` items.
    pub fn new(items: Vec<T>) -> Result<Self, TooLong> {
        if items.len() > MAX {
            return Err(TooLong {
                what: "items",
                got: items.len(),
                max: MAX,
            });
        }
        Ok(Self(items))
    }

    /// Gives the items back.
    pub fn into_vec(self) -> Vec<T> {
        self.0
    }
}

impl<T, const MAX: usize> Default for BoundedVec<T, MAX> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T, const MAX: usize> std::ops::Deref for BoundedVec<T, MAX> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T: Serialize, const MAX: usize> Serialize for BoundedVec<T, MAX> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for BoundedVec<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListVisitor<T, const MAX: usize>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for ListVisitor<T, MAX> {
            type Value = BoundedVec<T, MAX>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "at most {MAX} items")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let too_long = |got| {
                    A::Error::custom(TooLong {
                        what: "items",
                        got,
                        max: MAX,
                    })
                };
                if let Some(claimed) = seq.size_hint().filter(|claimed| *claimed > MAX) {
                    return Err(too_long(claimed));
                }
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    if items.len() == MAX {
                        return Err(too_long(MAX + 1));
                    }
                    items.push(item);
                }
                Ok(BoundedVec(items))
            }
        }
        deserializer.deserialize_seq(ListVisitor::<T, MAX>(std::marker::PhantomData))
    }
}

/// A text of at most `MAX` bytes of printable characters (no control characters).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct BoundedText<const MAX: usize>(String);

/// Why a text is refused.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum TextError {
    /// Too many bytes.
    #[error(transparent)]
    TooLong(#[from] TooLong),
    /// A control character, such as a line break.
    #[error("text has the control character {0:?}; use printable characters only")]
    Control(char),
}

impl<const MAX: usize> BoundedText<MAX> {
    /// Takes `text`.
    ///
    /// # Errors
    /// [`TextError`] above `MAX` bytes or with a control character.
    pub fn new(text: impl Into<String>) -> Result<Self, TextError> {
        let text = text.into();
        if text.len() > MAX {
            return Err(TooLong {
                what: "bytes of text",
                got: text.len(),
                max: MAX,
            }
            .into());
        }
        match text.chars().find(|c| c.is_control()) {
            Some(control) => Err(TextError::Control(control)),
            None => Ok(Self(text)),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> fmt::Display for BoundedText<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<const MAX: usize> fmt::Debug for BoundedText<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl<const MAX: usize> std::str::FromStr for BoundedText<MAX> {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        Self::new(text)
    }
}

impl<const MAX: usize> Serialize for BoundedText<MAX> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, const MAX: usize> Deserialize<'de> for BoundedText<MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claimed_length_above_the_limit_is_refused_at_once() {
        // 2^31 − 1 items claimed in five bytes.
        let bytes = [0xff, 0xff, 0xff, 0xff, 0x07];
        let error = bcs::from_bytes::<BoundedVec<u64, 4>>(&bytes).unwrap_err();
        assert!(error.to_string().contains("at most 4"), "{error}");
    }

    #[test]
    fn control_characters_and_long_texts_are_refused() {
        assert_eq!(BoundedText::<8>::new("a\nb"), Err(TextError::Control('\n')));
        assert!(matches!(
            BoundedText::<2>::new("abc"),
            Err(TextError::TooLong(_))
        ));
    }

    #[test]
    fn lists_round_trip() {
        let list = BoundedVec::<u16, 3>::new(vec![1, 2, 3]).unwrap();
        let bytes = bcs::to_bytes(&list).unwrap();
        assert_eq!(bcs::from_bytes::<BoundedVec<u16, 3>>(&bytes).unwrap(), list);
        assert!(bcs::from_bytes::<BoundedVec<u16, 2>>(&bytes).is_err());
        assert!(serde_json::from_str::<BoundedVec<u16, 2>>("[1,2,3]").is_err());
    }
}
