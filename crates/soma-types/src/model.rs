//! Models: their life from creation over commit and reveal to the end.

use serde::{Deserialize, Serialize};

use crate::id::{Address, Checksum, Commitment, ModelId, PoolId};
use crate::manifest::{Url, WeightsManifest};
use crate::money::Bps;
use crate::time::{Epoch, Height};

/// What a commit publishes about weights whose key is still secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelCommit {
    /// Where the sealed weights lie.
    pub url: Url,
    /// SHA3-256 of the sealed weights.
    pub checksum: Checksum,
    /// Size of the sealed weights in bytes.
    pub size: u64,
    /// The plaintext checksum, masked by the key: it can be read once the key is revealed.
    pub masked_plaintext_checksum: Commitment,
    /// Binds the owner to the key.
    pub key_commitment: Commitment,
    /// Binds the owner to the embedding.
    pub embedding_commitment: Commitment,
}

/// A commit that waits for its reveal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingReveal {
    /// What was committed.
    pub commit: ModelCommit,
    /// The epoch of the commit; the reveal is due in the next one.
    pub epoch: Epoch,
    /// The block of the commit: among equal weights the earlier commit wins.
    pub height: Height,
}

/// Where a model is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelStatus {
    /// Has stake, but no weights yet; must commit in `epoch` or the next.
    Created {
        /// The epoch of creation.
        epoch: Epoch,
    },
    /// Committed for the first time; must be revealed in the epoch after the commit.
    Pending,
    /// Revealed: assigned to targets, earns.
    Active,
    /// Ended. There is no way back.
    Inactive {
        /// The epoch of its end.
        since: Epoch,
    },
}

impl ModelStatus {
    /// The status as one word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created { .. } => "created",
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Inactive { .. } => "inactive",
        }
    }
}

/// A model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Model {
    /// Its id.
    pub id: ModelId,
    /// Who may commit, reveal and deactivate it.
    pub owner: Address,
    /// The architecture whose weights it has.
    pub architecture_version: u64,
    /// Where it is in its life.
    pub status: ModelStatus,
    /// Its staking pool.
    pub pool: PoolId,
    /// The owner's share of what the model earns.
    pub commission: Bps,
    /// The commission from the next epoch on.
    pub next_commission: Bps,
    /// The revealed weights. Their embedding is stored beside the model.
    pub weights: Option<WeightsManifest>,
    /// The block of their reveal; 0 without any, and for those of the genesis.
    pub revealed: Height,
    /// A commit that waits for its reveal: the first weights, or an update.
    pub pending: Option<PendingReveal>,
    /// True for an active model that ends with this epoch. Until then it answers for its targets.
    pub leaving: bool,
}

/// Who committed to some weights first, of those who revealed them; by plaintext checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WeightsRecord {
    /// Owner of the model.
    pub owner: Address,
    /// The model.
    pub model: ModelId,
    /// The block of the commit.
    pub commit_height: Height,
}
