//! Watching the node's place in the network, for its log and its metrics.

use std::sync::Arc;
use std::time::{Duration, Instant};

use soma_consensus::Observer;
use tokio_util::sync::CancellationToken;

use crate::application::Application;

/// Time between two looks.
const LOOK: Duration = Duration::from_secs(2);

/// Time between two complaints.
const COMPLAIN: Duration = Duration::from_secs(30);

/// Logs how many peers are connected whenever that changes. `expected` is how many the node was
/// told to stay connected with. Complains when none of them has the blocks that this node needs.
pub(super) async fn watch(
    application: Arc<Application>,
    observer: Observer,
    expected: usize,
    stop: CancellationToken,
) {
    let mut looks = tokio::time::interval(LOOK);
    let (mut last, mut complained) = (None, None::<Instant>);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = looks.tick() => {}
        }
        let peers = observer.peers().await.len();
        let needed = application.now().height().saturating_add(1);
        if let Some(missing) = observer.missing_history(needed)
            && complained.is_none_or(|since| since.elapsed() >= COMPLAIN)
        {
            complained = Some(Instant::now());
            tracing::error!(height = needed - 1, "this node cannot catch up: {missing}");
        }
        let metrics = application.metrics();
        metrics.peers.set(i64::try_from(peers).unwrap_or(i64::MAX));
        metrics.round.set(observer.status().borrow().round.into());
        metrics.misbehaviour.set(&observer);
        match last {
            Some(before) if before == peers => {}
            None if peers == 0 => {}
            _ if peers < expected => tracing::warn!(peers, expected, "peers are missing"),
            _ => tracing::info!(peers, "peers"),
        }
        last = Some(peers);
    }
}
