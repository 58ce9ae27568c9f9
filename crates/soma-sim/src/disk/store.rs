//! A chain's store on a virtual disk.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use soma_chain::store::Entry;
use soma_chain::{Batch, MemoryStore, Store, StoreError};

use super::{Fuse, Honesty};

/// Synced batches that a lying disk may lose.
const LOST_BY_LIES: usize = 6;

/// What takes a batch back: the values before.
type Undo = Vec<(Vec<u8>, Option<Vec<u8>>)>;

#[derive(Debug, Default)]
struct Recent {
    /// Applied batches, oldest first, that can be taken back.
    undo: VecDeque<Undo>,
    /// How many of them, from the newest, were not flushed.
    unflushed: usize,
}

/// A store that forgets unflushed batches in a crash, as one on a real disk may.
#[derive(Clone, Debug)]
pub struct VirtualStore {
    entries: Arc<MemoryStore>,
    recent: Arc<Mutex<Recent>>,
    fuse: Fuse,
    honesty: Honesty,
}

impl VirtualStore {
    pub(super) fn new(fuse: Fuse, honesty: Honesty) -> Self {
        Self {
            entries: Arc::default(),
            recent: Arc::default(),
            fuse,
            honesty,
        }
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check(&self) -> Result<(), StoreError> {
        match self.fuse.burn() {
            true => Ok(()),
            false => Err(StoreError::new("the virtual disk has no power")),
        }
    }

    /// Takes back some of what was not flushed, newest first.
    pub(super) fn crash(&self, dice: &mut ChaCha8Rng) {
        let mut recent = self.recent();
        let lost = match self.honesty {
            Honesty::Keeps => dice.gen_range(0..=recent.unflushed),
            Honesty::Lies => recent.undo.len(),
        };
        for _ in 0..lost {
            let mut batch = Batch::default();
            for (key, before) in recent.undo.pop_back().unwrap_or_default() {
                match before {
                    Some(value) => batch.put(key, value),
                    None => batch.remove(key),
                }
            }
            // A store in memory takes everything.
            let _ = self.entries.apply(batch);
        }
        *recent = Recent::default();
    }
}

impl Store for VirtualStore {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.entries.get(key)
    }

    fn scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.entries.scan(prefix, after, limit)
    }

    fn scan_back(
        &self,
        prefix: &[u8],
        before: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.entries.scan_back(prefix, before, limit)
    }

    fn apply(&self, batch: Batch) -> Result<(), StoreError> {
        self.check()?;
        let writes = batch.into_writes();
        let mut undo = Undo::new();
        let mut again = Batch::default();
        for (key, value) in writes {
            undo.push((key.clone(), self.entries.get(&key)?));
            match value {
                Some(value) => again.put(key, value),
                None => again.remove(key),
            }
        }
        self.entries.apply(again)?;
        let mut recent = self.recent();
        recent.undo.push_back(undo);
        recent.unflushed += 1;
        Ok(())
    }

    fn flush(&self) -> Result<(), StoreError> {
        self.check()?;
        let mut recent = self.recent();
        recent.unflushed = 0;
        let kept = match self.honesty {
            Honesty::Keeps => 0,
            Honesty::Lies => LOST_BY_LIES,
        };
        while recent.undo.len() > kept {
            recent.undo.pop_front();
        }
        Ok(())
    }
}
