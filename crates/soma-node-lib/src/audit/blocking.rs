//! Work on blocking threads that the end of the audit waits for, so that its files are closed when
//! the node says that it has stopped.

use thiserror::Error;
use tokio_util::task::TaskTracker;

/// The work was not done: the node is stopping.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the node is stopping")]
pub(super) struct Stopped;

/// Runs work on blocking threads. Clones count together.
#[derive(Clone, Debug, Default)]
pub(super) struct Blocking(TaskTracker);

impl Blocking {
    /// Does `work`; it is finished also when the caller goes away.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Stopped> {
        self.0.spawn_blocking(work).await.map_err(|error| {
            if error.is_panic() {
                tracing::error!(%error, "work of the audit panicked");
            }
            Stopped
        })
    }

    /// Waits for all work that was begun.
    pub(super) async fn finish(&self) {
        self.0.close();
        self.0.wait().await;
    }
}
