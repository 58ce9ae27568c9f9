//! Keys, hashing, signing, keystore and sealed weights.
#![forbid(unsafe_code)]

pub mod commitments;
pub mod hash;
pub mod keys;
#[cfg(feature = "mnemonic")]
pub mod mnemonic;
#[cfg(feature = "sealed")]
pub mod sealed;
pub mod transaction;
pub mod verifier;

pub use hash::{Domain, Hasher, checksum, hash};
pub use keys::{SecretKey, SecretKeyError, SignatureError, address_of, verify_digest};
pub use verifier::Verifier;
