//! Who a node is: to the network, and to the committee.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use malachite::app::types::Keypair;
use soma_crypto::SecretKey;
use soma_types::Address;

use crate::error::ConsensusError;

/// A node's identity on the network: encrypts and authenticates its connections. It is not a
/// validator's key; a validator proves that it is its own.
#[derive(Clone)]
pub struct NetworkKey(Keypair);

impl std::fmt::Debug for NetworkKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NetworkKey of {}", self.peer_id())
    }
}

impl NetworkKey {
    /// A fresh key.
    pub fn generate() -> Self {
        Self(Keypair::generate_ed25519())
    }

    /// Reads the key in `path`, or makes one there that only its owner may read.
    ///
    /// # Errors
    /// A file that others may read, that holds no key, or that cannot be read or written.
    pub fn load_or_create(path: &Path) -> Result<Self, ConsensusError> {
        match std::fs::File::open(path) {
            Ok(file) => Self::read(path, file),
            Err(error) if error.kind() == ErrorKind::NotFound => Self::create(path),
            Err(error) => Err(failed(path, error)),
        }
    }

    fn read(path: &Path, mut file: std::fs::File) -> Result<Self, ConsensusError> {
        let refuse = |hint| ConsensusError::Config {
            field: "the network key",
            value: path.display().to_string(),
            hint,
        };
        let metadata = file.metadata().map_err(|error| failed(path, error))?;
        if metadata.permissions().mode() & 0o077 != 0 {
            return Err(refuse("others may read it; set its mode to 600"));
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)
            .map_err(|error| failed(path, error))?;
        Keypair::ed25519_from_bytes(bytes)
            .map(Self)
            .map_err(|_| refuse("it does not hold 32 bytes; remove it to get a new one"))
    }

    fn create(path: &Path) -> Result<Self, ConsensusError> {
        let key = Self::generate();
        let secret = key.0.clone().try_into_ed25519();
        let secret = secret.map_err(|error| ConsensusError::Start(error.to_string()))?;
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).open(path);
        file.and_then(|mut file| {
            file.write_all(secret.secret().as_ref())?;
            file.sync_all()
        })
        .map_err(|error| failed(path, error))?;
        Ok(key)
    }

    /// The node's id on the network, as in `/p2p/…` of a multiaddress.
    pub fn peer_id(&self) -> String {
        self.0.public().to_peer_id().to_string()
    }

    pub(crate) fn keypair(&self) -> &Keypair {
        &self.0
    }

    pub(crate) fn peer_id_bytes(&self) -> Vec<u8> {
        self.0.public().to_peer_id().to_bytes()
    }
}

fn failed(path: &Path, error: std::io::Error) -> ConsensusError {
    ConsensusError::Log {
        path: path.to_owned(),
        error,
    }
}

/// A validator's part of an identity.
#[derive(Clone, Debug)]
pub struct ValidatorKeys {
    /// Its account.
    pub address: Address,
    /// The key that signs its votes.
    pub key: SecretKey,
    /// Keys that may replace it at an epoch's start, when the chain says so.
    pub next: Vec<SecretKey>,
}

/// Who a node is.
#[derive(Clone, Debug)]
pub struct Identity {
    /// To the network.
    pub network: NetworkKey,
    /// To the committee; none for a node that only follows.
    pub validator: Option<ValidatorKeys>,
}

/// The id of a peer that nobody else has.
#[cfg(test)]
pub(crate) fn somebody() -> malachite::app::types::PeerId {
    let id = NetworkKey::generate().peer_id_bytes();
    malachite::app::types::PeerId::from_bytes(&id).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_key_stays_and_is_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("network.key");
        let made = NetworkKey::load_or_create(&path).unwrap();
        let read = NetworkKey::load_or_create(&path).unwrap();
        assert_eq!(made.peer_id(), read.peer_id());

        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(NetworkKey::load_or_create(&path).is_err());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&path, [1; 31]).unwrap();
        assert!(NetworkKey::load_or_create(&path).is_err());
    }
}
