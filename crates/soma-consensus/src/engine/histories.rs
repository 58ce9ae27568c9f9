//! What peers say about the blocks that they have: a node that needs older ones than any peer has
//! waits in vain, and should say so.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use malachite::app::types::PeerId;
use soma_types::Height;

/// Peers that are remembered.
const MAX_PEERS: usize = 256;
/// How long what a peer said counts.
const FRESH: Duration = Duration::from_secs(60);

/// Blocks that a node needs and no peer has any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MissingHistory {
    /// The height that this node needs.
    pub needed: Height,
    /// The lowest height that a peer can give.
    pub lowest: Height,
    /// The newest height that a peer has.
    pub highest: Height,
    /// How many peers are ahead of this node.
    pub peers: usize,
}

impl fmt::Display for MissingHistory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            needed,
            lowest,
            highest,
            peers,
        } = self;
        write!(
            f,
            "block {needed} is needed, and none of the {peers} peers that are ahead has it: their \
             history is pruned and they have {lowest} to {highest}; connect to a node that keeps \
             all blocks, or start with an empty data folder from a snapshot"
        )
    }
}

#[derive(Clone, Copy, Debug)]
struct History {
    lowest: Height,
    highest: Height,
    said: Instant,
}

/// What peers said last. Nothing of it is proven.
#[derive(Clone, Debug, Default)]
pub(crate) struct Histories {
    peers: Arc<Mutex<HashMap<PeerId, History>>>,
}

impl Histories {
    /// A peer has the blocks from `lowest` to `highest`.
    pub(crate) fn note(&self, peer: PeerId, lowest: Height, highest: Height) {
        let mut peers = self.lock();
        let said = Instant::now();
        if peers.len() >= MAX_PEERS && !peers.contains_key(&peer) {
            peers.retain(|_, history| history.said.elapsed() < FRESH);
            if peers.len() >= MAX_PEERS {
                return;
            }
        }
        let history = History {
            lowest,
            highest,
            said,
        };
        peers.insert(peer, history);
    }

    /// What is missing to a node that needs the block at `needed`, when peers have gone on from
    /// there and none of them can give it.
    pub(super) fn missing(&self, needed: Height) -> Option<MissingHistory> {
        let peers = self.lock();
        let ahead: Vec<_> = peers
            .values()
            .filter(|history| history.said.elapsed() < FRESH && history.highest >= needed)
            .collect();
        let lowest = ahead.iter().map(|history| history.lowest).min()?;
        let highest = ahead.iter().map(|history| history.highest).max()?;
        (lowest > needed).then_some(MissingHistory {
            needed,
            lowest,
            highest,
            peers: ahead.len(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PeerId, History>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::somebody;

    #[test]
    fn history_is_missing_when_no_peer_that_is_ahead_has_it() {
        let histories = Histories::default();
        assert_eq!(histories.missing(1), None);
        let (first, second) = (somebody(), somebody());
        // As far as this node.
        histories.note(first, 1, 4);
        assert_eq!(histories.missing(5), None);
        histories.note(first, 90, 120);
        let missing = histories.missing(5).unwrap();
        assert_eq!(
            (missing.lowest, missing.highest, missing.peers),
            (90, 120, 1)
        );
        assert_eq!(histories.missing(90), None);
        histories.note(second, 50, 119);
        assert_eq!(histories.missing(5).unwrap().lowest, 50);
        histories.note(second, 5, 119);
        assert_eq!(histories.missing(5), None);
        for _ in 0..2 * MAX_PEERS {
            histories.note(somebody(), 1, 1);
        }
        assert_eq!(histories.lock().len(), MAX_PEERS);
    }
}
