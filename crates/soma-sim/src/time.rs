//! Virtual time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Microseconds since the start of a run.
pub(crate) type Micros = u64;

/// Microseconds in a millisecond.
pub(crate) const MS: Micros = 1_000;
/// Microseconds in a second.
pub(crate) const SECOND: Micros = 1_000_000;

/// The clock of a run: it moves only when the run says so.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    /// What nodes measure waits from. Only differences to it are ever used, so that the real moment
    /// of a run does not show.
    base: Instant,
    now: Arc<AtomicU64>,
}

impl Clock {
    /// A clock at 0.
    pub(crate) fn new() -> Self {
        Self {
            base: Instant::now(),
            now: Arc::default(),
        }
    }

    /// The time.
    pub(crate) fn now(&self) -> Micros {
        self.now.load(Ordering::Relaxed)
    }

    /// Moves on to `time`.
    pub(crate) fn set(&self, time: Micros) {
        self.now.store(time, Ordering::Relaxed);
    }

    /// The time as nodes measure waits.
    pub(crate) fn instant(&self) -> Instant {
        self.base + Duration::from_micros(self.now())
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}
