//! Who may be heard: limits, faults and bans, by peer.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use malachite::app::types::PeerId;
use soma_types::Height;

use super::rate::{Meter, Rate, Reading};
use crate::config::{Bans, Limits};
use crate::context::ValidatorSet;

/// Peers of which something is remembered. Those that are not connected give way first.
const MAX_PEERS: usize = 1_024;
/// Bans that are remembered; no stranger is banned beyond.
const MAX_BANS: usize = 4_096;
/// Of a neighbour's messages, one in so many may be of the kind that has no publisher and takes
/// long to check: certificates, and votes that are sent again.
const LIVENESS_SHARE: u32 = 20;

/// What a peer did that no honest node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Fault {
    /// Bytes that are no message.
    Undecodable,
    /// A vote or proposal that is not signed by whom it names.
    Signature,
    /// Parts that cannot belong to one block.
    Stream,
    /// Bytes that are not the block they were announced as.
    Block,
    /// A transaction that is not signed by its sender.
    Transaction,
    /// More messages or bytes in a second than it may send; counted once a second.
    Flood,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Undecodable,
        Self::Signature,
        Self::Stream,
        Self::Block,
        Self::Transaction,
        Self::Flood,
    ];

    /// A stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Undecodable => "undecodable",
            Self::Signature => "signature",
            Self::Stream => "stream",
            Self::Block => "block",
            Self::Transaction => "transaction",
            Self::Flood => "flood",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A peer that is not heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ban {
    /// Its id on the network.
    pub peer: String,
    /// The fault that was one too many.
    pub fault: Fault,
    /// How long it lasts from now on.
    pub left: Duration,
}

/// What happened since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerCounts {
    /// Messages that were dropped because of a limit or a ban.
    pub dropped_messages: u64,
    /// Their bytes.
    pub dropped_bytes: u64,
    /// Faults by kind.
    pub faults: BTreeMap<Fault, u64>,
    /// Bans.
    pub bans: u64,
    /// How often a ban was prolonged, because its peer went on.
    pub prolonged_bans: u64,
}

/// Whose message it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source {
    /// Who delivered it.
    pub(crate) from: PeerId,
    /// Who published it, when the network has checked that.
    pub(crate) publisher: Option<PeerId>,
}

impl Source {
    fn is_own(&self) -> bool {
        self.publisher == Some(self.from)
    }
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It is looked at.
    Take,
    /// It is above a limit.
    Drop,
    /// Its publisher is banned.
    Banned,
    /// Who delivered it is banned, and should not be connected.
    Disconnect,
}

struct Peer {
    is_connected: bool,
    /// What it published and delivered itself.
    own: Meter,
    own_transactions: Meter,
    /// What it passed on. Anyone can send old messages of others again: what somebody published
    /// and another delivers is neither a fault of its publisher nor counted to it.
    relayed: Meter,
    relayed_transactions: Meter,
    liveness: Meter,
    sync: Meter,
    faults: u32,
    /// When the oldest of them was.
    since: Instant,
}

impl Peer {
    fn new(now: Instant) -> Self {
        let meter = Meter::new(now);
        Self {
            is_connected: false,
            own: meter,
            own_transactions: meter,
            relayed: meter,
            relayed_transactions: meter,
            liveness: meter,
            sync: meter,
            faults: 0,
            since: now,
        }
    }
}

#[derive(Default)]
struct State {
    peers: BTreeMap<PeerId, Peer>,
    bans: BTreeMap<PeerId, (Instant, Fault)>,
    counts: PeerCounts,
    committee: Option<(Height, Arc<ValidatorSet>)>,
}

/// Limits, faults and bans of all peers.
pub struct Guard {
    limits: Limits,
    rules: Bans,
    state: Mutex<State>,
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").finish_non_exhaustive()
    }
}

impl Guard {
    /// A guard that has seen nothing.
    pub fn new(limits: Limits, rules: Bans) -> Self {
        Self {
            limits,
            rules,
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A peer is connected. False when it is banned.
    pub(crate) fn connected(&self, now: Instant, peer: PeerId) -> bool {
        let mut state = self.state();
        state.peer(now, peer).is_connected = true;
        !state.is_banned(now, &peer)
    }

    /// A peer is not connected any more.
    pub(crate) fn disconnected(&self, peer: &PeerId) {
        if let Some(peer) = self.state().peers.get_mut(peer) {
            peer.is_connected = false;
        }
    }

    /// Counts a message of `bytes`; says what becomes of it.
    pub(crate) fn admit(&self, now: Instant, source: Source, bytes: usize) -> Admission {
        let Source { from, publisher } = source;
        let rate = Rate {
            messages: self.limits.peer_messages_per_second,
            bytes: self.limits.peer_bytes_per_second,
        };
        let mut state = self.state();
        let peer = state.peer(now, from);
        let reading = match source.is_own() {
            true => peer.own.take(now, rate, bytes),
            false => peer.relayed.take(now, rate, bytes),
        };
        let admission = if state.is_banned(now, &from) {
            Admission::Disconnect
        } else if publisher.is_some_and(|publisher| state.is_banned(now, &publisher)) {
            Admission::Banned
        } else if reading == Reading::Within {
            return Admission::Take;
        } else {
            Admission::Drop
        };
        state.dropped(bytes);
        if source.is_own() && reading == Reading::FirstAbove {
            self.blame(&mut state, now, from, Fault::Flood);
        }
        admission
    }

    /// Counts a message with transactions, which was admitted as any other.
    pub(crate) fn admit_transactions(
        &self,
        now: Instant,
        source: Source,
        bytes: usize,
    ) -> Admission {
        let rate = Rate {
            messages: self.limits.gossip_messages_per_second,
            bytes: self.limits.gossip_bytes_per_second,
        };
        let mut state = self.state();
        let peer = state.peer(now, source.from);
        let meter = match source.is_own() {
            true => &mut peer.own_transactions,
            false => &mut peer.relayed_transactions,
        };
        match meter.take(now, rate, bytes) {
            Reading::Within => Admission::Take,
            Reading::FirstAbove | Reading::Above => {
                state.dropped(bytes);
                Admission::Drop
            }
        }
    }

    /// Counts a message without a publisher that takes long to check.
    pub(crate) fn admit_liveness(&self, now: Instant, from: PeerId, bytes: usize) -> Admission {
        let rate = Rate {
            messages: self.limits.peer_messages_per_second / LIVENESS_SHARE,
            bytes: self.limits.peer_bytes_per_second,
        };
        let mut state = self.state();
        if state.is_banned(now, &from) {
            state.dropped(bytes);
            return Admission::Disconnect;
        }
        match state.peer(now, from).liveness.take(now, rate, bytes) {
            Reading::Within => Admission::Take,
            Reading::FirstAbove | Reading::Above => {
                state.dropped(bytes);
                Admission::Drop
            }
        }
    }

    /// Counts a request for blocks.
    pub(crate) fn admit_request(&self, now: Instant, from: PeerId) -> Admission {
        let rate = self.sync_rate();
        let mut state = self.state();
        if state.is_banned(now, &from) {
            state.dropped(0);
            return Admission::Disconnect;
        }
        match state.peer(now, from).sync.take(now, rate, 0) {
            Reading::Within => Admission::Take,
            Reading::FirstAbove | Reading::Above => {
                state.dropped(0);
                Admission::Drop
            }
        }
    }

    /// Counts an answer of `bytes` to a request: the next ones wait for it.
    pub(crate) fn answered(&self, now: Instant, to: PeerId, bytes: usize) {
        self.state().peer(now, to).sync.add(now, bytes);
    }

    fn sync_rate(&self) -> Rate {
        Rate {
            messages: self.limits.sync_requests_per_second,
            bytes: self.limits.sync_bytes_per_second,
        }
    }

    /// `peer` published what no honest node publishes.
    pub fn fault(&self, now: Instant, peer: PeerId, fault: Fault) {
        self.blame(&mut self.state(), now, peer, fault);
    }

    fn blame(&self, state: &mut State, now: Instant, peer: PeerId, fault: Fault) {
        let rules = self.rules;
        *state.counts.faults.entry(fault).or_default() += 1;
        let memory = Duration::from_millis(rules.fault_memory_ms);
        let known = state.peer(now, peer);
        if now.saturating_duration_since(known.since) > memory {
            (known.since, known.faults) = (now, 0);
        }
        known.faults = known.faults.saturating_add(1);
        tracing::debug!(%peer, %fault, faults = known.faults, "a peer's fault");
        if rules.max_faults == 0 || known.faults < rules.max_faults {
            return;
        }
        let is_connected = known.is_connected;
        known.faults = 0;
        state.bans.retain(|_, (until, _)| *until > now);
        if state.bans.len() >= MAX_BANS && !is_connected {
            return;
        }
        let until = now + Duration::from_millis(rules.ban_ms);
        let (seconds, faults) = (rules.ban_ms / 1_000, rules.max_faults);
        match state.bans.insert(peer, (until, fault)) {
            None => {
                state.counts.bans += 1;
                tracing::warn!(%peer, %fault, faults, seconds, "a peer is banned");
            }
            Some(_) => {
                state.counts.prolonged_bans += 1;
                tracing::debug!(%peer, %fault, faults, seconds, "a peer's ban is prolonged");
            }
        }
    }

    /// Whether nothing of `peer` is to be looked at.
    pub fn is_banned(&self, now: Instant, peer: &PeerId) -> bool {
        self.state().is_banned(now, peer)
    }

    /// The bans in force, in order of peer.
    pub fn bans(&self, now: Instant) -> Vec<Ban> {
        let state = self.state();
        let bans = state.bans.iter().filter(|(_, (until, _))| *until > now);
        bans.map(|(peer, (until, fault))| Ban {
            peer: peer.to_string(),
            fault: *fault,
            left: until.saturating_duration_since(now),
        })
        .collect()
    }

    /// What happened since the start.
    pub fn counts(&self) -> PeerCounts {
        self.state().counts.clone()
    }

    /// Who decides on `height`, the one in work.
    pub(crate) fn set_committee(&self, height: Height, validators: Arc<ValidatorSet>) {
        self.state().committee = Some((height, validators));
    }

    /// The committee, when `height` is the one in work.
    pub(crate) fn committee(&self, height: Height) -> Option<Arc<ValidatorSet>> {
        let state = self.state();
        let known = state.committee.as_ref();
        known
            .filter(|(at, _)| *at == height)
            .map(|(_, validators)| Arc::clone(validators))
    }
}

impl State {
    fn is_banned(&self, now: Instant, peer: &PeerId) -> bool {
        self.bans.get(peer).is_some_and(|(until, _)| *until > now)
    }

    fn dropped(&mut self, bytes: usize) {
        self.counts.dropped_messages += 1;
        self.counts.dropped_bytes += bytes as u64;
    }

    /// What is known of `id`. Who is not connected may be forgotten.
    fn peer(&mut self, now: Instant, id: PeerId) -> &mut Peer {
        if self.peers.len() >= MAX_PEERS && !self.peers.contains_key(&id) {
            let stranger = self.peers.iter().find(|(_, peer)| !peer.is_connected);
            let gone = stranger.map(|(id, _)| *id);
            if let Some(gone) = gone.or_else(|| self.peers.keys().next().copied()) {
                self.peers.remove(&gone);
            }
        }
        self.peers.entry(id).or_insert_with(|| Peer::new(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::somebody;

    fn guard(max_faults: u32) -> Guard {
        let limits = Limits {
            peer_messages_per_second: 10,
            peer_bytes_per_second: 1_000,
            sync_requests_per_second: 2,
            sync_bytes_per_second: 100,
            ..Limits::default()
        };
        let rules = Bans {
            max_faults,
            fault_memory_ms: 60_000,
            ban_ms: 10_000,
        };
        Guard::new(limits, rules)
    }

    fn own(peer: PeerId) -> Source {
        Source {
            from: peer,
            publisher: Some(peer),
        }
    }

    #[test]
    fn too_many_faults_within_memory_ban_a_peer_for_a_while() {
        let (guard, peer, now) = (guard(3), somebody(), Instant::now());
        let seconds = |count| now + Duration::from_secs(count);
        assert!(guard.connected(now, peer));
        guard.fault(now, peer, Fault::Stream);
        guard.fault(seconds(30), peer, Fault::Stream);
        // The first two are forgotten by now.
        guard.fault(seconds(70), peer, Fault::Block);
        guard.fault(seconds(71), peer, Fault::Block);
        assert_eq!(guard.admit(seconds(71), own(peer), 1), Admission::Take);
        guard.fault(seconds(72), peer, Fault::Signature);
        assert_eq!(
            guard.admit(seconds(72), own(peer), 1),
            Admission::Disconnect
        );
        assert!(!guard.connected(seconds(73), peer));
        let bans = guard.bans(seconds(80));
        assert_eq!(bans.len(), 1);
        assert_eq!(bans[0].fault, Fault::Signature);
        assert_eq!(bans[0].left, Duration::from_secs(2));
        // Others are heard, but not what they pass on of it.
        let other = somebody();
        let passed_on = Source {
            from: other,
            publisher: Some(peer),
        };
        assert_eq!(guard.admit(seconds(73), passed_on, 1), Admission::Banned);
        assert_eq!(guard.admit(seconds(73), own(other), 1), Admission::Take);
        assert_eq!(guard.admit(seconds(83), own(peer), 1), Admission::Take);
        assert!(guard.bans(seconds(83)).is_empty());
        let counts = guard.counts();
        assert_eq!((counts.bans, counts.dropped_messages), (1, 2));
        assert_eq!(counts.faults[&Fault::Block], 2);
    }

    #[test]
    fn a_banned_peer_that_goes_on_is_banned_for_longer() {
        let (guard, peer, now) = (guard(2), somebody(), Instant::now());
        let seconds = |count| now + Duration::from_secs(count);
        for count in 0..4 {
            guard.fault(seconds(count), peer, Fault::Stream);
        }
        assert_eq!(guard.bans(seconds(3))[0].left, Duration::from_secs(10));
        let counts = guard.counts();
        assert_eq!((counts.bans, counts.prolonged_bans), (1, 1));
        // What ended before is a new one.
        for _ in 0..2 {
            guard.fault(seconds(20), peer, Fault::Stream);
        }
        let counts = guard.counts();
        assert_eq!((counts.bans, counts.prolonged_bans), (2, 1));
    }

    #[test]
    fn floods_are_dropped_and_only_those_of_the_publisher_are_faults() {
        let (guard, peer, now) = (guard(2), somebody(), Instant::now());
        guard.connected(now, peer);
        let mut last = Admission::Take;
        for _ in 0..20 {
            last = guard.admit(now, own(peer), 1);
        }
        assert_eq!(last, Admission::Drop);
        assert_eq!(guard.counts().dropped_messages, 10);
        assert_eq!(guard.counts().faults[&Fault::Flood], 1, "once a second");

        // An honest neighbour passes a stranger's flood on.
        let neighbour = somebody();
        guard.connected(now, neighbour);
        let relayed = Source {
            from: neighbour,
            publisher: Some(somebody()),
        };
        for _ in 0..20 {
            last = guard.admit(now, relayed, 1);
        }
        assert_eq!(last, Admission::Drop);
        assert_eq!(guard.admit(now, own(neighbour), 1), Admission::Take);
        assert_eq!(guard.counts().faults[&Fault::Flood], 1);

        let later = now + Duration::from_secs(2);
        assert_eq!(guard.admit(later, own(peer), 1_001), Admission::Drop);
        assert!(guard.is_banned(later, &peer));
    }

    #[test]
    fn old_messages_that_another_sends_again_neither_ban_nor_silence_their_publisher() {
        let (guard, victim, other) = (guard(1), somebody(), somebody());
        let now = Instant::now();
        guard.connected(now, victim);
        guard.connected(now, other);
        let again = Source {
            from: other,
            publisher: Some(victim),
        };
        for second in 0..5 {
            let now = now + Duration::from_secs(second);
            let last = (0..100).map(|_| guard.admit(now, again, 900)).last();
            assert_eq!(last, Some(Admission::Drop));
            assert_eq!(guard.admit(now, own(victim), 1), Admission::Take);
            assert!(guard.bans(now).is_empty());
        }
    }

    #[test]
    fn transactions_of_strangers_take_nothing_from_those_of_peers() {
        let limits = Limits {
            gossip_messages_per_second: 10,
            ..Limits::default()
        };
        let guard = Guard::new(limits, Bans::default());
        let (honest, other, now) = (somebody(), somebody(), Instant::now());
        guard.connected(now, honest);
        guard.connected(now, other);
        let mut passed = 0;
        for _ in 0..2_000 {
            let stranger = Source {
                from: other,
                publisher: Some(somebody()),
            };
            let admission = guard.admit_transactions(now, stranger, 1);
            passed += usize::from(admission == Admission::Take);
        }
        assert_eq!(passed, 10);
        for expected in [Admission::Take; 10] {
            assert_eq!(guard.admit_transactions(now, own(honest), 1), expected);
        }
        assert_eq!(
            guard.admit_transactions(now, own(honest), 1),
            Admission::Drop
        );
        assert_eq!(guard.counts().dropped_messages, 1_991);
    }

    #[test]
    fn requests_wait_when_their_answers_were_large() {
        let (guard, peer, now) = (guard(2), somebody(), Instant::now());
        assert_eq!(guard.admit_request(now, peer), Admission::Take);
        guard.answered(now, peer, 101);
        assert_eq!(guard.admit_request(now, peer), Admission::Drop);
        let later = now + Duration::from_secs(1);
        for expected in [Admission::Take, Admission::Take, Admission::Drop] {
            assert_eq!(guard.admit_request(later, peer), expected);
        }
        assert!(guard.bans(later).is_empty());
    }

    #[test]
    fn strangers_cannot_fill_the_memory_or_push_out_who_is_connected() {
        let (guard, now) = (guard(1), Instant::now());
        let friend = somebody();
        guard.connected(now, friend);
        for _ in 0..MAX_BANS + 100 {
            guard.fault(now, somebody(), Fault::Undecodable);
        }
        assert!(guard.state().peers.len() <= MAX_PEERS);
        assert!(guard.state().peers[&friend].is_connected);
        assert_eq!(guard.bans(now).len(), MAX_BANS);
        guard.fault(now, friend, Fault::Undecodable);
        assert!(guard.is_banned(now, &friend));
    }
}
