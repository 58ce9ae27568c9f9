//! Watching the node's place in the network, for its log and its metrics.

use std::sync::Arc;
use std::time::Duration;

use soma_consensus::Observer;
use tokio_util::sync::CancellationToken;

use crate::application::Application;

/// Time between two looks.
const LOOK: Duration = Duration::from_secs(2);

/// Logs how many peers are connected whenever that changes. `expected` is how many the node was
/// told to stay connected with.
pub(super) async fn watch(
    application: Arc<Application>,
    observer: Observer,
    expected: usize,
    stop: CancellationToken,
) {
    let mut looks = tokio::time::interval(LOOK);
    let mut last = None;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = looks.tick() => {}
        }
        let peers = observer.peers().await.len();
        let metrics = application.metrics();
        metrics.peers.set(i64::try_from(peers).unwrap_or(i64::MAX));
        metrics.round.set(observer.status().borrow().round.into());
        match last {
            Some(before) if before == peers => {}
            None if peers == 0 => {}
            _ if peers < expected => tracing::warn!(peers, expected, "peers are missing"),
            _ => tracing::info!(peers, "peers"),
        }
        last = Some(peers);
    }
}
