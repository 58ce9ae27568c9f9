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
/// How long a node must need the same block before it is missing: who gets on lacks nothing.
const STILL: Duration = Duration::from_secs(10);

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

#[derive(Debug, Default)]
struct State {
    peers: HashMap<PeerId, History>,
    /// The block that is needed, and since when.
    needed: Option<(Height, Instant)>,
}

/// What connected peers said last. Nothing of it is proven, so one peer's word is not enough.
#[derive(Clone, Debug, Default)]
pub(crate) struct Histories {
    state: Arc<Mutex<State>>,
}

impl Histories {
    /// A connected peer says that it has the blocks from `lowest` to `highest`.
    pub(crate) fn note(&self, now: Instant, peer: PeerId, lowest: Height, highest: Height) {
        let mut state = self.lock();
        let peers = &mut state.peers;
        if peers.len() >= MAX_PEERS && !peers.contains_key(&peer) {
            peers.retain(|_, history| history.is_fresh(now));
            if peers.len() >= MAX_PEERS {
                return;
            }
        }
        let history = History {
            lowest,
            highest,
            said: now,
        };
        peers.insert(peer, history);
    }

    /// A peer is not connected any more.
    pub(crate) fn forget(&self, peer: &PeerId) {
        self.lock().peers.remove(peer);
    }

    /// What is missing to a node that has needed the block at `needed` for a while, when most
    /// peers have gone on from there and none of them can give it.
    pub(super) fn missing(&self, now: Instant, needed: Height) -> Option<MissingHistory> {
        let mut state = self.lock();
        let (height, since) = *state.needed.get_or_insert((needed, now));
        if needed > height {
            state.needed = Some((needed, now));
        }
        if needed != height || now.saturating_duration_since(since) < STILL {
            return None;
        }
        let fresh = state.peers.values().filter(|history| history.is_fresh(now));
        let (ahead, others): (Vec<&History>, Vec<_>) = fresh.partition(|one| one.highest >= needed);
        if ahead.len() <= others.len() {
            return None;
        }
        let lowest = ahead.iter().map(|history| history.lowest).min()?;
        let highest = ahead.iter().map(|history| history.highest).max()?;
        (lowest > needed).then_some(MissingHistory {
            needed,
            lowest,
            highest,
            peers: ahead.len(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Peers that are remembered.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.lock().peers.len()
    }
}

impl History {
    fn is_fresh(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.said) < FRESH
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::somebody;

    #[test]
    fn history_is_missing_when_no_peer_that_is_ahead_has_it() {
        let (histories, start) = (Histories::default(), Instant::now());
        let now = start + STILL;
        assert_eq!(histories.missing(start, 5), None);
        assert_eq!(histories.missing(now, 5), None);
        let (first, second) = (somebody(), somebody());
        // As far as this node.
        histories.note(now, first, 1, 4);
        assert_eq!(histories.missing(now, 5), None);
        histories.note(now, first, 90, 120);
        let missing = histories.missing(now, 5).unwrap();
        assert_eq!(
            (missing.lowest, missing.highest, missing.peers),
            (90, 120, 1)
        );
        histories.note(now, second, 50, 119);
        assert_eq!(histories.missing(now, 5).unwrap().lowest, 50);
        histories.note(now, second, 5, 119);
        assert_eq!(histories.missing(now, 5), None);
        histories.forget(&second);
        assert!(histories.missing(now, 5).is_some());
        assert_eq!(histories.missing(now + FRESH, 5), None);
        for _ in 0..2 * MAX_PEERS {
            histories.note(now, somebody(), 1, 1);
        }
        assert_eq!(histories.len(), MAX_PEERS);
    }

    #[test]
    fn a_peer_that_lies_is_not_believed_against_most_others_or_while_blocks_come() {
        let (histories, start) = (Histories::default(), Instant::now());
        histories.note(start, somebody(), 1_000, 2_000);
        histories.missing(start, 5);
        // Blocks come.
        assert_eq!(histories.missing(start + STILL, 6), None);
        assert!(histories.missing(start + 2 * STILL, 6).is_some());
        // An earlier look that comes late.
        assert_eq!(histories.missing(start + 2 * STILL, 5), None);
        assert!(histories.missing(start + 2 * STILL, 6).is_some());
        histories.note(start, somebody(), 1, 5);
        assert_eq!(histories.missing(start + 2 * STILL, 6), None);
    }
}
