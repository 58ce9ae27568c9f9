//! The user's keys: the wallet proper, and beside it the play-money keys of the localnet.
//!
//! The keys of a localnet are worth nothing elsewhere and come unencrypted, so they stay in a file
//! of their own, which each new genesis replaces. The wallet is encrypted unless its owner said
//! otherwise when it was made.

use std::path::{Path, PathBuf};

use serde::Serialize;
use soma_crypto::SecretKey;
use soma_crypto::keystore::{Alias, KeyEntry, KeyIdentity, Keystore, KeystoreError, Protection};
use soma_crypto::password::Password;
use soma_sdk::types::{Address, PublicKey};

use crate::error::CliError;

/// File name of the wallet.
const WALLET: &str = "soma.keystore";

/// File name of the localnet's keys.
const LOCALNET: &str = "localnet.keystore";

/// File name of what names the localnet's folder.
const LOCALNET_FOLDER: &str = "localnet.folder";

/// What is known of a key without its password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WalletEntry {
    /// Its name.
    pub alias: Alias,
    /// Its address.
    pub address: Address,
    /// Its public key.
    pub public_key: PublicKey,
    /// Always `secp256k1`.
    pub key_scheme: &'static str,
    /// False for keys in the clear.
    pub encrypted: bool,
}

/// All keys of this client.
#[derive(Debug)]
pub struct Wallet {
    dir: PathBuf,
    main: Option<Keystore>,
    localnet: Option<Keystore>,
    /// True when the localnet's file cannot be read. The localnet has its keys too, and no key of the
    /// wallet is kept from its owner for that.
    is_localnet_damaged: bool,
}

impl Wallet {
    /// Opens what is in `dir`. Needs no password yet.
    ///
    /// # Errors
    /// A file that is open to other users, or a wallet that is no keystore.
    pub fn open(dir: &Path) -> Result<Self, CliError> {
        let open = |name: &str| {
            let path = dir.join(name);
            match path.exists() {
                true => Keystore::open(&path).map(Some),
                false => Ok(None),
            }
        };
        let (localnet, is_localnet_damaged) = match open(LOCALNET) {
            Err(KeystoreError::Corrupt(_)) => (None, true),
            opened => (opened?, false),
        };
        Ok(Self {
            dir: dir.to_owned(),
            main: open(WALLET)?,
            localnet,
            is_localnet_damaged,
        })
    }

    /// The wallet's file.
    pub fn path(&self) -> PathBuf {
        self.dir.join(WALLET)
    }

    /// Whether there is a wallet, and whether it is encrypted.
    pub fn is_encrypted(&self) -> Option<bool> {
        self.main.as_ref().map(Keystore::is_encrypted)
    }

    /// All keys; those of the localnet come last.
    pub fn entries(&self) -> Vec<WalletEntry> {
        let stores = [&self.main, &self.localnet].into_iter().flatten();
        stores
            .flat_map(|store| store.entries().map(|entry| view(&entry, store)))
            .collect()
    }

    /// A key by address or alias.
    ///
    /// # Errors
    /// No such key.
    pub fn find(&self, who: &KeyIdentity) -> Result<WalletEntry, CliError> {
        let store = self.store_of(who)?;
        Ok(view(&store.find(who)?, store))
    }

    /// The address that a user names: of a key, or any address.
    ///
    /// # Errors
    /// An alias of no key.
    pub fn address(&self, who: &KeyIdentity) -> Result<Address, CliError> {
        match who {
            KeyIdentity::Address(address) => Ok(*address),
            KeyIdentity::Alias(_) => Ok(self.find(who)?.address),
        }
    }

    /// Opens a secret key; asks for the password only where there is one.
    ///
    /// # Errors
    /// No such key, no password or a wrong one.
    pub fn unlock(
        &self,
        who: &KeyIdentity,
        password: impl FnOnce() -> Result<Password, CliError>,
    ) -> Result<SecretKey, CliError> {
        let store = self.store_of(who)?;
        // A missing key should not cost a password.
        store.find(who)?;
        let password = store.is_encrypted().then(password).transpose()?;
        Ok(store.unlock(who, password.as_ref())?)
    }

    /// Makes the wallet.
    ///
    /// # Errors
    /// It is there already, or cannot be written.
    pub fn create(&mut self, protection: &Protection) -> Result<(), CliError> {
        self.main = Some(Keystore::create(&self.path(), protection)?);
        Ok(())
    }

    /// Adds a key to the wallet.
    ///
    /// # Errors
    /// A taken alias, a key that is there, a wrong password.
    pub fn import(
        &mut self,
        key: &SecretKey,
        alias: Option<Alias>,
        password: Option<&Password>,
    ) -> Result<WalletEntry, CliError> {
        if let Some(alias) = &alias
            && self.find(&alias.clone().into()).is_ok()
        {
            return Err(KeystoreError::AliasTaken(alias.clone()).into());
        }
        let path = self.path();
        let missing = || CliError::File {
            path,
            reason: "there is no wallet".to_owned(),
        };
        let store = self.main.as_mut().ok_or_else(missing)?;
        let entry = store.import(key, alias, password)?;
        Ok(view(&entry, store))
    }

    /// Removes a key for good.
    ///
    /// # Errors
    /// No such key.
    pub fn remove(&mut self, who: &KeyIdentity) -> Result<KeyEntry, CliError> {
        Ok(self.store_of_mut(who)?.remove(who)?)
    }

    /// Gives a key another alias.
    ///
    /// # Errors
    /// No such key, or a taken alias.
    pub fn rename(&mut self, who: &KeyIdentity, alias: Alias) -> Result<WalletEntry, CliError> {
        let is_taken = self.find(&alias.clone().into());
        let this = self.find(who)?;
        if is_taken.is_ok_and(|other| other.address != this.address) {
            return Err(KeystoreError::AliasTaken(alias).into());
        }
        let store = self.store_of_mut(who)?;
        let entry = store.rename(who, alias)?;
        Ok(view(&entry, store))
    }

    /// The folder of the localnet whose keys are here.
    pub fn localnet_folder(&self) -> Option<PathBuf> {
        let text = std::fs::read_to_string(self.dir.join(LOCALNET_FOLDER)).ok()?;
        Some(PathBuf::from(text.trim_end_matches('\n')))
    }

    /// Replaces the localnet's keys by those of the one in `folder`, unless they are these already.
    /// They are named `localnet-1` and so on.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn put_localnet(
        &mut self,
        keys: &[SecretKey],
        folder: &Path,
    ) -> Result<Vec<WalletEntry>, CliError> {
        let known: Option<Vec<Address>> = self
            .localnet
            .as_ref()
            .map(|store| store.entries().map(|entry| entry.address).collect());
        let wanted: Vec<Address> = keys.iter().map(SecretKey::address).collect();
        if known.as_ref() != Some(&wanted) {
            let path = self.dir.join(LOCALNET);
            self.localnet = None;
            if path.exists() {
                std::fs::remove_file(&path).map_err(CliError::file(&path))?;
            }
            let mut store = Keystore::create(&path, &Protection::Plaintext)?;
            for (key, number) in keys.iter().zip(1..) {
                let alias: Alias = format!("localnet-{number}").parse()?;
                store.import(key, Some(alias), None)?;
            }
            self.localnet = Some(store);
            self.is_localnet_damaged = false;
        }
        let named = self.dir.join(LOCALNET_FOLDER);
        let text = format!("{}\n", folder.display());
        std::fs::write(&named, text).map_err(CliError::file(&named))?;
        let store = self.localnet.iter();
        Ok(store
            .flat_map(|store| store.entries().map(|entry| view(&entry, store)))
            .collect())
    }

    fn store_of(&self, who: &KeyIdentity) -> Result<&Keystore, CliError> {
        let stores = [&self.main, &self.localnet].into_iter().flatten();
        let mut found = stores.filter(|store| store.find(who).is_ok());
        found.next().ok_or_else(|| self.not_found(who))
    }

    fn store_of_mut(&mut self, who: &KeyIdentity) -> Result<&mut Keystore, CliError> {
        let missing = self.not_found(who);
        let stores = [&mut self.main, &mut self.localnet].into_iter().flatten();
        let mut found = stores.filter(|store| store.find(who).is_ok());
        found.next().ok_or(missing)
    }

    fn not_found(&self, who: &KeyIdentity) -> CliError {
        match self.is_localnet_damaged {
            false => KeystoreError::NotFound(who.clone()).into(),
            true => CliError::File {
                path: self.dir.join(LOCALNET),
                reason: format!(
                    "no key `{who}` in the wallet, and this file is damaged; the next start of the \
                     localnet writes it anew"
                ),
            },
        }
    }
}

fn view(entry: &KeyEntry, store: &Keystore) -> WalletEntry {
    WalletEntry {
        alias: entry.alias.clone(),
        address: entry.address,
        public_key: entry.public_key,
        key_scheme: "secp256k1",
        encrypted: store.is_encrypted(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_the_localnet_are_replaced_and_the_wallet_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let mut wallet = Wallet::open(folder.path()).unwrap();
        wallet.create(&Protection::Plaintext).unwrap();
        let own = SecretKey::generate();
        wallet.import(&own, None, None).unwrap();
        let keys = [SecretKey::generate(), SecretKey::generate()];
        assert_eq!(wallet.localnet_folder(), None);
        wallet.put_localnet(&keys, Path::new("/one")).unwrap();
        assert_eq!(wallet.entries().len(), 3);
        assert_eq!(wallet.localnet_folder(), Some("/one".into()));

        let next = [SecretKey::generate()];
        wallet.put_localnet(&next, Path::new("/two")).unwrap();
        let wallet = Wallet::open(folder.path()).unwrap();
        assert_eq!(wallet.localnet_folder(), Some("/two".into()));
        let addresses: Vec<Address> = wallet.entries().iter().map(|e| e.address).collect();
        assert_eq!(addresses, [own.address(), next[0].address()]);
        let key = wallet.unlock(&"localnet-1".parse().unwrap(), || unreachable!());
        assert_eq!(key.unwrap().address(), next[0].address());
    }

    #[test]
    fn damaged_keys_of_the_localnet_keep_nobody_from_the_wallet() {
        let folder = tempfile::tempdir().unwrap();
        let mut wallet = Wallet::open(folder.path()).unwrap();
        wallet.create(&Protection::Plaintext).unwrap();
        let (own, play) = (SecretKey::generate(), [SecretKey::generate()]);
        wallet.import(&own, None, None).unwrap();
        wallet.put_localnet(&play, folder.path()).unwrap();
        let path = folder.path().join(LOCALNET);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();

        let mut wallet = Wallet::open(folder.path()).unwrap();
        let key = wallet.unlock(&own.address().into(), || unreachable!());
        assert_eq!(key.unwrap().address(), own.address());
        let localnet: KeyIdentity = "localnet-1".parse().unwrap();
        let error = wallet.find(&localnet).unwrap_err().to_string();
        assert!(
            error.contains(LOCALNET) && error.contains("damaged"),
            "{error}"
        );
        wallet.put_localnet(&play, folder.path()).unwrap();
        assert_eq!(wallet.find(&localnet).unwrap().address, play[0].address());
    }
}
