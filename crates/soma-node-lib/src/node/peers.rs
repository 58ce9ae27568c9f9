//! Watching the node's place in the network, for its log and its metrics.

use std::sync::Arc;
use std::time::{Duration, Instant};

use soma_consensus::Observer;
use tokio_util::sync::CancellationToken;

use super::NodeConfig;
use super::halts::{Change, Halts};
use super::slashed::Slashed;
use crate::application::{Application, wall_clock_ms};

/// Time between two looks.
const LOOK: Duration = Duration::from_secs(2);

/// Time between two complaints.
const COMPLAIN: Duration = Duration::from_secs(30);

/// Time for a first peer to be found.
const ALONE: Duration = Duration::from_secs(10);

/// What the node was told of its place in the network, and has seen of it.
pub(super) struct Watch {
    /// Peers to stay connected with.
    expected: usize,
    /// Peers at the last look.
    peers: Option<usize>,
    lonely: Lonely,
    /// When it was last said that the node cannot catch up.
    complained: Option<Instant>,
    halts: Halts,
    slashed: Slashed,
}

impl Watch {
    pub(super) fn new(config: &NodeConfig) -> Self {
        Self {
            expected: config.consensus.persistent_peers.len(),
            peers: None,
            lonely: Lonely::default(),
            complained: None,
            halts: Halts::new(config),
            slashed: Slashed::default(),
        }
    }

    /// Logs how many peers are connected whenever that changes. Complains when expected peers stay
    /// away, when none has the blocks that this node needs, when the chain stands still, and when
    /// the node's validator was slashed.
    pub(super) async fn run(
        mut self,
        application: Arc<Application>,
        observer: Observer,
        stop: CancellationToken,
    ) {
        let mut looks = tokio::time::interval(LOOK);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = looks.tick() => {}
            }
            let peers = observer.peers().await.len();
            let metrics = application.metrics();
            metrics.peers.set(i64::try_from(peers).unwrap_or(i64::MAX));
            metrics.round.set(observer.status().borrow().round.into());
            metrics.misbehaviour.set(&observer);
            self.look_at_peers(peers);
            self.look_at_chain(&application, &observer, peers);
            if let Some(validator) = observer.validator() {
                self.slashed.look(&application, validator).await;
            }
        }
    }

    fn look_at_peers(&mut self, peers: usize) {
        let expected = self.expected;
        match self.peers.replace(peers) {
            Some(before) if before == peers => {}
            None if peers == 0 => {}
            _ if peers < expected => tracing::warn!(peers, expected, "peers are missing"),
            _ => tracing::info!(peers, "peers"),
        }
        if self.lonely.look(Instant::now(), peers == 0 && expected > 0) {
            tracing::warn!(
                expected,
                "no peer is connected; check that those in `consensus.persistent_peers` run, can be \
                 reached, and have the same `genesis.json`: nodes of another chain are sent away"
            );
        }
    }

    fn look_at_chain(&mut self, application: &Application, observer: &Observer, peers: usize) {
        let now = application.now();
        let height = now.height();
        let missing = observer.missing_history(height.saturating_add(1));
        if let Some(missing) = missing
            && self
                .complained
                .is_none_or(|since| since.elapsed() >= COMPLAIN)
        {
            self.complained = Some(Instant::now());
            tracing::error!(height, "this node cannot catch up: {missing}");
        }
        let clock = wall_clock_ms();
        let is_over = clock >= now.epoch_end_ms() || application.is_epoch_to_end();
        // A chain whose start is ahead has no blocks yet.
        let silent_ms = clock.checked_sub(now.head.header.time_ms);
        let waits = is_over || application.size().ready > 0;
        // Whatever peers say of their blocks, that none comes here is to be said.
        let has_work = waits && silent_ms.is_some();
        match self.halts.look(Instant::now(), height, has_work) {
            Some(Change::Halted) => tracing::warn!(
                height,
                peers,
                "no block for {} s, though transactions wait or the epoch is over: more than a third \
                 of the voting power may be missing, or this node is cut off",
                silent_ms.unwrap_or_default() / 1_000
            ),
            Some(Change::GoesOn) => tracing::info!(height, peers, "blocks come again"),
            None => {}
        }
    }
}

/// A node without any of the peers that it should have.
#[derive(Debug, Default)]
struct Lonely {
    /// When it says so, or says so again.
    due: Option<Instant>,
}

impl Lonely {
    /// True when it is to be said now.
    fn look(&mut self, now: Instant, is_alone: bool) -> bool {
        if !is_alone {
            self.due = None;
            return false;
        }
        let is_due = now >= *self.due.get_or_insert(now + ALONE);
        if is_due {
            self.due = Some(now + COMPLAIN);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lonely_node_says_so_after_a_while_and_now_and_then() {
        let start = Instant::now();
        let mut lonely = Lonely::default();
        let mut said = Vec::new();
        for second in (0..100).step_by(2) {
            let is_alone = !(60..64).contains(&second);
            if lonely.look(start + Duration::from_secs(second), is_alone) {
                said.push(second);
            }
        }
        assert_eq!(said, [10, 40, 74]);
    }
}
