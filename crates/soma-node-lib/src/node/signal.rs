//! Running until somebody says stop.

use std::io::Read as _;
use std::time::Duration;

use soma_service::{logging, stop_signal};
use tokio::sync::oneshot;

use super::{Node, NodeConfig, NodeError, NodeHandle};

/// When a node stops, unless it cannot go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Until {
    /// When the system asks the process to end.
    #[default]
    Signal,
    /// Then, or when standard input ends: with the program that started this one.
    StdinEnds,
}

/// Starts logging and a node after `config`, and runs it to its end; `ready` hears of its start.
///
/// # Errors
/// Why the node could not start, or why it stopped by itself.
pub async fn run(
    config: NodeConfig,
    until: Until,
    ready: impl FnOnce(&NodeHandle),
) -> Result<(), NodeError> {
    logging::init(&config.log)?;
    // Before anything answers, so that the node stops cleanly from the start.
    let mut told = tokio::spawn(stop_signal());
    let mut ended = std::pin::pin!(stdin_ends(until));
    // A start from a snapshot may take long. Given up, it goes on where it was the next time.
    let node = tokio::select! {
        node = Node::start(config) => node?,
        _ = &mut told => return Ok(()),
        () = &mut ended => return Ok(()),
    };
    ready(&node);
    let stop = node.stop().clone();
    tokio::select! {
        _ = &mut told => tracing::info!("stopping"),
        () = &mut ended => tracing::info!("standard input ended; stopping"),
        () = stop.cancelled() => {}
    }
    node.shutdown().await
}

/// The same, on a runtime of its own.
///
/// # Errors
/// Those of [`run`].
pub fn run_on_new_runtime(config: NodeConfig, until: Until) -> Result<(), NodeError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(NodeError::Runtime)?;
    let result = runtime.block_on(run(config, until, |_| {}));
    // Clients that keep their connections open must not keep the process.
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

async fn stdin_ends(until: Until) {
    if until == Until::Signal {
        return std::future::pending().await;
    }
    let (done, ended) = oneshot::channel();
    // A thread that no runtime waits for.
    std::thread::spawn(move || {
        let mut some = [0; 64];
        while matches!(std::io::stdin().read(&mut some), Ok(count) if count > 0) {}
        let _ = done.send(());
    });
    let _ = ended.await;
}
