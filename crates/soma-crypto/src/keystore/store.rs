//! The operations on a keystore.

use std::fs;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::document::{Document, KeyRecord, ProtectionRecord};
use super::file::{self, WriteLock};
use super::vault::Vault;
use super::{Alias, FileError, KdfParams, KeyEntry, KeyIdentity, KeystoreError, Protection};
use crate::keys::SecretKey;
use crate::password::Password;

/// An open keystore: the file's path and what it held when last read or written here.
pub struct Keystore {
    path: PathBuf,
    document: Document,
}

impl std::fmt::Debug for Keystore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Keystore {} with {} keys",
            self.path.display(),
            self.document.keys.len()
        )
    }
}

impl Keystore {
    /// Makes an empty keystore, and its folder if need be.
    ///
    /// # Errors
    /// [`FileError::Exists`] when there is a file, or another [`KeystoreError`].
    pub fn create(path: &Path, protection: &Protection) -> Result<Self, KeystoreError> {
        Self::create_with(path, protection, KdfParams::default())
    }

    /// [`Keystore::create`] with other costs of the password hash.
    ///
    /// # Errors
    /// [`KeystoreError::KdfBounds`] besides.
    pub fn create_with(
        path: &Path,
        protection: &Protection,
        params: KdfParams,
    ) -> Result<Self, KeystoreError> {
        let (_, record) = Vault::create(protection, params)?;
        let document = Document::new(record);
        file::make_folder(path)?;
        let lock = WriteLock::take(path)?;
        lock.create(path, &document.to_json()?)?;
        Self::open(path)
    }

    /// Opens a keystore. Needs no password yet.
    ///
    /// # Errors
    /// No such file, a file open to other users, or one that is no keystore of version 1.
    pub fn open(path: &Path) -> Result<Self, KeystoreError> {
        // A link is followed once: changes then replace the file and not the link.
        let path = fs::canonicalize(path).map_err(FileError::io("open", path))?;
        let document = Document::parse(&file::read(&path)?).map_err(|error| match error {
            KeystoreError::Corrupt(reason) => {
                KeystoreError::Corrupt(format!("{}: {reason}", path.display()))
            }
            error => error,
        })?;
        Ok(Self { path, document })
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether secrets are sealed with a password.
    pub fn is_encrypted(&self) -> bool {
        matches!(self.document.protection, ProtectionRecord::Argon2id { .. })
    }

    /// All keys, in the order in which they came.
    pub fn entries(&self) -> impl Iterator<Item = KeyEntry> + '_ {
        self.document.keys.iter().map(KeyEntry::from)
    }

    /// One key.
    ///
    /// # Errors
    /// [`KeystoreError::NotFound`].
    pub fn find(&self, who: &KeyIdentity) -> Result<KeyEntry, KeystoreError> {
        position(&self.document, who).map(|index| KeyEntry::from(&self.document.keys[index]))
    }

    /// Opens a secret key.
    ///
    /// # Errors
    /// No such key, no password or a wrong one, or a secret that was changed.
    pub fn unlock(
        &self,
        who: &KeyIdentity,
        password: Option<&Password>,
    ) -> Result<SecretKey, KeystoreError> {
        let index = position(&self.document, who)?;
        let vault = Vault::unlock(&self.document.protection, password)?;
        vault.open(&self.document.keys[index])
    }

    /// A secret key as hex, to be written down or moved. Overwritten when dropped.
    ///
    /// # Errors
    /// As [`Keystore::unlock`].
    pub fn export(
        &self,
        who: &KeyIdentity,
        password: Option<&Password>,
    ) -> Result<Zeroizing<String>, KeystoreError> {
        self.unlock(who, password).map(|key| key.to_hex())
    }

    /// Adds a fresh key, named `key-N` unless an alias is given.
    ///
    /// # Errors
    /// As [`Keystore::import`].
    pub fn add(
        &mut self,
        alias: Option<Alias>,
        password: Option<&Password>,
    ) -> Result<KeyEntry, KeystoreError> {
        self.import(&SecretKey::generate(), alias, password)
    }

    /// Adds a key from elsewhere, named `key-N` unless an alias is given. The password is the
    /// keystore's: all keys of a file share one.
    ///
    /// # Errors
    /// A taken alias, a key that is there, no password or a wrong one or one for an unencrypted
    /// keystore, or a file that cannot be used.
    pub fn import(
        &mut self,
        key: &SecretKey,
        alias: Option<Alias>,
        password: Option<&Password>,
    ) -> Result<KeyEntry, KeystoreError> {
        self.change(|document| {
            let is_plaintext = matches!(document.protection, ProtectionRecord::Plaintext { .. });
            if is_plaintext && password.is_some() {
                return Err(KeystoreError::NotEncrypted);
            }
            let (address, public_key) = (key.address(), key.public_key());
            if let Some(present) = document.keys.iter().find(|key| key.address == address) {
                let alias = present.alias.clone();
                return Err(KeystoreError::KeyExists { address, alias });
            }
            let alias = match alias {
                Some(alias) => alias,
                None => free_alias(document),
            };
            refuse_taken(document, &alias)?;
            let secret = Vault::unlock(&document.protection, password)?.seal(key)?;
            let record = KeyRecord {
                alias,
                address,
                public_key,
                secret,
            };
            let entry = KeyEntry::from(&record);
            document.keys.push(record);
            Ok(entry)
        })
    }

    /// Removes a key for good: without a backup of the key its funds are lost.
    ///
    /// # Errors
    /// No such key, or a file that cannot be used.
    pub fn remove(&mut self, who: &KeyIdentity) -> Result<KeyEntry, KeystoreError> {
        self.change(|document| {
            let record = document.keys.remove(position(document, who)?);
            Ok(KeyEntry::from(&record))
        })
    }

    /// Gives a key another alias.
    ///
    /// # Errors
    /// No such key, a taken alias, or a file that cannot be used.
    pub fn rename(&mut self, who: &KeyIdentity, alias: Alias) -> Result<KeyEntry, KeystoreError> {
        self.change(|document| {
            let index = position(document, who)?;
            if document.keys[index].alias != alias {
                refuse_taken(document, &alias)?;
            }
            document.keys[index].alias = alias;
            Ok(KeyEntry::from(&document.keys[index]))
        })
    }

    /// Seals all secrets anew: another password, other costs, or from and to no encryption.
    ///
    /// # Errors
    /// No password or a wrong one, a secret that was changed, or a file that cannot be used.
    pub fn protect(
        &mut self,
        current: Option<&Password>,
        protection: &Protection,
        params: KdfParams,
    ) -> Result<(), KeystoreError> {
        self.change(|document| {
            let old = Vault::unlock(&document.protection, current)?;
            let (new, record) = Vault::create(protection, params)?;
            for key in &mut document.keys {
                key.secret = new.seal(&old.open(key)?)?;
            }
            document.protection = record;
            Ok(())
        })
    }

    // Changes the file as it is now on disk, which may be newer than what this value remembers.
    // When anything fails, both stay as they are.
    fn change<T>(
        &mut self,
        change: impl FnOnce(&mut Document) -> Result<T, KeystoreError>,
    ) -> Result<T, KeystoreError> {
        let lock = WriteLock::take(&self.path)?;
        let mut document = Document::parse(&file::read(&self.path)?)?;
        let result = change(&mut document)?;
        lock.replace(&self.path, &document.to_json()?)?;
        self.document = document;
        Ok(result)
    }
}

fn position(document: &Document, who: &KeyIdentity) -> Result<usize, KeystoreError> {
    let found = document.keys.iter().position(|key| match who {
        KeyIdentity::Address(address) => key.address == *address,
        KeyIdentity::Alias(alias) => key.alias == *alias,
    });
    found.ok_or_else(|| KeystoreError::NotFound(who.clone()))
}

fn refuse_taken(document: &Document, alias: &Alias) -> Result<(), KeystoreError> {
    match document.keys.iter().any(|key| key.alias == *alias) {
        true => Err(KeystoreError::AliasTaken(alias.clone())),
        false => Ok(()),
    }
}

fn free_alias(document: &Document) -> Alias {
    let mut number = document.keys.len() + 1;
    while document
        .keys
        .iter()
        .any(|key| key.alias == Alias::numbered(number))
    {
        number += 1;
    }
    Alias::numbered(number)
}
