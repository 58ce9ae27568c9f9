//! Why a keystore refuses.

use soma_types::Address;
use thiserror::Error;

use super::{Alias, KeyIdentity};
use crate::private_file::FileError;

/// Why a keystore refuses. The file is as it was before the call.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KeystoreError {
    /// The file cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file is no keystore, or was damaged.
    #[error("the keystore is damaged: {0}; restore it from a backup")]
    Corrupt(String),
    /// Written by a newer program.
    #[error("the keystore has version {0}, this program knows version 1; update this program")]
    Version(u64),
    /// Costs of the password hash that are too low to protect or too high to compute.
    #[error(
        "the keystore's password hash ({memory_kib} KiB, {passes} passes, {lanes} lanes) is out of \
         bounds: 8192 to 1048576 KiB, 1 to 10 passes, 1 to 16 lanes"
    )]
    KdfBounds {
        /// Memory in KiB.
        memory_kib: u32,
        /// Passes over the memory.
        passes: u32,
        /// Lanes.
        lanes: u32,
    },
    /// The password hash needs memory that this machine does not give.
    #[error("not enough memory for the password hash: {0} KiB are needed")]
    Memory(u32),
    /// The keystore is encrypted and no password was given.
    #[error("the keystore is encrypted; give its password")]
    PasswordRequired,
    /// A password was given for a keystore without encryption, so the caller expects another one.
    #[error("the keystore is not encrypted although a password was given; nothing was stored")]
    NotEncrypted,
    /// Another password.
    #[error("the password is wrong")]
    WrongPassword,
    /// No such key.
    #[error("no key `{0}` in the keystore; list the keys to see their aliases and addresses")]
    NotFound(KeyIdentity),
    /// The alias is taken.
    #[error("the alias `{0}` is taken; choose another or rename that key")]
    AliasTaken(Alias),
    /// The key is there already.
    #[error("the keystore has the key of {address} already, as `{alias}`")]
    KeyExists {
        /// Its address.
        address: Address,
        /// Its alias.
        alias: Alias,
    },
}
