//! Running until the system says stop.

use soma_service::{logging, stop_signal};

use super::{Node, NodeConfig, NodeError};

/// Starts logging and a node after `config`, and runs it until the process is asked to end.
///
/// # Errors
/// Why the node could not start, or why it stopped by itself.
pub fn run_until_signal(config: NodeConfig) -> Result<(), NodeError> {
    logging::init(&config.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(NodeError::Runtime)?;
    let result = runtime.block_on(async {
        let node = Node::start(config).await?;
        let stop = node.stop().clone();
        tokio::select! {
            () = stop_signal() => tracing::info!("stopping"),
            () = stop.cancelled() => {}
        }
        node.shutdown().await
    });
    // Clients that keep their connections open must not keep the process.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    result
}
