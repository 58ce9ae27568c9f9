//! secp256k1 keys: addresses, signing, verification.

use k256::ecdsa::signature::hazmat::{PrehashSigner, PrehashVerifier};
use k256::ecdsa::{SigningKey, VerifyingKey};
use soma_types::id::{ParseIdError, parse_hex};
use soma_types::{Address, PublicKey, Signature};
use thiserror::Error;

use crate::hash::{Domain, hash};

/// Bytes that are not a secret key.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SecretKeyError {
    /// Not 32 bytes of hex.
    #[error("Secret key {0}")]
    Parse(#[from] ParseIdError),
    /// Zero, or not below the order of the curve.
    #[error("Secret key is not a number between 1 and the order of secp256k1")]
    OutOfRange,
}

/// Why a signature is refused.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum SignatureError {
    /// The public key is not a point of the curve.
    #[error("the public key is not a compressed point of secp256k1")]
    BadPublicKey,
    /// r or s is zero or not below the order of the curve.
    #[error("the signature's r or s is zero or too large")]
    OutOfRange,
    /// s is in the upper half; the same signature with the lower s is the only one accepted.
    #[error("the signature has a high s; sign with the low-s rule")]
    HighS,
    /// The signature is not by this key over this digest.
    #[error("the signature does not match the public key and the signed bytes")]
    Mismatch,
}

/// A secret key. Its memory is overwritten when dropped, and it never prints.
#[derive(Clone)]
pub struct SecretKey(SigningKey);

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SecretKey of {}", self.address())
    }
}

impl SecretKey {
    /// A fresh key from the system's randomness.
    pub fn generate() -> Self {
        Self(SigningKey::random(&mut rand_core::OsRng))
    }

    /// The key with these bytes, a big-endian number.
    ///
    /// # Errors
    /// [`SecretKeyError::OutOfRange`].
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, SecretKeyError> {
        SigningKey::from_bytes(bytes.into())
            .map(Self)
            .map_err(|_| SecretKeyError::OutOfRange)
    }

    /// The key in hex, with or without `0x`.
    ///
    /// # Errors
    /// Other text, another length, or a number out of range.
    pub fn from_hex(text: &str) -> Result<Self, SecretKeyError> {
        Self::from_bytes(&parse_hex("secret key", text.trim())?)
    }

    /// The key's bytes.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0.to_bytes().into()
    }

    /// The public key.
    pub fn public_key(&self) -> PublicKey {
        let point = self.0.verifying_key().to_encoded_point(true);
        let mut bytes = [0; 33];
        bytes.copy_from_slice(point.as_bytes());
        PublicKey(bytes)
    }

    /// The address of the public key.
    pub fn address(&self) -> Address {
        address_of(&self.public_key())
    }

    /// Signs a digest: deterministic ECDSA (RFC 6979) with the lower s.
    pub fn sign_digest(&self, digest: &[u8; 32]) -> Signature {
        let signature: Result<k256::ecdsa::Signature, _> = self.0.sign_prehash(digest);
        // Fails only for r or s zero, which nobody can reach; the result then never verifies.
        signature.map_or(Signature([0; 64]), |signature| {
            let low = signature.normalize_s().unwrap_or(signature);
            Signature(low.to_bytes().into())
        })
    }
}

/// The address of a public key.
pub fn address_of(key: &PublicKey) -> Address {
    Address(hash(Domain::Address, key))
}

/// Checks a signature over a digest.
///
/// # Errors
/// [`SignatureError`].
pub fn verify_digest(
    key: &PublicKey,
    digest: &[u8; 32],
    signature: &Signature,
) -> Result<(), SignatureError> {
    let key = VerifyingKey::from_sec1_bytes(&key.0).map_err(|_| SignatureError::BadPublicKey)?;
    let signature =
        k256::ecdsa::Signature::from_slice(&signature.0).map_err(|_| SignatureError::OutOfRange)?;
    if signature.normalize_s().is_some() {
        return Err(SignatureError::HighS);
    }
    key.verify_prehash(digest, &signature)
        .map_err(|_| SignatureError::Mismatch)
}
