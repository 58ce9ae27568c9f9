//! Stopping a submitter from outside.

use tokio::sync::watch;

/// How far a submitter is to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// As long as its settings say.
    Run,
    /// Until what is sealed is opened; nothing new begins.
    Stop,
    /// Not a step further: the journal is left as it is, and the next start goes on from there.
    Halt,
}

/// Stops a submitter. Clones stop the same one.
#[derive(Clone, Debug)]
pub struct Control(watch::Sender<Mode>);

impl Default for Control {
    fn default() -> Self {
        Self(watch::Sender::new(Mode::Run))
    }
}

impl Control {
    /// Nothing new begins; what is sealed is opened first.
    pub fn stop(&self) {
        self.raise(Mode::Stop);
    }

    /// Not a step further.
    pub fn halt(&self) {
        self.raise(Mode::Halt);
    }

    fn raise(&self, mode: Mode) {
        self.0.send_if_modified(|current| {
            let is_further = mode > *current;
            *current = mode.max(*current);
            is_further
        });
    }

    /// What was asked for.
    pub fn mode(&self) -> Mode {
        *self.0.borrow()
    }

    /// Waits until at least `mode` was asked for.
    pub async fn reached(&self, mode: Mode) {
        let mut receiver = self.0.subscribe();
        // The sender lives in `self`, so the wait ends with the mode.
        let _ = receiver.wait_for(|current| *current >= mode).await;
    }
}
