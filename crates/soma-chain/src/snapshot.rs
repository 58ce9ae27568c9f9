//! Snapshots: the whole state at the end of an epoch, taken while the chain goes on, and a chain
//! that starts from one.
//!
//! The state is read in pieces. What blocks change meanwhile is undone by their undo records,
//! which are kept for as long as an [`Export`] needs them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use soma_types::codec::encode;
use soma_types::{Genesis, Height};

use crate::chain::Chain;
use crate::commit::{Diff, read_undo};
use crate::error::ChainError;
use crate::header;
use crate::key::STATE_PREFIX;
use crate::light::Handover;
use crate::rows;
use crate::state::Changes;
use crate::store::{Batch, Entry, Store};
use crate::tree::{StateTree, tree_error};

/// Entries that are read at a time, so that blocks wait only for a moment.
const ENTRIES_PER_READ: usize = 64;

/// The state at one height, being read in pieces. The chain keeps what it needs until it is
/// dropped.
pub struct Export<S: Store> {
    chain: Arc<Chain<S>>,
    height: Height,
    /// The newest block that is in `past`.
    seen: Height,
    /// Entries as they were at `height`, where later blocks changed them and they are still to be
    /// read.
    past: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    /// The last key that was read.
    after: Option<Vec<u8>>,
    /// Read, and not given yet.
    ready: VecDeque<Entry>,
    is_done: bool,
}

impl<S: Store> Export<S> {
    /// Begins to read the state after the block at `height`: the head, or one whose state is still
    /// kept.
    ///
    /// # Errors
    /// [`ChainError::StateNotKept`].
    pub fn begin(chain: Arc<Chain<S>>, height: Height) -> Result<Self, ChainError> {
        chain.pin(height)?;
        Ok(Self {
            height,
            seen: height,
            past: BTreeMap::new(),
            after: None,
            ready: VecDeque::new(),
            is_done: false,
            chain,
        })
    }

    /// The chain.
    pub fn chain(&self) -> &Arc<Chain<S>> {
        &self.chain
    }

    /// The height.
    pub fn height(&self) -> Height {
        self.height
    }

    /// The next entries, ascending by key: as few as have `bytes` bytes together, or what is left;
    /// none at the end. Every node cuts the same state at the same places.
    ///
    /// # Errors
    /// When the store fails.
    pub fn next(&mut self, bytes: usize) -> Result<Option<Vec<Entry>>, ChainError> {
        let mut entries = Vec::new();
        let mut size = 0;
        while entries.is_empty() || size < bytes {
            match self.ready.pop_front() {
                Some((key, value)) => {
                    size += key.len() + value.len();
                    entries.push((key, value));
                }
                None if self.is_done => break,
                None => self.read()?,
            }
        }
        Ok(Some(entries).filter(|entries| !entries.is_empty()))
    }

    /// Reads the next few entries.
    fn read(&mut self) -> Result<(), ChainError> {
        let chain = Arc::clone(&self.chain);
        let reader = chain.reader();
        let after = self.after.take();
        let is_after = |key: &Vec<u8>| after.as_ref().is_none_or(|after| key > after);
        for height in self.seen + 1..=reader.head().header.height {
            for (key, before) in read_undo(&chain.store, height)? {
                if is_after(&key) {
                    self.past.entry(key).or_insert(before);
                }
            }
            self.seen = height;
        }
        let prefix = [STATE_PREFIX];
        let found = chain
            .store
            .scan(&prefix, after.as_deref(), ENTRIES_PER_READ)?;
        self.is_done = found.len() < ENTRIES_PER_READ;
        let last = match self.is_done {
            true => None,
            false => found.last().map(|(key, _)| key.clone()),
        };
        let mut entries: BTreeMap<_, _> = found.into_iter().collect();
        // What was undone, in the same range of keys.
        let is_before = |key: &Vec<u8>| last.as_ref().is_none_or(|last| key <= last);
        while let Some(first) = self.past.first_entry()
            && is_before(first.key())
        {
            match first.remove_entry() {
                (key, Some(value)) => entries.insert(key, value),
                (key, None) => entries.remove(&key),
            };
        }
        self.after = last;
        self.ready.extend(entries);
        Ok(())
    }
}

impl<S: Store> Drop for Export<S> {
    fn drop(&mut self) {
        self.chain.unpin(self.height);
    }
}

/// A chain that is being made of a snapshot, in an empty store.
pub struct Import<S> {
    store: S,
    tree: StateTree,
    genesis: Genesis,
    handover: Handover,
    /// Those of the epochs before.
    past: Vec<Handover>,
    last: Option<Vec<u8>>,
}

impl<S: Store> Import<S> {
    /// Begins the chain of `genesis` after the block of `handover`, which the caller has verified.
    pub fn begin(store: S, genesis: Genesis, handover: Handover) -> Self {
        Self {
            store,
            tree: StateTree::default(),
            genesis,
            handover,
            past: Vec::new(),
            last: None,
        }
    }

    /// Keeps hand-overs of epochs before, which the caller has verified, so that the new chain can
    /// show the way to its head, too.
    #[must_use]
    pub fn with_past(mut self, past: Vec<Handover>) -> Self {
        self.past = past;
        self
    }

    fn height(&self) -> Height {
        self.handover.committee.header.height
    }

    /// Takes the next entries, ascending by key over all calls.
    ///
    /// # Errors
    /// [`ChainError::Snapshot`], or when the store fails.
    pub fn add(&mut self, entries: Vec<Entry>) -> Result<(), ChainError> {
        let mut new = Changes::new();
        for (key, value) in entries {
            let in_order = self.last.as_ref().is_none_or(|last| key > *last);
            if key.first() != Some(&STATE_PREFIX) || !in_order {
                let reason = "its entries are not in order".to_owned();
                return Err(ChainError::Snapshot { reason });
            }
            self.last = Some(key.clone());
            new.insert(key, Some(value));
        }
        if new.is_empty() {
            return Ok(());
        }
        let update = self.tree.update(&self.store, &new)?;
        let height = self.height();
        self.tree.absorb(&self.store, update, height, 0)?;
        let diff = Diff {
            new,
            old: BTreeMap::new(),
        };
        let mut batch = Batch::default();
        diff.write_entries(&mut batch);
        diff.write_indexes(&mut batch);
        self.tree.write(&mut batch, height, false);
        Ok(self.store.apply(batch)?)
    }

    /// Ends: the state must be the one that the block's header names. The store then opens as a
    /// chain whose newest block is that one; it has no older blocks.
    ///
    /// # Errors
    /// [`ChainError::Snapshot`], or when the store fails.
    pub fn finish(mut self) -> Result<S, ChainError> {
        let header = self.handover.committee.header;
        let root = self.tree.root(&self.store)?;
        if root != header.state_root {
            let want = header.state_root;
            let reason = format!("its state has root {root}; the header names {want}");
            return Err(ChainError::Snapshot { reason });
        }
        let mut batch = Batch::default();
        self.tree.write(&mut batch, header.height, true);
        let next = encode(&(header.height + 1));
        batch.put(rows::LOWEST_BLOCK.to_vec(), next.clone());
        batch.put(rows::LOWEST_UNDO.to_vec(), next);
        for handover in self.past.iter().chain([&self.handover]) {
            let epoch = handover.committee.header.epoch;
            batch.put(rows::handover(epoch), encode(handover));
        }
        let digest = header::digest(&header);
        batch.put(rows::block_digest(&digest), encode(&header.height));
        batch.put(rows::GENESIS.to_vec(), encode(&self.genesis));
        batch.put(rows::HEAD.to_vec(), encode(&header));
        self.store.apply(batch)?;
        self.store.flush()?;
        Ok(self.store)
    }
}

impl<S: Store> Chain<S> {
    /// Keeps what is needed to read the state after the block at `height`.
    fn pin(&self, height: Height) -> Result<(), ChainError> {
        let committed = self.committed();
        let head = committed.head.header.height;
        let oldest = crate::commit::read_height(&self.store, &rows::LOWEST_UNDO)?.unwrap_or(1);
        if height > head || height + 1 < oldest {
            let oldest = oldest.saturating_sub(1);
            return Err(ChainError::StateNotKept { height, oldest });
        }
        let mut pins = self.pins.lock().map_err(tree_error)?;
        *pins.entry(height).or_default() += 1;
        Ok(())
    }

    fn unpin(&self, height: Height) {
        let Ok(mut pins) = self.pins.lock() else {
            return;
        };
        if let Some(count) = pins.get_mut(&height) {
            *count -= 1;
            if *count == 0 {
                pins.remove(&height);
            }
        }
    }

    /// The oldest height that somebody reads the state of.
    pub(crate) fn oldest_pin(&self) -> Height {
        let pins = self.pins.lock().ok();
        let oldest = pins.and_then(|pins| pins.keys().next().copied());
        oldest.unwrap_or(Height::MAX)
    }
}
