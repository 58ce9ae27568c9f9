//! Pauses between tries.

use std::time::Duration;

use tokio::time::Instant;

const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(30);

/// A pause that doubles with each failure in a row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    pause: Duration,
    /// How long failures in a row are waited out; `None` for ever.
    patience: Option<Duration>,
    /// When the first of them was.
    since: Option<Instant>,
}

impl Default for Backoff {
    fn default() -> Self {
        Self::with_patience(None)
    }
}

impl Backoff {
    pub(crate) fn with_patience(patience: Option<Duration>) -> Self {
        Self {
            pause: FIRST,
            patience,
            since: None,
        }
    }

    /// The next pause.
    pub(crate) fn next(&mut self) -> Duration {
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST);
        pause
    }

    /// The pause after `error`.
    ///
    /// # Errors
    /// The error itself once patience is at its end.
    pub(crate) fn after<E>(&mut self, error: E) -> Result<(E, Duration), E> {
        let since = *self.since.get_or_insert_with(Instant::now);
        match self.patience {
            Some(patience) if since.elapsed() >= patience => Err(error),
            _ => Ok((error, self.next())),
        }
    }

    /// It worked.
    pub(crate) fn reset(&mut self) {
        self.pause = FIRST;
        self.since = None;
    }
}
