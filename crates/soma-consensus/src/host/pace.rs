//! When the next height starts.
//!
//! After a block the engine waits for a word to go on. A node gives it when there is something to
//! do, when the idle interval is over, or when a peer has gone on; never sooner than the least
//! interval. So a quiet network makes no blocks but its heartbeat.

use std::time::{Duration, Instant};

use soma_types::Height;

use crate::application::Demand;

/// The rhythm of a node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    min_interval: Duration,
    last_start: Option<Instant>,
    /// The highest height that a validator was heard at.
    heard: Height,
    is_behind: bool,
}

impl Pace {
    /// At least `min_interval` between the starts of two heights.
    pub(super) fn new(min_interval: Duration) -> Self {
        Self {
            min_interval,
            last_start: None,
            heard: 0,
            is_behind: false,
        }
    }

    /// A height starts.
    pub(super) fn start(&mut self, now: Instant) {
        self.last_start = Some(now);
    }

    /// A validator said something of `height`.
    pub(super) fn hear(&mut self, height: Height) {
        self.heard = self.heard.max(height);
    }

    /// The highest height that a validator was heard at.
    pub(super) fn heard(&self) -> Height {
        self.heard
    }

    /// Whether the last block came from a peer's store: then there is no reason to wait.
    pub(super) fn set_behind(&mut self, is_behind: bool) {
        self.is_behind = is_behind;
    }

    /// When `next`, the height after the last block, is to start, unless something happens before.
    pub(super) fn due(&self, now: Instant, next: Height, demand: Demand) -> Instant {
        if self.is_behind {
            return now;
        }
        let earliest = self.last_start.map_or(now, |last| last + self.min_interval);
        match demand {
            Demand::In(wait) if self.heard < next => earliest.max(now + wait),
            Demand::In(_) | Demand::Now => earliest,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIN: Duration = Duration::from_millis(50);
    const IDLE: Duration = Duration::from_secs(10);

    #[test]
    fn work_starts_a_height_after_the_least_interval() {
        let now = Instant::now();
        let mut pace = Pace::new(MIN);
        assert_eq!(pace.due(now, 1, Demand::Now), now);
        pace.start(now);
        assert_eq!(pace.due(now, 2, Demand::Now), now + MIN);
    }

    #[test]
    fn quiet_waits_until_a_peer_goes_on() {
        let now = Instant::now();
        let mut pace = Pace::new(MIN);
        pace.start(now);
        assert_eq!(pace.due(now, 2, Demand::In(IDLE)), now + IDLE);
        pace.hear(1);
        assert_eq!(pace.due(now, 2, Demand::In(IDLE)), now + IDLE);
        pace.hear(2);
        assert_eq!(pace.due(now, 2, Demand::In(IDLE)), now + MIN);
        assert_eq!(pace.due(now, 3, Demand::In(IDLE)), now + IDLE);
    }

    #[test]
    fn who_is_behind_does_not_wait() {
        let now = Instant::now();
        let mut pace = Pace::new(MIN);
        pace.start(now);
        pace.set_behind(true);
        assert_eq!(pace.due(now, 2, Demand::In(IDLE)), now);
    }
}
