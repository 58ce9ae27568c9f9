//! Virtual disks: what was not synced may be lost when the node crashes.
//!
//! A disk outlives the node that writes to it. It can be told to fail after some operations, so that
//! a node crashes in the middle of its work: between the write of a block and its flush, say.

mod file;
mod store;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rand_chacha::ChaCha8Rng;

pub use file::VirtualFile;
pub use store::VirtualStore;

/// Whether a disk keeps what it says it keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Honesty {
    /// What was synced survives.
    #[default]
    Keeps,
    /// Synced data may be lost: no node can be safe on such a disk.
    Lies,
}

/// Operations left before the power goes; none while it stays.
#[derive(Clone, Debug, Default)]
struct Fuse(Arc<Mutex<Option<u64>>>);

impl Fuse {
    fn lock(&self) -> MutexGuard<'_, Option<u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an operation; false when the power is gone.
    fn burn(&self) -> bool {
        match self.lock().as_mut() {
            None => true,
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
        }
    }
}

/// A node's disk: its chain, its write-ahead log, its undecided blocks.
#[derive(Clone, Debug)]
pub struct Disk {
    /// The chain.
    pub chain: VirtualStore,
    /// The engine's write-ahead log.
    pub wal: VirtualFile,
    /// The undecided blocks.
    pub undecided: VirtualFile,
    fuse: Fuse,
}

impl Disk {
    /// An empty disk.
    pub fn new(honesty: Honesty) -> Self {
        let fuse = Fuse::default();
        Self {
            chain: VirtualStore::new(fuse.clone(), honesty),
            wal: VirtualFile::new(fuse.clone(), honesty),
            undecided: VirtualFile::new(fuse.clone(), honesty),
            fuse,
        }
    }

    /// Lets all operations fail after `operations` more.
    pub fn fail_after(&self, operations: u64) {
        *self.fuse.lock() = Some(operations);
    }

    /// Lets the power stay from now on.
    pub fn stay_on(&self) {
        *self.fuse.lock() = None;
    }

    /// True when an operation has failed, or the next one will.
    pub fn has_failed(&self) -> bool {
        *self.fuse.lock() == Some(0)
    }

    /// The machine crashes: what was not synced is lost, wholly or in part. The disk works again.
    pub fn crash(&self, dice: &mut ChaCha8Rng) {
        self.chain.crash(dice);
        self.wal.crash(dice);
        self.undecided.crash(dice);
        *self.fuse.lock() = None;
    }
}
