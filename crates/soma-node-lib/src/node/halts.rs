//! Noticing that a chain stands still though there is work for it.

use std::time::{Duration, Instant};

use soma_types::Height;

use super::NodeConfig;

/// The shortest silence that counts: rounds that fail and members that start again take a while.
const LEAST: Duration = Duration::from_secs(30);
/// Intervals between blocks that pass before their absence means something.
const INTERVALS: u64 = 3;

/// Work that waits for a block, seen at one look after the other.
#[derive(Debug)]
pub(super) struct Halts {
    limit: Duration,
    /// The newest block of the last look.
    height: Height,
    /// Since when work waits for a later one.
    since: Option<Instant>,
    is_halted: bool,
}

/// What a look has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Blocks should have come for long.
    Halted,
    /// They come again.
    GoesOn,
}

impl Halts {
    /// For the rhythm of blocks of `config`.
    pub(super) fn new(config: &NodeConfig) -> Self {
        let interval = config
            .idle_block_interval_ms
            .max(config.consensus.min_interval_ms);
        Self {
            limit: Duration::from_millis(interval.saturating_mul(INTERVALS)).max(LEAST),
            height: 0,
            since: None,
            is_halted: false,
        }
    }

    /// Takes note of the newest block, and of whether there is work for a later one; each change is
    /// told once.
    pub(super) fn look(&mut self, now: Instant, height: Height, has_work: bool) -> Option<Change> {
        if height != self.height {
            (self.height, self.since) = (height, None);
            return std::mem::take(&mut self.is_halted).then_some(Change::GoesOn);
        }
        if !has_work {
            self.since = None;
            return None;
        }
        let since = *self.since.get_or_insert(now);
        if self.is_halted || now.saturating_duration_since(since) < self.limit {
            return None;
        }
        self.is_halted = true;
        Some(Change::Halted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_halt_and_its_end_are_told_once_each() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut halts = Halts::new(&NodeConfig::default());
        // Quiet, not halted: nothing waits.
        assert_eq!(halts.look(at(0), 7, false), None);
        assert_eq!(halts.look(at(90), 7, false), None);
        // Work arrives after a long silence: it is given time.
        assert_eq!(halts.look(at(100), 7, true), None);
        assert_eq!(halts.look(at(129), 7, true), None);
        assert_eq!(halts.look(at(130), 7, true), Some(Change::Halted));
        assert_eq!(halts.look(at(500), 7, true), None);
        assert_eq!(halts.look(at(502), 8, true), Some(Change::GoesOn));
        assert_eq!(halts.look(at(504), 9, true), None);
        // Work that was done meanwhile does not count.
        assert_eq!(halts.look(at(530), 9, true), None);
        assert_eq!(halts.look(at(532), 9, false), None);
        assert_eq!(halts.look(at(540), 9, true), None);
        assert_eq!(halts.look(at(569), 9, true), None);
    }

    #[test]
    fn slow_chains_are_given_more_time() {
        let config = NodeConfig {
            idle_block_interval_ms: 60_000,
            ..NodeConfig::default()
        };
        let start = Instant::now();
        let mut halts = Halts::new(&config);
        for (seconds, expected) in [(0, None), (179, None), (180, Some(Change::Halted))] {
            let now = start + Duration::from_secs(seconds);
            assert_eq!(halts.look(now, 0, true), expected);
        }
    }
}
