//! How far a download is, now and then: for the log, where gigabytes would be silent for minutes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Time between two lines about a download.
const EVERY: Duration = Duration::from_secs(10);

/// When the next line is due.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Milliseconds from the beginning to the last line.
    last_ms: AtomicU64,
}

impl Pace {
    /// What to say of `bytes` of `total` after `elapsed`; none when it is too early.
    pub(super) fn line(&self, elapsed: Duration, bytes: u64, total: u64) -> Option<Line> {
        let now_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        let last_ms = self.last_ms.load(Ordering::Relaxed);
        if u128::from(now_ms.saturating_sub(last_ms)) < EVERY.as_millis() {
            return None;
        }
        self.last_ms.store(now_ms, Ordering::Relaxed);
        let percent = u128::from(bytes) * 100 / u128::from(total.max(1));
        Some(Line {
            percent: u64::try_from(percent).unwrap_or(100),
            seconds: elapsed.as_secs(),
        })
    }
}

/// A line of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Part of the blob that is here, in percent.
    pub(super) percent: u64,
    /// Time since the beginning.
    pub(super) seconds: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_comes_every_ten_seconds_and_says_how_far_it_is() {
        let pace = Pace::default();
        let at = |seconds, bytes| pace.line(Duration::from_secs(seconds), bytes, 4_800_000_000);
        let line = |percent, seconds| Some(Line { percent, seconds });
        assert_eq!(at(0, 0), None);
        assert_eq!(at(9, 100_000_000), None);
        assert_eq!(at(10, 480_000_000), line(10, 10));
        assert_eq!(at(11, 490_000_000), None);
        assert_eq!(at(19, 500_000_000), None);
        assert_eq!(at(21, 2_400_000_000), line(50, 21));
        assert_eq!(Pace::default().line(EVERY, 0, 0), line(0, 10));
    }
}
