//! Sealing secrets with a password: Argon2id and XChaCha20-Poly1305.

use argon2::{Algorithm, Argon2, Block, Params, Version};
use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305};
use rand_core::{OsRng, RngCore as _};
use serde::{Deserialize, Serialize};
use soma_types::Address;
use zeroize::Zeroizing;

use super::document::{Hex, KeyRecord, PlainHex, ProtectionRecord, Sealed, SecretRecord, WARNING};
use super::{KeystoreError, Protection};
use crate::keys::SecretKey;
use crate::password::Password;

const CHECK: &[u8] = b"soma-keystore/1/check";
const SECRET: &[u8] = b"soma-keystore/1/secret";

/// Cost of the password hash. The default is the second choice of RFC 9106, section 4: 64 MiB, 3
/// passes, 4 lanes, a few tenths of a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KdfParams {
    /// Memory in KiB, 8192 to 1048576.
    pub memory_kib: u32,
    /// Passes over the memory, 1 to 10.
    pub passes: u32,
    /// Independent lanes, 1 to 16.
    pub lanes: u32,
}

impl Default for KdfParams {
    fn default() -> Self {
        Self {
            memory_kib: 64 * 1024,
            passes: 3,
            lanes: 4,
        }
    }
}

impl KdfParams {
    /// Refuses what a hostile file may ask: hours, all memory, or next to no protection.
    pub(super) fn check(&self) -> Result<(), KeystoreError> {
        let Self {
            memory_kib,
            passes,
            lanes,
        } = *self;
        let in_bounds = (8192..=1 << 20).contains(&memory_kib)
            && (1..=10).contains(&passes)
            && (1..=16).contains(&lanes);
        if !in_bounds {
            return Err(KeystoreError::KdfBounds {
                memory_kib,
                passes,
                lanes,
            });
        }
        Ok(())
    }

    fn derive(
        &self,
        password: &Password,
        salt: &[u8],
    ) -> Result<Zeroizing<[u8; 32]>, KeystoreError> {
        self.check()?;
        let bounds = || KeystoreError::KdfBounds {
            memory_kib: self.memory_kib,
            passes: self.passes,
            lanes: self.lanes,
        };
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(32))
            .map_err(|_| bounds())?;
        let mut blocks = Vec::new();
        let count = params.block_count();
        blocks
            .try_reserve_exact(count)
            .map_err(|_| KeystoreError::Memory(self.memory_kib))?;
        blocks.resize(count, Block::new());
        let mut key = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into_with_memory(password.as_bytes(), salt, &mut *key, &mut blocks)
            .map_err(|_| bounds())?;
        Ok(key)
    }
}

/// Seals and opens secrets of one keystore. Exists only with the right password.
pub(super) enum Vault {
    Encrypted(Box<XChaCha20Poly1305>),
    Plaintext,
}

impl Vault {
    /// A new vault and the record that opens it again.
    pub(super) fn create(
        protection: &Protection,
        params: KdfParams,
    ) -> Result<(Self, ProtectionRecord), KeystoreError> {
        let Protection::Password(password) = protection else {
            let record = ProtectionRecord::Plaintext {
                warning: WARNING.to_owned(),
            };
            return Ok((Self::Plaintext, record));
        };
        let mut salt = [0; 16];
        OsRng.fill_bytes(&mut salt);
        let cipher = XChaCha20Poly1305::new((&*params.derive(password, &salt)?).into());
        // An empty message: its tag tells the right password, also when there is no key yet.
        let check = seal(&cipher, &[], CHECK)?;
        let record = ProtectionRecord::Argon2id {
            params,
            salt: Hex(salt),
            check,
        };
        Ok((Self::Encrypted(Box::new(cipher)), record))
    }

    /// The vault of a file. A password given for an unencrypted file is not looked at.
    pub(super) fn unlock(
        record: &ProtectionRecord,
        password: Option<&Password>,
    ) -> Result<Self, KeystoreError> {
        let ProtectionRecord::Argon2id {
            params,
            salt,
            check,
        } = record
        else {
            return Ok(Self::Plaintext);
        };
        let password = password.ok_or(KeystoreError::PasswordRequired)?;
        let cipher = XChaCha20Poly1305::new((&*params.derive(password, &salt.0)?).into());
        open(&cipher, check, CHECK).ok_or(KeystoreError::WrongPassword)?;
        Ok(Self::Encrypted(Box::new(cipher)))
    }

    pub(super) fn seal(&self, key: &SecretKey) -> Result<SecretRecord, KeystoreError> {
        match self {
            Self::Plaintext => Ok(SecretRecord::Plaintext(PlainHex(key.to_hex()))),
            Self::Encrypted(cipher) => {
                let bytes = key.to_bytes();
                seal(cipher, &*bytes, &bound_to(&key.address())).map(SecretRecord::Sealed)
            }
        }
    }

    pub(super) fn open(&self, record: &KeyRecord) -> Result<SecretKey, KeystoreError> {
        let key = match (self, &record.secret) {
            (Self::Plaintext, SecretRecord::Plaintext(text)) => SecretKey::from_hex(&text.0).ok(),
            (Self::Encrypted(cipher), SecretRecord::Sealed(sealed)) => {
                open(cipher, sealed, &bound_to(&record.address)).and_then(|bytes| {
                    let bytes: &[u8; 32] = bytes.as_slice().try_into().ok()?;
                    SecretKey::from_bytes(bytes).ok()
                })
            }
            _ => None,
        };
        key.filter(|key| key.address() == record.address)
            .ok_or_else(|| {
                KeystoreError::Corrupt(format!("the secret of `{}` was changed", record.alias))
            })
    }
}

// A sealed secret moved to another key's entry does not open there.
fn bound_to(address: &Address) -> Vec<u8> {
    [SECRET, address.as_ref()].concat()
}

fn seal<const N: usize>(
    cipher: &XChaCha20Poly1305,
    msg: &[u8],
    aad: &[u8],
) -> Result<Sealed<N>, KeystoreError> {
    // 24 random bytes never repeat in practice, so one key may seal any number of secrets.
    let mut nonce = [0; 24];
    OsRng.fill_bytes(&mut nonce);
    let sealed = cipher.encrypt(&nonce.into(), Payload { msg, aad }).ok();
    let ciphertext = sealed.and_then(|bytes| bytes.try_into().ok()).map(Hex);
    let ciphertext =
        ciphertext.ok_or_else(|| KeystoreError::Corrupt("a secret has a wrong length".into()))?;
    Ok(Sealed {
        nonce: Hex(nonce),
        ciphertext,
    })
}

fn open<const N: usize>(
    cipher: &XChaCha20Poly1305,
    sealed: &Sealed<N>,
    aad: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let payload = Payload {
        msg: &sealed.ciphertext.0,
        aad,
    };
    cipher
        .decrypt(&sealed.nonce.0.into(), payload)
        .ok()
        .map(Zeroizing::new)
}
