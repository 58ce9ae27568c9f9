//! The keys of a validator.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use soma_consensus::{NetworkKey, ValidatorKeys};
use soma_crypto::SecretKey;
use soma_crypto::key_file::{self, FileError, KeyFileError};
use soma_types::Address;

use super::NodeError;

/// The validator that a node is. Key files hold hex and are for their owner only.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ValidatorConfig {
    /// The validator's address. Default that of its account's key.
    pub address: Option<Address>,
    /// File with the secret key of its account, which signs the audit's reports. Default none:
    /// then nothing is audited.
    pub account_key: Option<PathBuf>,
    /// File with its secret consensus key, which signs votes. Default the account's key.
    pub consensus_key: Option<PathBuf>,
    /// Files with keys that replace it as soon as the chain says so. Default none.
    pub next_consensus_keys: Vec<PathBuf>,
}

/// What a node signs with.
#[derive(Clone, Debug, Default)]
pub struct NodeKeys {
    /// The account that reports frauds; none for a node that does not audit.
    pub account: Option<SecretKey>,
    /// The validator; none for a node that only follows.
    pub validator: Option<ValidatorKeys>,
}

impl NodeKeys {
    /// A validator whose account and votes have the same key.
    pub fn of_validator(key: SecretKey) -> Self {
        Self {
            validator: Some(ValidatorKeys {
                address: key.address(),
                key: key.clone(),
                next: Vec::new(),
            }),
            account: Some(key),
        }
    }

    /// Reads the files that `config` names.
    ///
    /// # Errors
    /// A file that cannot be read, that others may read, or that holds no key; a consensus key
    /// without its validator. No message shows a file's content.
    pub fn read(config: &ValidatorConfig) -> Result<Self, NodeError> {
        let account = config.account_key.as_deref().map(read).transpose()?;
        let consensus = config.consensus_key.as_deref().map(read).transpose()?;
        let next: Result<_, _> = config.next_consensus_keys.iter().map(|p| read(p)).collect();
        let Some(key) = consensus.or_else(|| account.clone()) else {
            if let Some(validator) = config.address {
                tracing::warn!(%validator, "no key of the validator is named: this node only follows");
            }
            return Ok(Self::default());
        };
        let address = account.as_ref().map(SecretKey::address);
        let address = config.address.or(address).ok_or(NodeError::NoValidator)?;
        Ok(Self {
            account,
            validator: Some(ValidatorKeys {
                address,
                key,
                next: next?,
            }),
        })
    }
}

/// The id to its peers of the node whose data folder is `dir`. Its key is made there, unless it is.
///
/// # Errors
/// A key that cannot be read or made, or that others may read.
pub fn network_id(dir: &Path) -> Result<String, NodeError> {
    Ok(NetworkKey::load_or_create(&dir.join("network.key"))?.peer_id())
}

fn read(path: &Path) -> Result<SecretKey, NodeError> {
    key_file::read(path).map_err(|error| match error {
        KeyFileError::File(FileError::Exposed { path, .. }) => NodeError::OpenKey { path },
        KeyFileError::File(FileError::Io { path, source, .. }) => NodeError::File {
            path,
            error: source,
        },
        KeyFileError::Content { path, reason } => NodeError::Content {
            path,
            reason: reason.to_string(),
        },
        KeyFileError::File(_) => NodeError::Content {
            path: path.to_owned(),
            reason: "not a file".to_owned(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn keys_are_read_from_files_that_only_their_owner_reads() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str, mode: u32| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            path
        };
        let account = write("account", &format!("{}\n", "11".repeat(32)), 0o600);
        let votes = write("votes", &"22".repeat(32), 0o400);
        let open = write("open", &"33".repeat(32), 0o640);
        let empty = write("empty", "", 0o600);

        let none = NodeKeys::read(&ValidatorConfig::default()).unwrap();
        assert!(none.account.is_none() && none.validator.is_none());
        let config = ValidatorConfig {
            account_key: Some(account),
            ..ValidatorConfig::default()
        };
        let one = NodeKeys::read(&config).unwrap().validator.unwrap();
        assert_eq!(one.address, one.key.address());
        let config = ValidatorConfig {
            consensus_key: Some(votes.clone()),
            ..config
        };
        let two = NodeKeys::read(&config).unwrap().validator.unwrap();
        assert!(two.address == one.address && two.key.address() != one.address);

        let alone = |path: &PathBuf| ValidatorConfig {
            consensus_key: Some(path.clone()),
            ..ValidatorConfig::default()
        };
        let error = |path| NodeKeys::read(&alone(path)).unwrap_err();
        assert!(matches!(error(&votes), NodeError::NoValidator));
        assert!(matches!(error(&open), NodeError::OpenKey { .. }));
        assert!(matches!(error(&empty), NodeError::Content { .. }));
        let gone = folder.path().join("gone");
        assert!(matches!(error(&gone), NodeError::File { .. }));
    }
}
