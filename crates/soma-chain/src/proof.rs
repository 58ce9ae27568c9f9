//! Proofs of state entries against a header: a client trusts a header and checks the rest.

use jmt::RootHash;
use jmt::proof::SparseMerkleProof;
use serde::{Deserialize, Serialize};
use soma_types::{Digest, Header, Height};
use thiserror::Error;

use crate::chain::Chain;
use crate::error::ChainError;
use crate::key::Key;
use crate::store::Store;
use crate::tree::{NodeHasher, key_hash, tree_error};

/// An entry, or its absence, with a proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateProof {
    /// The header whose state root the proof leads to.
    pub header: Header,
    /// The entry's key: [`Key::to_bytes`].
    #[serde(deserialize_with = "soma_types::bounded::unreserved")]
    pub key: Vec<u8>,
    /// The canonical encoding of the entry's value; none when there is no entry.
    pub value: Option<Vec<u8>>,
    /// The path through the tree.
    #[serde(deserialize_with = "soma_types::bounded::unreserved")]
    pub proof: Vec<u8>,
}

/// Why a proof proves nothing.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ProofError {
    /// The proof's bytes are not a proof.
    #[error("malformed proof: {0}")]
    Malformed(String),
    /// The proof leads to another root, key or value.
    #[error("the proof does not lead from the entry to state root {root}: {reason}")]
    Mismatch {
        /// The header's root.
        root: Digest,
        /// What differs.
        reason: String,
    },
}

/// Checks that the entry of `proof` stands in the state of its header. That the header itself is
/// final is for the caller to know.
///
/// # Errors
/// [`ProofError`] when it does not.
pub fn verify_proof(proof: &StateProof) -> Result<(), ProofError> {
    let path: SparseMerkleProof<NodeHasher> = borsh::from_slice(&proof.proof)
        .map_err(|error| ProofError::Malformed(error.to_string()))?;
    let root = proof.header.state_root;
    path.verify(RootHash(root.0), key_hash(&proof.key), proof.value.as_ref())
        .map_err(|error| ProofError::Mismatch {
            root,
            reason: error.to_string(),
        })
}

impl<S: Store> Chain<S> {
    /// Proves the entry `key`, or its absence, in the newest state.
    ///
    /// # Errors
    /// When the store fails.
    pub fn prove(&self, key: &Key) -> Result<StateProof, ChainError> {
        let height = self.head().header.height;
        self.prove_at(key, height)
    }

    /// As [`Chain::prove`], in the state of a past `height` that is still kept.
    ///
    /// # Errors
    /// [`ChainError::NotReached`], [`ChainError::StateNotKept`], or when the store fails.
    pub fn prove_at(&self, key: &Key, height: Height) -> Result<StateProof, ChainError> {
        let key = key.to_bytes();
        let reader = self.reader();
        let committed = reader.committed();
        let head = committed.head.header;
        let oldest = committed.tree.oldest();
        if height > head.height {
            let newest = head.height;
            return Err(ChainError::NotReached { height, newest });
        }
        if height < oldest {
            return Err(ChainError::StateNotKept { height, oldest });
        }
        let header = match height == head.height {
            true => head,
            false => reader
                .block(height)?
                .map(|block| block.header)
                .ok_or(ChainError::StateNotKept { height, oldest })?,
        };
        let value = self.value_at(&key, height, head.height)?;
        let path = committed
            .tree
            .prove(&self.store, &key, value.as_deref(), height)?;
        let proof = borsh::to_vec(&path).map_err(tree_error)?;
        Ok(StateProof {
            header,
            key,
            value,
            proof,
        })
    }

    /// The value of an entry after the block at `height`: what the first later change replaced.
    fn value_at(
        &self,
        key: &[u8],
        height: Height,
        head: Height,
    ) -> Result<Option<Vec<u8>>, ChainError> {
        for later in height + 1..=head {
            let undo = crate::commit::read_undo(&self.store, later)?;
            if let Some((_, before)) = undo.into_iter().find(|(changed, _)| changed == key) {
                return Ok(before);
            }
        }
        Ok(self.store.get(key)?)
    }
}
