//! The Merkle tree over the whole state (`jmt`), so that clients can check an entry by a header.
//!
//! After a crash the tree is brought up to date from the entries that changed since its nodes
//! were last written.

mod nodes;

use std::collections::BTreeMap;

use jmt::proof::SparseMerkleProof;
use jmt::storage::TreeUpdateBatch;
use jmt::{JellyfishMerkleTree, KeyHash, SimpleHasher, Version};
use soma_crypto::{Domain, Hasher, hash};
use soma_types::{Digest, Height};

use crate::error::ChainError;
use crate::rows;
use crate::state::Changes;
use crate::store::{Batch, Store};
use nodes::Nodes;

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
    nodes: Nodes,
    /// The version of each height whose state is kept.
    heights: BTreeMap<Height, Version>,
}

/// What the store remembers about the tree: written together with its nodes.
#[derive(serde::Serialize, serde::Deserialize)]
struct Checkpoint {
    height: Height,
    version: Option<Version>,
}

impl StateTree {
    /// The tree as of its last write, and the height of that.
    pub(crate) fn open(store: &dyn Store) -> Result<(Self, Height), ChainError> {
        let Some(bytes) = store.get(&rows::TREE)? else {
            return Ok((Self::default(), 0));
        };
        let checkpoint: Checkpoint =
            soma_types::codec::decode("the tree checkpoint", &bytes).map_err(tree_error)?;
        let tree = Self {
            version: checkpoint.version,
            ..Self::default()
        };
        Ok((tree, checkpoint.height))
    }

    /// Root of the newest version.
    pub(crate) fn root(&self, store: &dyn Store) -> Result<Digest, ChainError> {
        let Some(version) = self.version else {
            return Ok(empty_root());
        };
        let nodes = self.nodes.above(store);
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
            let nodes = self.nodes.above(store);
            let tree = JellyfishMerkleTree::<_, NodeHasher>::new(&nodes);
            let (root, batch) = tree.put_value_set(removed, next).map_err(tree_error)?;
            update.root = Digest(root.0);
            update.version = next;
            update.batches.push(batch);
            next += 1;
        }
        if !put.is_empty() {
            let mut nodes = self.nodes.above(store);
            nodes.update = update.batches.first().map(|batch| batch.node_batch.nodes());
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
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn absorb(
        &mut self,
        store: &dyn Store,
        update: TreeUpdate,
        height: Height,
        keep: u64,
    ) -> Result<(), ChainError> {
        for batch in update.batches {
            self.nodes.absorb(store, batch)?;
            self.version = Some(update.version);
        }
        self.note_height(height);
        self.heights = self.heights.split_off(&height.saturating_sub(keep));
        if let Some(version) = self.heights.values().next() {
            self.nodes.forget_before(*version);
        }
        Ok(())
    }

    /// Adds the nodes in memory to `batch` when there are many, or when `force` asks for it.
    /// True when it did.
    pub(crate) fn write(&mut self, batch: &mut Batch, height: Height, force: bool) -> bool {
        if !self.nodes.many() && !force {
            return false;
        }
        self.nodes.write(batch);
        let checkpoint = Checkpoint {
            height,
            version: self.version,
        };
        batch.put(rows::TREE.to_vec(), soma_types::codec::encode(&checkpoint));
        true
    }

    /// True when the newest version has the entry `key`.
    pub(crate) fn has(&self, store: &dyn Store, key: &[u8]) -> Result<bool, ChainError> {
        let Some(version) = self.version else {
            return Ok(false);
        };
        let mut nodes = self.nodes.above(store);
        let place = key_hash(key);
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
        let mut nodes = self.nodes.above(store);
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
