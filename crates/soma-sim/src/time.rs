//! Virtual time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Microseconds since the start of a run.
pub type Micros = u64;

/// Microseconds in a millisecond.
pub const MS: Micros = 1_000;
/// Microseconds in a second.
pub const SECOND: Micros = 1_000_000;

/// The clock of a run: it moves only when the run says so.
#[derive(Clone, Debug)]
pub struct Clock {
    /// What nodes measure waits from. Only differences to it are ever used, so that the real moment
    /// of a run does not show.
    base: Instant,
    now: Arc<AtomicU64>,
}

impl Clock {
    /// A clock at 0.
    pub fn new() -> Self {
        Self {
            base: Instant::now(),
            now: Arc::default(),
        }
    }

    /// The time.
    pub fn now(&self) -> Micros {
        self.now.load(Ordering::Relaxed)
    }

    /// Moves on to `time`.
    pub fn set(&self, time: Micros) {
        self.now.store(time, Ordering::Relaxed);
    }

    /// The time as nodes measure waits.
    pub fn instant(&self) -> Instant {
        self.base + Duration::from_micros(self.now())
    }

    /// The time that a node's instant stands for, rounded up so that what is due then is due.
    pub fn micros_at(&self, instant: Instant) -> Micros {
        let since = instant.saturating_duration_since(self.base).as_nanos();
        u64::try_from(since.div_ceil(1_000)).unwrap_or(Micros::MAX)
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}
