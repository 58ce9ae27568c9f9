//! The validators beside the first: each a node of its own, in this process or in one of its own.

use std::sync::{Arc, OnceLock};

use soma_crypto::SecretKey;
use soma_node::localnet::{NodeProcess, ProcessError};
use soma_node::{Node, NodeConfig, NodeHandle, NodeKeys};
use soma_types::Genesis;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::network::NetworkError;

/// A running validator beside the first.
pub(crate) struct Member {
    number: usize,
    rpc_url: String,
    running: Running,
}

enum Running {
    Here(Box<NodeHandle>),
    Process {
        stop: oneshot::Sender<()>,
        watch: JoinHandle<()>,
        /// How it ended by itself.
        ended: Arc<OnceLock<String>>,
    },
}

impl Member {
    /// Starts validator `number` in this process.
    pub(crate) async fn start_here(
        number: usize,
        genesis: Genesis,
        config: NodeConfig,
        key: SecretKey,
    ) -> Result<Self, NetworkError> {
        let node = Node::start_as(genesis, config, NodeKeys::of_validator(key)).await;
        let node = node.map_err(|error| fail(number, &error))?;
        Ok(Self {
            number,
            rpc_url: format!("http://{}", node.rpc_address()),
            running: Running::Here(Box::new(node)),
        })
    }

    /// Starts validator `number` in its process, whose log stays after the network's end or not.
    pub(crate) async fn start_process(
        number: usize,
        mut process: NodeProcess,
        keeps_log: bool,
    ) -> Result<Self, NetworkError> {
        let started = process.start().await;
        started.map_err(|error| fail(number, &told(error, keeps_log)))?;
        let rpc_url = process.rpc_url().to_owned();
        let (stop, stopped) = oneshot::channel();
        let ended = Arc::new(OnceLock::new());
        let set = Arc::clone(&ended);
        let watch = tokio::spawn(watch(number, process, stopped, keeps_log, set));
        Ok(Self {
            number,
            rpc_url,
            running: Running::Process { stop, watch, ended },
        })
    }

    /// URL of its API.
    pub(crate) fn rpc_url(&self) -> &str {
        &self.rpc_url
    }

    /// How it ended, if it did so by itself.
    pub(crate) fn ended(&self) -> Option<NetworkError> {
        let reason = match &self.running {
            Running::Here(node) => node
                .stop()
                .is_cancelled()
                .then_some("it ended; see the log"),
            Running::Process { ended, .. } => ended.get().map(String::as_str),
        };
        reason.map(|reason| fail(self.number, &reason))
    }

    /// Ends it.
    pub(crate) async fn shutdown(self) -> Result<(), NetworkError> {
        match self.running {
            Running::Here(node) => {
                let ended = node.shutdown().await;
                ended.map_err(|error| fail(self.number, &error))
            }
            Running::Process { stop, watch, .. } => {
                // It may have ended by itself; that was logged.
                let _ = stop.send(());
                let _ = watch.await;
                Ok(())
            }
        }
    }
}

/// Waits for the end of a process, or ends it.
async fn watch(
    number: usize,
    mut process: NodeProcess,
    stop: oneshot::Receiver<()>,
    keeps_log: bool,
    ended: Arc<OnceLock<String>>,
) {
    tokio::select! {
        how = process.ended() => {
            let how = told(how, keeps_log);
            tracing::error!(validator = number, "a validator ended by itself: {how}");
            // It ends once.
            let _ = ended.set(how);
        }
        _ = stop => process.stop().await,
    }
}

/// What became of a process; its log is named only where it stays.
fn told(error: ProcessError, keeps_log: bool) -> String {
    match error {
        ProcessError::Silent { reason, .. } if !keeps_log => reason,
        error => error.to_string(),
    }
}

pub(crate) fn fail(number: usize, error: &dyn std::fmt::Display) -> NetworkError {
    let reason = error.to_string();
    NetworkError::Validator { number, reason }
}
