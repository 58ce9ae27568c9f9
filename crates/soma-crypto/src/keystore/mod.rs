//! The keystore: one file with the keys of a user, sealed with one password.
//!
//! ```text
//! password ──Argon2id(salt, costs of the file)──▶ file key
//! secret key ──XChaCha20-Poly1305(file key; bound to its address)──▶ entry of the JSON file
//! ```
//!
//! Aliases, addresses and public keys are readable without the password; secrets are not. Each
//! change takes a lock, reads the file anew, and replaces it in one step, so that several programs
//! may use one keystore and a crash leaves the old file or the new one. A file that does not read
//! as a keystore is never written to. On unix a file that other users may read is refused.
//!
//! What the password does not protect: somebody who can *write* the file can rename or remove
//! entries. They cannot make a secret open under another address, and they cannot have new secrets
//! stored in the clear by a caller who gives a password.
//!
//! ```
//! use soma_crypto::keystore::{Keystore, KeystoreError, Protection};
//! use soma_crypto::password::Password;
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("soma.keystore");
//! let password = Password::new("correct horse battery staple")?;
//! let mut keystore = Keystore::create(&path, &Protection::Password(password.clone()))?;
//! let entry = keystore.add(Some("alice".parse()?), Some(&password))?;
//!
//! let keystore = Keystore::open(&path)?;
//! let key = keystore.unlock(&"alice".parse()?, Some(&password))?;
//! assert_eq!(key.address(), entry.address);
//!
//! let wrong = Password::new("guess")?;
//! let refused = keystore.unlock(&"alice".parse()?, Some(&wrong));
//! assert!(matches!(refused, Err(KeystoreError::WrongPassword)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod alias;
mod document;
mod error;
mod file;
mod store;
mod vault;

#[cfg(test)]
mod tests;

use soma_types::{Address, PublicKey};

pub use alias::{Alias, AliasError, KeyIdentity};
use document::KeyRecord;
pub use error::KeystoreError;
pub use store::Keystore;
pub use vault::KdfParams;

use crate::password::Password;
pub use crate::private_file::FileError;

/// How a keystore protects its secrets.
#[derive(Clone, Debug)]
pub enum Protection {
    /// Sealed with this password.
    Password(Password),
    /// Not at all; the file says so. For tests and for machines where the disk is the secret.
    Plaintext,
}

/// What a keystore tells of a key without its password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyEntry {
    /// Its name, unique in the file.
    pub alias: Alias,
    /// Its address.
    pub address: Address,
    /// Its public key.
    pub public_key: PublicKey,
}

impl From<&KeyRecord> for KeyEntry {
    fn from(record: &KeyRecord) -> Self {
        let KeyRecord {
            alias,
            address,
            public_key,
            ..
        } = record.clone();
        Self {
            alias,
            address,
            public_key,
        }
    }
}
