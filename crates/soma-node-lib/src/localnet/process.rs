//! A node in a process of its own.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use soma_crypto::SecretKey;
use soma_service::free_ports;
use soma_types::Genesis;
use thiserror::Error;
use tokio::process::{Child, ChildStdin, Command};

use crate::node::{NodeConfig, NodeError};

/// The longest that a start may take.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How often a starting node is asked whether it works.
const START_PAUSE: Duration = Duration::from_millis(20);
/// The longest that one answer may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// Time for a process to stop before it is killed.
const STOP_LIMIT: Duration = Duration::from_secs(20);

/// A program that runs a node: it is called with `arguments`, then
/// `--config FILE --stop-with-stdin`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeProgram {
    /// Its file.
    pub path: PathBuf,
    /// What comes before the node's own arguments, such as `start validator`.
    pub arguments: Vec<OsString>,
}

impl From<PathBuf> for NodeProgram {
    /// A program that takes the node's arguments alone, as `soma-node` does.
    fn from(path: PathBuf) -> Self {
        Self {
            path,
            arguments: Vec::new(),
        }
    }
}

/// Why a node does not start in a process of its own.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ProcessError {
    /// Its files, or the program.
    #[error("{}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// Its settings cannot be written as text.
    #[error("{}: {reason}", path.display())]
    Content {
        /// The file for them.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The settings in its folder, which its user may have changed.
    #[error(transparent)]
    Settings(#[from] NodeError),
    /// It ended, or does not answer.
    #[error("{reason}; see {}", log.display())]
    Silent {
        /// What became of it.
        reason: String,
        /// Its log.
        log: PathBuf,
    },
}

fn file(path: &Path) -> impl FnOnce(std::io::Error) -> ProcessError {
    let path = path.to_owned();
    move |error| ProcessError::File { path, error }
}

/// A node in a process of its own, which may run or not. It is killed when this is dropped.
#[derive(Debug)]
pub struct NodeProcess {
    program: NodeProgram,
    folder: PathBuf,
    rpc_url: String,
    /// Bytes of its log before its last start.
    logged: u64,
    child: Option<Child>,
    /// Its end stops the node.
    stdin: Option<ChildStdin>,
}

impl NodeProcess {
    /// Prepares a node with all its files in `folder`. With `key` it is that validator. Its API
    /// listens where `config` says; on a free port when that is 0. Settings that are in `folder`
    /// already are kept, except where the node is and whom it talks to.
    ///
    /// # Errors
    /// [`ProcessError::File`], [`ProcessError::Content`], [`ProcessError::Settings`].
    pub fn prepare(
        program: NodeProgram,
        folder: PathBuf,
        genesis: &Genesis,
        mut config: NodeConfig,
        key: Option<&SecretKey>,
    ) -> Result<Self, ProcessError> {
        std::fs::create_dir_all(&folder).map_err(file(&folder))?;
        if let Some(key) = key {
            let path = folder.join("account.key");
            write_private(&path, &key.to_hex())?;
            config.validator.account_key = Some(path);
        }
        let path = folder.join("genesis.json");
        write_private(&path, &text(&path, serde_json::to_string_pretty(genesis))?)?;
        config.genesis = Some(path);
        config.data_dir = Some(folder.clone());
        if config.rpc.address.port() == 0 {
            let ports = free_ports(1).map_err(file(&folder))?;
            let port = ports.first().copied().unwrap_or_default();
            config.rpc.address.set_port(port);
        }
        let path = folder.join("node.toml");
        if path.exists() {
            config = kept(NodeConfig::from_file(&path)?, config);
        }
        let settings = text(&path, toml::to_string_pretty(&config))?;
        write_private(&path, &format!("{NODE_TOML}{settings}"))?;
        Ok(Self {
            program,
            rpc_url: format!("http://{}", config.rpc.address),
            folder,
            logged: 0,
            child: None,
            stdin: None,
        })
    }

    /// Starts it, unless it runs, and waits until it answers and takes part in consensus; gives the
    /// time that took.
    ///
    /// # Errors
    /// [`ProcessError`].
    pub async fn start(&mut self) -> Result<Duration, ProcessError> {
        let since = Instant::now();
        if self.child.is_some() {
            return Ok(since.elapsed());
        }
        let path = self.log();
        let log = File::options().create(true).append(true).open(&path);
        let log = log.map_err(file(&path))?;
        self.logged = log.metadata().map_err(file(&path))?.len();
        let child = Command::new(&self.program.path)
            .args(&self.program.arguments)
            .arg("--config")
            .arg(self.folder.join("node.toml"))
            .arg("--stop-with-stdin")
            .stdin(Stdio::piped())
            .stdout(log.try_clone().map_err(file(&path))?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .map_err(file(&self.program.path))?;
        let child = self.child.insert(child);
        // Waiting for a process closes what it reads from, unless that was taken.
        self.stdin = child.stdin.take();
        let client = reqwest::Client::new();
        let url = format!("{}/v1/status", self.rpc_url);
        loop {
            let works = works(&client, &url).await;
            // First: another program may answer in its place.
            if let Ok(Some(status)) = child.try_wait() {
                return Err(ended(&status, path, self.logged));
            }
            if works {
                return Ok(since.elapsed());
            }
            if since.elapsed() > START_LIMIT {
                let reason = format!("it does not work after {} s", START_LIMIT.as_secs());
                return Err(ProcessError::Silent { reason, log: path });
            }
            tokio::time::sleep(START_PAUSE).await;
        }
    }

    /// URL of its API.
    pub fn rpc_url(&self) -> &str {
        &self.rpc_url
    }

    /// Where its files are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where it logs.
    pub fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// The id of its process; none when it does not run.
    pub fn id(&self) -> Option<u32> {
        self.child.as_ref()?.id()
    }

    /// Ends it at once, as a crash does.
    pub async fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // One that has ended already is fine.
            let _ = child.kill().await;
        }
    }

    /// Asks it to end and waits for that.
    pub async fn stop(&mut self) {
        let Some(mut child) = self.child.take() else {
            return;
        };
        // The end of its standard input stops it.
        self.stdin = None;
        if tokio::time::timeout(STOP_LIMIT, child.wait())
            .await
            .is_err()
        {
            tracing::warn!(node = %self.rpc_url, "a node does not stop; it is killed");
            let _ = child.kill().await;
        }
    }

    /// Waits until it ends by itself; says how.
    pub async fn ended(&mut self) -> ProcessError {
        let log = self.log();
        let reason = match &mut self.child {
            Some(child) => match child.wait().await {
                Ok(status) => return ended(&status, log, self.logged),
                Err(error) => error.to_string(),
            },
            None => "not running".to_owned(),
        };
        ProcessError::Silent { reason, log }
    }
}

/// First lines of settings that are kept.
const NODE_TOML: &str = "\
# What you change here stays, but for what each start decides: places of files, addresses, peers and
# the scorer.

";

/// The settings of an earlier start, with what each start decides anew.
fn kept(mut old: NodeConfig, new: NodeConfig) -> NodeConfig {
    old.data_dir = new.data_dir;
    old.genesis = new.genesis;
    old.rpc.address = new.rpc.address;
    old.consensus.listen = new.consensus.listen;
    old.consensus.persistent_peers = new.consensus.persistent_peers;
    old.audit.scorer = new.audit.scorer;
    if new.validator.account_key.is_some() {
        old.validator.account_key = new.validator.account_key;
    }
    old
}

/// How a process ended, with the error that it wrote to its log after the first `from` bytes.
fn ended(status: &ExitStatus, log: PathBuf, from: u64) -> ProcessError {
    let reason = match last_error(&log, from) {
        Some(error) => format!("its process ended ({status}): {error}"),
        None => format!("its process ended ({status})"),
    };
    ProcessError::Silent { reason, log }
}

/// What a program says at its end of why it failed.
fn last_error(log: &Path, from: u64) -> Option<String> {
    let mut file = File::open(log).ok()?;
    file.seek(SeekFrom::Start(from)).ok()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let said = |line: &str| {
        let said = line.strip_prefix("Error: ");
        said.or_else(|| line.strip_prefix("error: "))
            .map(str::to_owned)
    };
    text.lines().rev().find_map(said)
}

/// True for a node that answers and has begun to take part in consensus: without the key that the
/// chain names, or a port to listen on, it ends or waits before that.
async fn works(client: &reqwest::Client, url: &str) -> bool {
    let answer = client.get(url).timeout(ANSWER_LIMIT).send().await;
    match answer.and_then(reqwest::Response::error_for_status) {
        Ok(answer) => match answer.json::<soma_api::Status>().await {
            Ok(status) => status.consensus.height > 0,
            Err(_) => false,
        },
        Err(_) => false,
    }
}

fn text<E: std::fmt::Display>(
    path: &Path,
    made: Result<String, E>,
) -> Result<String, ProcessError> {
    made.map_err(|error| ProcessError::Content {
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

/// Writes a file that only its owner may read.
fn write_private(path: &Path, text: &str) -> Result<(), ProcessError> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let written = options.open(path);
    let written = written.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(file(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepare(folder: &Path, config: NodeConfig) -> Result<NodeProcess, ProcessError> {
        let keys = crate::localnet::LocalnetKeys::generate(1, 0);
        let localnet = crate::LocalnetConfig::for_tests();
        let genesis = crate::localnet::localnet_genesis(&localnet, &keys);
        let script = "echo 'Error: no key' >&2; exit 3";
        let program = NodeProgram {
            path: "/bin/sh".into(),
            arguments: vec!["-c".into(), script.into()],
        };
        let key = &keys.first().secret_key;
        NodeProcess::prepare(program, folder.to_owned(), &genesis, config, Some(key))
    }

    #[test]
    fn changed_settings_are_kept_and_addresses_are_new() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.toml");
        let mut config = NodeConfig::default();
        prepare(folder.path(), config.clone()).unwrap();
        let mut changed = NodeConfig::from_file(&path).unwrap();
        changed.validator.next_consensus_keys = vec!["next.key".into()];
        changed.keep_blocks = Some(1_000);
        std::fs::write(&path, toml::to_string_pretty(&changed).unwrap()).unwrap();

        config.consensus.listen = "/ip4/127.0.0.1/tcp/20000".to_owned();
        config.consensus.persistent_peers = vec!["/ip4/127.0.0.1/tcp/20001".to_owned()];
        prepare(folder.path(), config.clone()).unwrap();
        let now = NodeConfig::from_file(&path).unwrap();
        assert_eq!(now.consensus, config.consensus);
        assert_eq!(now.validator, changed.validator);
        assert_eq!(now.keep_blocks, Some(1_000));

        std::fs::write(&path, "no_such_setting = 1").unwrap();
        let refused = prepare(folder.path(), config).unwrap_err().to_string();
        assert!(refused.contains("no_such_setting"), "{refused}");
    }

    #[tokio::test]
    async fn a_process_that_ends_at_once_does_not_start() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("log"), "Error: of an earlier run\n").unwrap();
        let mut config = NodeConfig::default();
        config.rpc.address.set_port(0);
        let mut process = prepare(folder.path(), config).unwrap();
        let refused = process.start().await.unwrap_err().to_string();
        assert!(
            refused.contains("exit status: 3): no key; see "),
            "{refused}"
        );
    }
}
