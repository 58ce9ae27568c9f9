//! Keys, hashing, signing, keystore and sealed weights.
#![forbid(unsafe_code)]

pub mod hash;

pub use hash::{Domain, Hasher, checksum, hash};
