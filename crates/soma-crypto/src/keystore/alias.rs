//! Names of keys, and naming a key by address or alias.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use soma_types::Address;
use thiserror::Error;

/// Why a text names no key.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum AliasError {
    /// Not of the allowed form.
    #[error(
        "invalid alias `{0}`: use 1 to 64 letters, digits, `_`, `.` or `-`, and no address or 0x"
    )]
    Form(String),
    /// Starts like an address but is none.
    #[error(transparent)]
    Address(#[from] soma_types::id::ParseIdError),
}

/// A name for a key: 1 to 64 of `A-Z a-z 0-9 _ . -`, and nothing that looks like an address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Alias(String);

impl Alias {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `key-N`: the name of the N-th key that was given none.
    pub(super) fn numbered(number: usize) -> Self {
        Self(format!("key-{number}"))
    }
}

// What looks like an address must never be taken for a name: a mistyped address would silently
// mean another key.
fn looks_like_an_address(text: &str) -> bool {
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    text.starts_with("0x") || text.starts_with("0X") || (text.len() == 64 && is_hex(text))
}

impl FromStr for Alias {
    type Err = AliasError;

    fn from_str(text: &str) -> Result<Self, AliasError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        let well_formed = (1..=64).contains(&text.len()) && text.bytes().all(allowed);
        if !well_formed || looks_like_an_address(text) {
            return Err(AliasError::Form(text.chars().take(80).collect()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for Alias {
    type Error = AliasError;

    fn try_from(text: String) -> Result<Self, AliasError> {
        text.parse()
    }
}

impl From<Alias> for String {
    fn from(alias: Alias) -> Self {
        alias.0
    }
}

impl fmt::Display for Alias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A key by its address or its alias, as a user names it.
///
/// ```
/// use soma_crypto::keystore::KeyIdentity;
///
/// assert!(matches!("alice".parse(), Ok(KeyIdentity::Alias(_))));
/// assert!(matches!("ab".repeat(32).parse(), Ok(KeyIdentity::Address(_))));
/// assert!("0xab".parse::<KeyIdentity>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyIdentity {
    /// By address.
    Address(Address),
    /// By alias.
    Alias(Alias),
}

impl FromStr for KeyIdentity {
    type Err = AliasError;

    fn from_str(text: &str) -> Result<Self, AliasError> {
        if looks_like_an_address(text) {
            return Ok(Self::Address(text.parse()?));
        }
        text.parse().map(Self::Alias)
    }
}

impl fmt::Display for KeyIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Alias(alias) => alias.fmt(f),
        }
    }
}

impl From<Address> for KeyIdentity {
    fn from(address: Address) -> Self {
        Self::Address(address)
    }
}

impl From<Alias> for KeyIdentity {
    fn from(alias: Alias) -> Self {
        Self::Alias(alias)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_has_a_narrow_form() {
        let longest = "a".repeat(64).replace('a', "z");
        for good in ["a", "key-1", "Main_2.old", longest.as_str()] {
            assert_eq!(good.parse::<Alias>().unwrap().as_str(), good);
        }
        let too_long = "z".repeat(65);
        let address = "ab".repeat(32);
        for bad in [
            "", " ", "a b", "é", "a/b", "0xab", "0X", "a\n", &too_long, &address,
        ] {
            assert!(
                matches!(bad.parse::<Alias>(), Err(AliasError::Form(_))),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn a_mistyped_address_is_an_error_and_no_alias() {
        assert!(matches!(
            "0x12".parse::<KeyIdentity>(),
            Err(AliasError::Address(_))
        ));
        assert!(matches!(
            "0xhello".parse::<KeyIdentity>(),
            Err(AliasError::Address(_))
        ));
        let address = Address([0xab; 32]);
        assert_eq!(
            address.to_string().parse(),
            Ok(KeyIdentity::Address(address))
        );
    }
}
