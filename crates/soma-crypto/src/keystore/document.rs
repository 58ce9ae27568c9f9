//! The keystore file: JSON, version 1.

use std::collections::HashSet;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use soma_types::id::parse_hex;
use soma_types::{Address, PublicKey};
use zeroize::Zeroizing;

use super::{Alias, KdfParams, KeystoreError};
use crate::keys::address_of;

const FORMAT: &str = "soma-keystore";
const VERSION: u64 = 1;
pub(super) const WARNING: &str = "UNENCRYPTED: whoever reads this file has the keys";

/// The whole file.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    format: String,
    version: u64,
    pub(super) protection: ProtectionRecord,
    pub(super) keys: Vec<KeyRecord>,
}

/// How the secrets of the file are protected.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum ProtectionRecord {
    Argon2id {
        params: KdfParams,
        salt: Hex<16>,
        check: Sealed<16>,
    },
    Plaintext {
        warning: String,
    },
}

/// One key.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyRecord {
    pub(super) alias: Alias,
    pub(super) address: Address,
    pub(super) public_key: PublicKey,
    pub(super) secret: SecretRecord,
}

/// A secret key, sealed or not.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum SecretRecord {
    Sealed(Sealed<48>),
    Plaintext(PlainHex),
}

/// Ciphertext and tag of XChaCha20-Poly1305.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sealed<const N: usize> {
    pub(super) nonce: Hex<24>,
    pub(super) ciphertext: Hex<N>,
}

/// Bytes as hex digits.
#[derive(Clone, Copy)]
pub(super) struct Hex<const N: usize>(pub(super) [u8; N]);

impl<const N: usize> Serialize for Hex<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(self.0))
    }
}

impl<'de, const N: usize> Deserialize<'de> for Hex<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse_hex("value", &text)
            .map(Self)
            .map_err(serde::de::Error::custom)
    }
}

/// The hex of an unencrypted secret, overwritten when dropped.
#[derive(Clone)]
pub(super) struct PlainHex(pub(super) Zeroizing<String>);

impl Serialize for PlainHex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for PlainHex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Zeroizing::new(text)))
    }
}

#[derive(Deserialize)]
struct Head {
    format: String,
    version: u64,
}

// Only the place of the fault: serde's own words may repeat a secret.
fn not_json(error: &serde_json::Error) -> KeystoreError {
    let (line, column) = (error.line(), error.column());
    KeystoreError::Corrupt(format!("line {line}, column {column} is not as expected"))
}

impl Document {
    pub(super) fn new(protection: ProtectionRecord) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            protection,
            keys: Vec::new(),
        }
    }

    /// Reads and checks everything that can be checked without the password.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, KeystoreError> {
        // The version first: what a newer one holds is not ours to judge.
        let head: Head = serde_json::from_slice(bytes).map_err(|error| not_json(&error))?;
        if head.format != FORMAT {
            return Err(KeystoreError::Corrupt(format!(
                "its format is not `{FORMAT}`"
            )));
        }
        if head.version != VERSION {
            return Err(KeystoreError::Version(head.version));
        }
        let document: Self = serde_json::from_slice(bytes).map_err(|error| not_json(&error))?;
        document.check()?;
        Ok(document)
    }

    fn check(&self) -> Result<(), KeystoreError> {
        let encrypted = match &self.protection {
            ProtectionRecord::Argon2id { params, .. } => params.check().map(|()| true)?,
            ProtectionRecord::Plaintext { .. } => false,
        };
        let (mut aliases, mut addresses) = (HashSet::new(), HashSet::new());
        for key in &self.keys {
            let fault = if !aliases.insert(&key.alias) {
                "two keys have this alias"
            } else if !addresses.insert(key.address) {
                "the same key is there twice"
            } else if address_of(&key.public_key) != key.address {
                "its address is not that of its public key"
            } else if matches!(key.secret, SecretRecord::Sealed(_)) != encrypted {
                "its secret is not protected as the file says"
            } else {
                continue;
            };
            return Err(KeystoreError::Corrupt(format!(
                "key `{}`: {fault}",
                key.alias
            )));
        }
        Ok(())
    }

    pub(super) fn to_json(&self) -> Result<Zeroizing<Vec<u8>>, KeystoreError> {
        // One allocation that is overwritten at the end: growing would leave copies behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(1024 * (self.keys.len() + 2)));
        serde_json::to_writer_pretty(&mut *bytes, self).map_err(|error| not_json(&error))?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}
