//! What a localnet keeps in its data folder: `genesis.json`, `keys.json`, `chain/`,
//! `consensus/`, `audit/`, `network.key`, `validators/` for the others' data, and `lock`.

use std::fs::{File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use soma_chain::StoreError;
use soma_crypto::SecretKey;
use soma_types::{Address, Genesis};

use crate::node::NodeError;

/// An account of a localnet with its key.
#[derive(Clone)]
pub struct LocalnetAccount {
    /// Its address.
    pub address: Address,
    /// Its key. Worth nothing elsewhere: the money of a localnet is play money.
    pub secret_key: SecretKey,
}

impl LocalnetAccount {
    fn generate() -> Self {
        let secret_key = SecretKey::generate();
        Self {
            address: secret_key.address(),
            secret_key,
        }
    }
}

/// The keys of a localnet.
#[derive(Clone)]
pub struct LocalnetKeys {
    /// The validators; the localnet itself runs the first.
    pub validators: Vec<LocalnetAccount>,
    /// The faucet.
    pub faucet: LocalnetAccount,
    /// Funded accounts to work with.
    pub accounts: Vec<LocalnetAccount>,
}

impl LocalnetKeys {
    /// The validator that the localnet itself runs.
    pub fn first(&self) -> &LocalnetAccount {
        &self.validators[0]
    }

    /// Fresh keys for as many validators, at least one, and accounts.
    pub fn generate(validators: usize, accounts: usize) -> Self {
        let some = |count| (0..count).map(|_| LocalnetAccount::generate()).collect();
        Self {
            validators: some(validators.max(1)),
            faucet: LocalnetAccount::generate(),
            accounts: some(accounts),
        }
    }
}

/// The form of `keys.json`: secret keys in hex.
#[derive(Serialize, Deserialize)]
struct Stored {
    validators: Vec<String>,
    faucet: String,
    accounts: Vec<String>,
}

impl Stored {
    fn of(keys: &LocalnetKeys) -> Self {
        let hex = |account: &LocalnetAccount| {
            let bytes = account.secret_key.to_bytes();
            bytes.iter().map(|byte| format!("{byte:02x}")).collect()
        };
        Self {
            validators: keys.validators.iter().map(hex).collect(),
            faucet: hex(&keys.faucet),
            accounts: keys.accounts.iter().map(hex).collect(),
        }
    }

    fn read(&self) -> Result<LocalnetKeys, String> {
        let account = |text: &String| {
            let secret_key = SecretKey::from_hex(text).map_err(|error| error.to_string())?;
            Ok(LocalnetAccount {
                address: secret_key.address(),
                secret_key,
            })
        };
        let all = |texts: &[String]| {
            texts
                .iter()
                .map(account)
                .collect::<Result<Vec<_>, String>>()
        };
        let keys = LocalnetKeys {
            validators: all(&self.validators)?,
            faucet: account(&self.faucet)?,
            accounts: all(&self.accounts)?,
        };
        match keys.validators.is_empty() {
            true => Err("it names no validator".to_owned()),
            false => Ok(keys),
        }
    }
}

fn file_error(path: &Path) -> impl FnOnce(std::io::Error) -> NodeError {
    let path = path.to_owned();
    move |error| NodeError::File { path, error }
}

fn paths(dir: &Path) -> (PathBuf, PathBuf, PathBuf) {
    (
        dir.join("genesis.json"),
        dir.join("keys.json"),
        dir.join("chain"),
    )
}

/// Takes the folder for this process, for as long as the file is open.
pub(super) fn lock(dir: &Path) -> Result<File, NodeError> {
    let path = dir.join("lock");
    std::fs::create_dir_all(dir).map_err(file_error(dir))?;
    let file = File::create(&path).map_err(file_error(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let folder = dir.display().to_string();
            Err(StoreError::InUse { folder }.into())
        }
        Err(TryLockError::Error(error)) => Err(file_error(&path)(error)),
    }
}

/// Genesis and keys, when both are there.
pub(super) fn load(dir: &Path) -> Result<Option<(Genesis, LocalnetKeys)>, NodeError> {
    let (genesis_path, keys_path, chain_path) = paths(dir);
    if !genesis_path.exists() {
        // Only a network that is half made or half removed has keys alone.
        if keys_path.exists() && read_keys(&keys_path)?.is_err() {
            return Err(not_ours(keys_path));
        }
        // Chain data without its genesis belongs to something else, or is half removed.
        return match chain_path.exists() {
            true => Err(NodeError::Content {
                path: chain_path,
                reason: "chain data without its genesis; choose another data folder, or start \
                         over with `--force-regenesis`"
                    .to_owned(),
            }),
            false => Ok(None),
        };
    }
    let read = |path: &Path| std::fs::read_to_string(path).map_err(file_error(path));
    let content = |path: &Path, reason: String| NodeError::Content {
        path: path.to_owned(),
        reason: format!("{reason}; start over with `--force-regenesis`"),
    };
    let genesis = serde_json::from_str(&read(&genesis_path)?)
        .map_err(|error| content(&genesis_path, error.to_string()))?;
    if !keys_path.exists() {
        let reason = "it is missing, and holds the keys of all accounts: put it back";
        return Err(content(&keys_path, reason.to_owned()));
    }
    let keys = read_keys(&keys_path)?.map_err(|reason| content(&keys_path, reason))?;
    Ok(Some((genesis, keys)))
}

fn read_keys(path: &Path) -> Result<Result<LocalnetKeys, String>, NodeError> {
    let text = std::fs::read_to_string(path).map_err(file_error(path))?;
    // What is wrong is said by its place: the text may be a secret.
    let stored = serde_json::from_str::<Stored>(&text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        format!("it is no list of a localnet's keys, see line {line}, column {column}")
    });
    Ok(stored.and_then(|stored| stored.read()))
}

fn not_ours(path: PathBuf) -> NodeError {
    let reason = "no localnet wrote this; choose another data folder, or move it away";
    NodeError::Content {
        path,
        reason: reason.to_owned(),
    }
}

/// Writes keys and genesis. The genesis comes last: it marks a network that is complete.
pub(super) fn save(dir: &Path, genesis: &Genesis, keys: &LocalnetKeys) -> Result<(), NodeError> {
    let (genesis_path, keys_path, _) = paths(dir);
    std::fs::create_dir_all(dir).map_err(file_error(dir))?;
    write(&keys_path, &Stored::of(keys))?;
    write(&genesis_path, genesis)
}

fn write<T: Serialize>(path: &Path, value: &T) -> Result<(), NodeError> {
    let text = serde_json::to_vec_pretty(value).map_err(|error| NodeError::Content {
        path: path.to_owned(),
        reason: error.to_string(),
    })?;
    let unfinished = path.with_extension("unfinished");
    let write = || {
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&unfinished)?;
        file.write_all(&text)?;
        file.sync_all()?;
        std::fs::rename(&unfinished, path)
    };
    write().map_err(file_error(path))
}

/// What else a localnet keeps, each in a folder.
const FOLDERS: [&str; 5] = ["consensus", "audit", "validators", "snapshots", "bootstrap"];

/// Removes what a localnet keeps, and nothing else.
///
/// # Errors
/// Files of the same names that are no localnet's: then nothing is removed.
pub(super) fn clear(dir: &Path) -> Result<(), NodeError> {
    let (genesis, keys, chain) = paths(dir);
    let is_genesis = |text: String| serde_json::from_str::<Genesis>(&text).is_ok();
    // The keys are removed last: one of the two is there as long as anything is.
    let is_ours = std::fs::read_to_string(&genesis).is_ok_and(is_genesis)
        || read_keys(&keys).is_ok_and(|keys| keys.is_ok());
    if !is_ours {
        let kept = FOLDERS.iter().map(|name| dir.join(name));
        let mut kept = [&genesis, &keys, &chain].into_iter().cloned().chain(kept);
        return match kept.find(|path| path.exists()) {
            Some(path) => Err(not_ours(path)),
            None => Ok(()),
        };
    }
    let gone = |path: &Path, result: std::io::Result<()>| match result {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(file_error(path)(error)),
        _ => Ok(()),
    };
    // The genesis first: without it the rest counts as never made.
    gone(&genesis, std::fs::remove_file(&genesis))?;
    gone(&chain, std::fs::remove_dir_all(&chain))?;
    for name in FOLDERS {
        let folder = dir.join(name);
        gone(&folder, std::fs::remove_dir_all(&folder))?;
    }
    gone(&keys, std::fs::remove_file(&keys))
}
