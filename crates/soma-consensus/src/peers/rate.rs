//! Messages and bytes in the current second.

use std::time::{Duration, Instant};

/// The time that limits are for.
const SECOND: Duration = Duration::from_secs(1);

/// What may pass in a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rate {
    pub(super) messages: u32,
    pub(super) bytes: usize,
}

/// What passed in the current second.
#[derive(Clone, Copy, Debug)]
pub(super) struct Meter {
    since: Instant,
    messages: u32,
    bytes: usize,
}

/// What a meter says to one more message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// It is within the limits.
    Within,
    /// It is the first above them in this second.
    FirstAbove,
    /// It is a further one above them.
    Above,
}

impl Meter {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            since: now,
            messages: 0,
            bytes: 0,
        }
    }

    /// Counts bytes that follow a message.
    pub(super) fn add(&mut self, now: Instant, bytes: usize) {
        if now.saturating_duration_since(self.since) >= SECOND {
            *self = Self::new(now);
        }
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Counts a message of `bytes`.
    pub(super) fn take(&mut self, now: Instant, rate: Rate, bytes: usize) -> Reading {
        if now.saturating_duration_since(self.since) >= SECOND {
            *self = Self::new(now);
        }
        let was_within = self.messages <= rate.messages && self.bytes <= rate.bytes;
        self.messages = self.messages.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes);
        match self.messages <= rate.messages && self.bytes <= rate.bytes {
            true => Reading::Within,
            false if was_within => Reading::FirstAbove,
            false => Reading::Above,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_room_for_so_many_messages_and_bytes() {
        let rate = Rate {
            messages: 2,
            bytes: 100,
        };
        let start = Instant::now();
        let mut meter = Meter::new(start);
        let mut take = |ms, bytes| meter.take(start + Duration::from_millis(ms), rate, bytes);
        assert_eq!(take(0, 10), Reading::Within);
        assert_eq!(take(10, 10), Reading::Within);
        assert_eq!(take(20, 10), Reading::FirstAbove);
        assert_eq!(take(999, 10), Reading::Above);
        assert_eq!(take(1_000, 100), Reading::Within);
        assert_eq!(take(1_001, 1), Reading::FirstAbove);
        assert_eq!(take(5_000, 101), Reading::FirstAbove);
    }
}
