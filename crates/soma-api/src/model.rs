//! Models, their weights and their pools.

use serde::{Deserialize, Serialize};
use soma_types::time::Height;
use soma_types::{
    Address, Checksum, Commitment, Embedding, Epoch, Model, ModelFault, ModelId, ModelStatus,
    PendingReveal, PoolId, PoolStatus, Shannons, StakingPool, WeightsKey, WeightsManifest,
};

/// Sealed weights: where they lie and how to open them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WeightsView {
    /// Where the sealed file lies.
    pub url: String,
    /// SHA3-256 of the sealed file.
    pub checksum: Checksum,
    /// Size of the sealed file in bytes.
    pub size: u64,
    /// The key that opens it.
    pub key: WeightsKey,
    /// SHA3-256 of the opened file.
    pub plaintext_checksum: Checksum,
}

impl From<&WeightsManifest> for WeightsView {
    fn from(weights: &WeightsManifest) -> Self {
        Self {
            url: weights.url.to_string(),
            checksum: weights.checksum,
            size: weights.size,
            key: weights.key,
            plaintext_checksum: weights.plaintext_checksum,
        }
    }
}

/// A commit that waits for its reveal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PendingRevealView {
    /// Where the sealed weights lie.
    pub url: String,
    /// SHA3-256 of the sealed weights.
    pub checksum: Checksum,
    /// Size of the sealed weights in bytes.
    pub size: u64,
    /// The plaintext checksum, masked by the key.
    pub masked_plaintext_checksum: Commitment,
    /// Binds the owner to the key.
    pub key_commitment: Commitment,
    /// Binds the owner to the embedding.
    pub embedding_commitment: Commitment,
    /// The epoch of the commit.
    pub commit_epoch: Epoch,
    /// The block of the commit.
    pub commit_height: Height,
    /// The one epoch in which the reveal counts.
    pub reveal_epoch: Epoch,
}

impl From<&PendingReveal> for PendingRevealView {
    fn from(pending: &PendingReveal) -> Self {
        Self {
            url: pending.commit.url.to_string(),
            checksum: pending.commit.checksum,
            size: pending.commit.size,
            masked_plaintext_checksum: pending.commit.masked_plaintext_checksum,
            key_commitment: pending.commit.key_commitment,
            embedding_commitment: pending.commit.embedding_commitment,
            commit_epoch: pending.epoch,
            commit_height: pending.height,
            reveal_epoch: pending.epoch.next(),
        }
    }
}

/// A staking pool. The value of a stake is `its tokens × soma / tokens`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PoolView {
    /// Its id.
    pub id: PoolId,
    /// `pre_active`, `active` or `inactive`.
    pub status: String,
    /// Staked money that counts.
    pub stake: Shannons,
    /// Shares of it, as a decimal number of up to 39 digits.
    pub tokens: String,
    /// Stake that counts from the next epoch.
    pub pending: Shannons,
    /// Money on its way out.
    pub unbonding: Shannons,
}

impl From<&StakingPool> for PoolView {
    fn from(pool: &StakingPool) -> Self {
        let status = match pool.status {
            PoolStatus::PreActive => "pre_active",
            PoolStatus::Active => "active",
            PoolStatus::Inactive { .. } => "inactive",
        };
        Self {
            id: pool.id,
            status: status.to_owned(),
            stake: pool.soma,
            tokens: pool.tokens.to_string(),
            pending: pool.pending,
            unbonding: pool.unbonding_soma,
        }
    }
}

/// A validator's report of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ModelReportView {
    /// Who reports.
    pub validator: Address,
    /// What is wrong.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub reason: ModelFault,
}

/// A model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ModelView {
    /// Its id.
    pub id: ModelId,
    /// Who may commit, reveal and deactivate it.
    pub owner: Address,
    /// The architecture whose weights it has.
    pub architecture_version: u64,
    /// `created`, `pending`, `active` or `inactive`.
    pub status: String,
    /// Epoch of creation of a created model, of the end of an inactive one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_epoch: Option<Epoch>,
    /// True for an active model that ends with this epoch.
    #[serde(default)]
    pub leaving: bool,
    /// Stake that counts.
    pub stake: Shannons,
    /// Its staking pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<PoolView>,
    /// The owner's share of what it earns, in basis points.
    pub commission_bps: u16,
    /// The commission from the next epoch on.
    pub next_commission_bps: u16,
    /// The revealed weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<WeightsView>,
    /// A commit that waits for its reveal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<PendingRevealView>,
    /// Reports of validators in this epoch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reports: Vec<ModelReportView>,
    /// Where it stands, with `include=embedding`; absent before the first reveal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embedding: Option<Vec<f32>>,
}

impl ModelView {
    /// The view of `model` with its pool and, when asked for, its embedding; without reports.
    pub fn new(model: &Model, pool: Option<&StakingPool>, embedding: Option<&Embedding>) -> Self {
        let status_epoch = match model.status {
            ModelStatus::Created { epoch } => Some(epoch),
            ModelStatus::Inactive { since } => Some(since),
            ModelStatus::Pending | ModelStatus::Active => None,
        };
        Self {
            id: model.id,
            owner: model.owner,
            architecture_version: model.architecture_version,
            status: model.status.name().to_owned(),
            status_epoch,
            leaving: model.leaving,
            stake: pool.map_or(Shannons::ZERO, |pool| pool.soma),
            pool: pool.map(PoolView::from),
            commission_bps: model.commission.get(),
            next_commission_bps: model.next_commission.get(),
            weights: model.weights.as_ref().map(WeightsView::from),
            pending: model.pending.as_ref().map(PendingRevealView::from),
            reports: Vec::new(),
            embedding: embedding.map(Embedding::to_f32),
        }
    }
}
