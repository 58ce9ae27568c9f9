//! Who is to blame for something that turns out to be false later.

use std::sync::Arc;
use std::time::Instant;

use malachite::app::types::PeerId;

use super::guard::{Fault, Guard};

/// The peer that published something, and the guard that hears of its faults. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Publisher {
    guard: Arc<Guard>,
    peer: PeerId,
    heard: Instant,
}

impl Publisher {
    /// `peer`, which was heard at `heard`.
    pub(crate) fn new(guard: Arc<Guard>, peer: PeerId, heard: Instant) -> Self {
        Self { guard, peer, heard }
    }

    /// What it published is false in a way that it must have known.
    pub fn blame(&self, fault: Fault) {
        self.guard.fault(self.heard, self.peer, fault);
    }
}
