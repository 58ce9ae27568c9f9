//! Where the tree's nodes are: new ones in memory, the newest written ones in the store, one row
//! for each place in the tree, and replaced ones in memory for as long as old states are proven.

use std::collections::{BTreeMap, BTreeSet};

use jmt::storage::{LeafNode, Node, NodeKey, TreeReader, TreeUpdateBatch};
use jmt::{KeyHash, OwnedValue, Version};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::tree_error;
use crate::error::ChainError;
use crate::rows;
use crate::store::{Batch, Store};

/// New nodes in memory before they are written to the store: most are replaced before that and
/// never reach the disk.
const NODES_IN_MEMORY: usize = 16_384;
/// Written nodes that are remembered, in bytes.
const CACHE_BYTES: u64 = 32 << 20;
/// What a node takes in memory, in bytes: one with sixteen children, and a leaf.
const INTERNAL_BYTES: u64 = 1_600;
const LEAF_BYTES: u64 = 250;

/// A node as it is stored: with the version that made it.
type Stored = (Version, Node);

#[derive(Clone)]
struct NodeWeight;

impl Weighter<Vec<u8>, Stored> for NodeWeight {
    fn weight(&self, _: &Vec<u8>, (_, node): &Stored) -> u64 {
        match node {
            Node::Internal(_) => INTERNAL_BYTES,
            Node::Leaf(_) | Node::Null => LEAF_BYTES,
        }
    }
}

/// The row of a place in the tree. A place comes right before the places below it.
fn row(key: &NodeKey) -> Vec<u8> {
    let path = key.nibble_path();
    let mut bytes = Vec::with_capacity(path.num_nibbles() / 2 + 2);
    let mut high = None;
    for nibble in path.nibbles() {
        let nibble = u8::from(nibble);
        match high.take() {
            None => high = Some(nibble),
            Some(high) => bytes.push(high << 4 | nibble),
        }
    }
    bytes.extend(high.map(|high| high << 4));
    // At most 64 nibbles: a key's hash has no more.
    bytes.push(u8::try_from(path.num_nibbles()).unwrap_or(u8::MAX));
    rows::node(&bytes)
}

/// All nodes that can be read.
pub(super) struct Nodes {
    /// Nodes of the newest version that the store does not have.
    fresh: BTreeMap<NodeKey, Node>,
    /// Replaced nodes that a kept state still needs.
    past: BTreeMap<NodeKey, Node>,
    /// Replaced nodes by the version that replaced them.
    stale: BTreeMap<Version, Vec<NodeKey>>,
    /// Rows of places that are no more.
    gone: BTreeSet<Vec<u8>>,
    /// Nodes as the store has them.
    cache: Cache<Vec<u8>, Stored, NodeWeight>,
}

impl Default for Nodes {
    fn default() -> Self {
        let items = usize::try_from(CACHE_BYTES / INTERNAL_BYTES).unwrap_or(usize::MAX);
        Self {
            fresh: BTreeMap::new(),
            past: BTreeMap::new(),
            stale: BTreeMap::new(),
            gone: BTreeSet::new(),
            cache: Cache::with_weighter(items, CACHE_BYTES, NodeWeight),
        }
    }
}

impl Nodes {
    /// The nodes above those in `store`.
    pub(super) fn above<'a>(&'a self, store: &'a dyn Store) -> Above<'a> {
        Above {
            nodes: self,
            store,
            update: None,
            value: None,
        }
    }

    /// A node as the store has it.
    fn stored(&self, store: &dyn Store, key: &NodeKey) -> anyhow::Result<Option<Node>> {
        let row = row(key);
        let (version, node) = match self.cache.get(&row) {
            Some(stored) => stored,
            None => {
                let Some(bytes) = store.get(&row)? else {
                    return Ok(None);
                };
                let stored: Stored = borsh::from_slice(&bytes)?;
                self.cache.insert(row, stored.clone());
                stored
            }
        };
        Ok((version == key.version()).then_some(node))
    }

    /// Takes the nodes of an update in, and keeps those that it replaced.
    pub(super) fn absorb(
        &mut self,
        store: &dyn Store,
        batch: TreeUpdateBatch,
    ) -> Result<(), ChainError> {
        for stale in batch.stale_node_index_batch {
            let key = stale.node_key;
            let node = match self.fresh.remove(&key) {
                Some(node) => Some(node),
                None => self.stored(store, &key).map_err(tree_error)?,
            };
            self.gone.insert(row(&key));
            if let Some(node) = node {
                self.past.insert(key.clone(), node);
            }
            let since = stale.stale_since_version;
            self.stale.entry(since).or_default().push(key);
        }
        for (key, node) in batch.node_batch.nodes() {
            self.gone.remove(&row(key));
            self.fresh.insert(key.clone(), node.clone());
        }
        Ok(())
    }

    /// Forgets what only states before `version` need.
    pub(super) fn forget_before(&mut self, version: Version) {
        let kept = self.stale.split_off(&(version + 1));
        for key in std::mem::replace(&mut self.stale, kept)
            .into_values()
            .flatten()
        {
            self.past.remove(&key);
        }
    }

    /// True when there is enough to write.
    pub(super) fn many(&self) -> bool {
        self.fresh.len() >= NODES_IN_MEMORY
    }

    /// Writes the newest version of every node that the store does not have.
    pub(super) fn write(&mut self, batch: &mut Batch) {
        for row in std::mem::take(&mut self.gone) {
            self.cache.remove(&row);
            batch.remove(row);
        }
        for (key, node) in std::mem::take(&mut self.fresh) {
            let (row, stored) = (row(&key), (key.version(), node));
            // Writing to memory cannot fail.
            batch.put(row.clone(), borsh::to_vec(&stored).unwrap_or_default());
            self.cache.insert(row, stored);
        }
    }
}

/// Nodes of an update being made, then those in memory, then the store.
pub(super) struct Above<'a> {
    nodes: &'a Nodes,
    store: &'a dyn Store,
    /// Nodes of an update that was not absorbed yet.
    pub(super) update: Option<&'a BTreeMap<NodeKey, Node>>,
    /// The value that the tree may ask for: it asks only when it found a leaf for the key.
    pub(super) value: Option<(KeyHash, OwnedValue)>,
}

impl TreeReader for Above<'_> {
    fn get_node_option(&self, key: &NodeKey) -> anyhow::Result<Option<Node>> {
        let memory = self.update.and_then(|update| update.get(key));
        let memory = memory
            .or_else(|| self.nodes.fresh.get(key))
            .or_else(|| self.nodes.past.get(key));
        match memory {
            Some(node) => Ok(Some(node.clone())),
            None => self.nodes.stored(self.store, key),
        }
    }

    fn get_value_option(
        &self,
        _max_version: Version,
        key: KeyHash,
    ) -> anyhow::Result<Option<OwnedValue>> {
        let value = self.value.as_ref().filter(|(known, _)| *known == key);
        Ok(value.map(|(_, value)| value.clone()))
    }

    fn get_rightmost_leaf(&self) -> anyhow::Result<Option<(NodeKey, LeafNode)>> {
        Ok(None)
    }
}
