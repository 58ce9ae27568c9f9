//! The Merkle tree over the whole state (`jmt`), so that clients can check an entry by a header.
//!
//! New nodes wait in memory and are written to the store once there are many: most are replaced
//! before that and never reach the disk. After a crash the tree is brought up to date from the
//! entries that changed since the last write.

use std::collections::BTreeMap;

use jmt::proof::SparseMerkleProof;
use jmt::storage::{LeafNode, Node, NodeKey, TreeReader, TreeUpdateBatch};
use jmt::{JellyfishMerkleTree, KeyHash, OwnedValue, SimpleHasher, Version};
use soma_crypto::{Domain, Hasher, hash};
use soma_types::{Digest, Height};

use crate::error::ChainError;
use crate::rows;
use crate::state::Changes;
use crate::store::{Batch, Store};

/// Nodes in memory before they are written to the store.
const NODES_IN_MEMORY: usize = 16_384;

/// The tree's hash: SHA3-256 under the domain of tree nodes.
#[derive(Clone)]
pub(crate) struct NodeHasher(Hasher);

impl SimpleHasher for NodeHasher {
    fn new() -> Self {
        Self(Hasher::new(Domain::StateNode))
    }

    fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    fn finalize(self) -> [u8; 32] {
        self.0.finish()
    }
}

/// Where an entry stands in the tree.
pub(crate) fn key_hash(key: &[u8]) -> KeyHash {
    KeyHash(hash(Domain::StateKey, key))
}

/// A tree that cannot be read or written.
pub(crate) fn tree_error(error: impl std::fmt::Display) -> ChainError {
    ChainError::Tree(error.to_string())
}

/// New nodes of one block.
pub(crate) struct TreeUpdate {
    pub(crate) root: Digest,
    version: Version,
    batches: Vec<TreeUpdateBatch>,
}

/// The tree above its nodes in the store.
#[derive(Default)]
pub(crate) struct StateTree {
    /// The newest version; none for the empty tree.
    version: Option<Version>,
    /// Nodes not written yet.
    nodes: BTreeMap<NodeKey, Node>,
    /// Replaced nodes by the version that replaced them.
    stale: BTreeMap<Version, Vec<NodeKey>>,
    /// Nodes in the store that nothing needs any more.
    dead: Vec<NodeKey>,
    /// The version of each height whose state is kept.
    heights: BTreeMap<Height, Version>,
}

/// What the store remembers about the tree: written together with its nodes.
#[derive(serde::Serialize, serde::Deserialize)]
struct Checkpoint {
    height: Height,
    version: Option<Version>,
    /// Stale nodes that the store still has, encoded.
    stale: Vec<Vec<u8>>,
}

/// Nodes of an update being made, then those in memory, then the store.
struct Nodes<'a> {
    store: &'a dyn Store,
    memory: &'a BTreeMap<NodeKey, Node>,
    fresh: Option<&'a BTreeMap<NodeKey, Node>>,
    value: Option<(KeyHash, OwnedValue)>,
}

impl TreeReader for Nodes<'_> {
    fn get_node_option(&self, key: &NodeKey) -> anyhow::Result<Option<Node>> {
        if let Some(node) = self.fresh.and_then(|fresh| fresh.get(key)) {
            return Ok(Some(node.clone()));
        }
        if let Some(node) = self.memory.get(key) {
            return Ok(Some(node.clone()));
        }
        let stored = self.store.get(&rows::node(&borsh::to_vec(key)?))?;
        Ok(stored.map(|bytes| borsh::from_slice(&bytes)).transpose()?)
    }

    fn get_value_option(
        &self,
        _max_version: Version,
        key: KeyHash,
    ) -> anyhow::Result<Option<OwnedValue>> {
        Ok(self
            .value
            .as_ref()
            .filter(|(known, _)| *known == key)
            .map(|(_, v)| v.clone()))
    }

    fn get_rightmost_leaf(&self) -> anyhow::Result<Option<(NodeKey, LeafNode)>> {
        Ok(None)
    }
}

impl StateTree {
    /// The tree as of its last write, and the height of that.
    pub(crate) fn open(store: &dyn Store) -> Result<(Self, Height), ChainError> {
        let Some(bytes) = store.get(&rows::TREE)? else {
            return Ok((Self::default(), 0));
        };
        let checkpoint: Checkpoint =
            soma_types::codec::decode("the tree checkpoint", &bytes).map_err(tree_error)?;
        let decode = |bytes: &Vec<u8>| borsh::from_slice(bytes).map_err(tree_error);
        let dead = checkpoint
            .stale
            .iter()
            .map(decode)
            .collect::<Result<_, _>>()?;
        let tree = Self {
            version: checkpoint.version,
            dead,
            ..Self::default()
        };
        Ok((tree, checkpoint.height))
    }

    fn nodes<'a>(
        &'a self,
        store: &'a dyn Store,
        fresh: Option<&'a BTreeMap<NodeKey, Node>>,
    ) -> Nodes<'a> {
        Nodes {
            store,
            memory: &self.nodes,
            fresh,
            value: None,
        }
    }

    /// Root of the newest version.
    pub(crate) fn root(&self, store: &dyn Store) -> Result<Digest, ChainError> {
        let Some(version) = self.version else {
            return Ok(empty_root());
        };
        let nodes = self.nodes(store, None);
        let tree = JellyfishMerkleTree::<_, NodeHasher>::new(&nodes);
        tree.get_root_hash(version)
            .map(|root| Digest(root.0))
            .map_err(tree_error)
    }

    /// Applies changes, each of which really changes an entry of the tree: removals of entries
    /// that are there, and new values.
    pub(crate) fn update(
        &self,
        store: &dyn Store,
        changes: &Changes,
    ) -> Result<TreeUpdate, ChainError> {
        let mut removed = Vec::new();
        let mut put = Vec::new();
        for (key, value) in changes {
            match value {
                Some(value) => put.push((key_hash(key), value.clone())),
                None => removed.push((key_hash(key), None)),
            }
        }
        let mut update = TreeUpdate {
            root: empty_root(),
            version: self.version.unwrap_or_default(),
            batches: Vec::new(),
        };
        let mut next = self.version.map_or(0, |version| version + 1);
        if removed.is_empty() && put.is_empty() {
            update.root = self.root(store)?;
            return Ok(update);
        }
        if !removed.is_empty() {
            let nodes = self.nodes(store, None);
            let tree = JellyfishMerkleTree::<_, NodeHasher>::new(&nodes);
            let (root, batch) = tree.put_value_set(removed, next).map_err(tree_error)?;
            update.root = Digest(root.0);
            update.version = next;
            update.batches.push(batch);
            next += 1;
        }
        if !put.is_empty() {
            let fresh = update
                .batches
                .first()
                .map(|batch| batch.node_batch.nodes().clone());
            let nodes = self.nodes(store, fresh.as_ref());
            let tree = JellyfishMerkleTree::<_, NodeHasher>::new(&nodes);
            let (roots, batch) = tree
                .batch_put_value_sets(vec![put], None, next)
                .map_err(tree_error)?;
            let root = roots.first().ok_or_else(|| tree_error("no root"))?;
            update.root = Digest(root.0);
            update.version = next;
            update.batches.push(batch);
        }
        Ok(update)
    }

    /// Takes an update of `height` in. `keep` past heights stay readable.
    pub(crate) fn absorb(&mut self, update: TreeUpdate, height: Height, keep: u64) {
        for batch in update.batches {
            for (key, node) in batch.node_batch.nodes() {
                self.nodes.insert(key.clone(), node.clone());
            }
            for stale in batch.stale_node_index_batch {
                self.stale
                    .entry(stale.stale_since_version)
                    .or_default()
                    .push(stale.node_key);
            }
            self.version = Some(update.version);
        }
        self.heights
            .insert(height, self.version.unwrap_or_default());
        let oldest = height.saturating_sub(keep);
        self.heights = self.heights.split_off(&oldest);
        if let Some(version) = self.heights.values().next() {
            let kept = self.stale.split_off(&(version + 1));
            for key in std::mem::replace(&mut self.stale, kept)
                .into_values()
                .flatten()
            {
                if self.nodes.remove(&key).is_none() {
                    self.dead.push(key);
                }
            }
        }
    }

    /// Adds the nodes in memory to `batch` when there are many, or when `force` asks for it.
    /// True when it did.
    pub(crate) fn write(&mut self, batch: &mut Batch, height: Height, force: bool) -> bool {
        if self.nodes.len() < NODES_IN_MEMORY && !force {
            return false;
        }
        let encode = |key: &NodeKey| borsh::to_vec(key).unwrap_or_default();
        for (key, node) in std::mem::take(&mut self.nodes) {
            batch.put(
                rows::node(&encode(&key)),
                borsh::to_vec(&node).unwrap_or_default(),
            );
        }
        for key in std::mem::take(&mut self.dead) {
            batch.remove(rows::node(&encode(&key)));
        }
        let stale = self.stale.values().flatten().map(encode).collect();
        let checkpoint = Checkpoint {
            height,
            version: self.version,
            stale,
        };
        batch.put(rows::TREE.to_vec(), soma_types::codec::encode(&checkpoint));
        true
    }

    /// True when the newest version has the entry `key`.
    pub(crate) fn has(&self, store: &dyn Store, key: &[u8]) -> Result<bool, ChainError> {
        let Some(version) = self.version else {
            return Ok(false);
        };
        let mut nodes = self.nodes(store, None);
        let place = key_hash(key);
        // The tree asks for a value only when it found a leaf for the key.
        nodes.value = Some((place, Vec::new()));
        let tree = JellyfishMerkleTree::<_, NodeHasher>::new(&nodes);
        let (found, _) = tree.get_with_proof(place, version).map_err(tree_error)?;
        Ok(found.is_some())
    }

    /// Remembers the version of a height without an update.
    pub(crate) fn note_height(&mut self, height: Height) {
        self.heights
            .insert(height, self.version.unwrap_or_default());
    }

    /// Proof of the entry `key` with `value`, or of its absence, in the state of `height`.
    pub(crate) fn prove(
        &self,
        store: &dyn Store,
        key: &[u8],
        value: Option<&[u8]>,
        height: Height,
    ) -> Result<SparseMerkleProof<NodeHasher>, ChainError> {
        let version = self
            .heights
            .get(&height)
            .ok_or_else(|| ChainError::StateNotKept {
                height,
                oldest: self.oldest(),
            })?;
        let place = key_hash(key);
        let mut nodes = self.nodes(store, None);
        nodes.value = value.map(|value| (place, value.to_vec()));
        let tree = JellyfishMerkleTree::<_, NodeHasher>::new(&nodes);
        tree.get_with_proof(place, *version)
            .map(|(_, proof)| proof)
            .map_err(tree_error)
    }

    /// The oldest height whose state can be proven.
    pub(crate) fn oldest(&self) -> Height {
        self.heights.keys().next().copied().unwrap_or_default()
    }
}

/// Root of the empty tree, before genesis.
fn empty_root() -> Digest {
    Digest([0; 32])
}
