//! A node in a process of its own.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use soma_crypto::SecretKey;
use soma_service::free_ports;
use soma_types::Genesis;
use thiserror::Error;
use tokio::process::{Child, ChildStdin, Command};

use crate::node::NodeConfig;

/// The longest that a start may take.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How often a starting node is asked whether it answers.
const START_PAUSE: Duration = Duration::from_millis(20);
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
    child: Option<Child>,
    /// Its end stops the node.
    stdin: Option<ChildStdin>,
}

impl NodeProcess {
    /// Prepares a node with all its files in `folder`. With `key` it is that validator. Its API
    /// listens where `config` says; on a free port when that is 0.
    ///
    /// # Errors
    /// [`ProcessError::File`], [`ProcessError::Content`].
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
            write_private(&path, &hex(key))?;
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
        write_private(&path, &text(&path, toml::to_string_pretty(&config))?)?;
        Ok(Self {
            program,
            rpc_url: format!("http://{}", config.rpc.address),
            folder,
            child: None,
            stdin: None,
        })
    }

    /// Starts it, unless it runs, and waits until it answers; gives the time that took.
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
        let url = format!("{}/health", self.rpc_url);
        let silent = |reason| ProcessError::Silent { reason, log: path };
        loop {
            let answer = reqwest::get(&url).await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(since.elapsed());
            }
            if let Ok(Some(status)) = child.try_wait() {
                return Err(silent(format!("its process ended ({status})")));
            }
            if since.elapsed() > START_LIMIT {
                return Err(silent("it does not answer".to_owned()));
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
    pub async fn ended(&mut self) -> String {
        match &mut self.child {
            Some(child) => match child.wait().await {
                Ok(status) => status.to_string(),
                Err(error) => error.to_string(),
            },
            None => "not running".to_owned(),
        }
    }
}

fn hex(key: &SecretKey) -> String {
    let bytes = key.to_bytes();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
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
