//! Keys, hashing, signing, keystore and sealed weights of the SOMA network.
//!
//! # Place
//! Above `soma-types` and nothing else of the workspace. The core ([`mod@hash`], [`keys`],
//! [`verifier`], [`transaction`], [`consensus`], [`commitments`]) does no I/O and never panics on
//! input; with [`key_file`], which reads and writes single keys for nodes, it is what is left with
//! `default-features = false`, for the chain. Features, all on by default:
//! `mnemonic` (recovery phrases), `sealed` (weights), `keystore` (files, locks and the terminal).
//!
//! Deliberately absent: clocks, networks, and any way to print a secret by accident.
//!
//! # The journey of a key
//! ```text
//! recovery phrase ──BIP-39, BIP-32──┐
//! hex ──────────────────────────────┼─▶ SecretKey ──▶ PublicKey ──SHA3-256──▶ Address
//! system randomness ────────────────┘      │ ▲                        │
//!              Keystore::import ◀──────────┘ └── Keystore::unlock     └─▶ account on chain
//!                                            │
//!                 Transaction ──hash──▶ sign ──▶ SignedTransaction ──verify──▶ VerifiedTransaction
//! ```
//! ```
//! use soma_crypto::{Domain, SecretKey, address_of, hash, verify_digest};
//!
//! let key = SecretKey::generate();
//! let digest = hash(Domain::Transaction, b"what is signed");
//! let signature = key.sign_digest(&digest);
//! assert_eq!(verify_digest(&key.public_key(), &digest, &signature), Ok(()));
//! assert_eq!(address_of(&key.public_key()), key.address());
//! ```
//!
//! # Reading order
//! 1. [`mod@hash`]: the one hash, and what it is used for.
//! 2. [`keys`], [`verifier`], [`transaction`]: signing and checking.
//! 3. [`consensus`]: what validators sign, and what certificates and evidence prove.
//! 4. [`commitments`], then `sealed`: how weights are hidden and shown.
//! 5. `mnemonic`, `keystore`, `password`: where a user's keys come from and stay; [`key_file`]: a
//!    node's.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    warn(clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

pub mod commitments;
pub mod consensus;
pub mod hash;
pub mod key_file;
pub mod keys;
#[cfg(feature = "keystore")]
pub mod keystore;
#[cfg(feature = "mnemonic")]
pub mod mnemonic;
#[cfg(feature = "keystore")]
pub mod password;
mod private_file;
#[cfg(feature = "sealed")]
pub mod sealed;
pub mod transaction;
pub mod verifier;

pub use hash::{Domain, Hasher, checksum, checksum_of_reader, hash};
pub use keys::{SecretKey, SecretKeyError, SignatureError, address_of, verify_digest};
pub use verifier::Verifier;
