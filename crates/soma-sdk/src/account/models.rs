//! Transactions of a model's owner.

use soma_api::{ObjectType, ReceiptView};
use soma_crypto::commitments::{embedding_commitment, key_commitment, mask_checksum};
use soma_types::{Address, Checksum, ModelCommit, ModelId, Shannons, TransactionKind, WeightsKey};

use super::{Account, embedding, raw_embedding, url};
use crate::client::Client;
use crate::error::SdkError;
use crate::pages::{ModelFilter, PageRequest};

/// Weights to commit to.
#[derive(Clone, Debug)]
pub struct CommitModel<'a> {
    /// The model.
    pub model: ModelId,
    /// Where the sealed weights lie.
    pub url: &'a str,
    /// SHA3-256 of the sealed file.
    pub checksum: Checksum,
    /// Size of the sealed file in bytes.
    pub size: u64,
    /// SHA3-256 of the opened file.
    pub plaintext_checksum: Checksum,
    /// The key that opens it; published only by the reveal.
    pub key: WeightsKey,
    /// Where the model stands: any length but zero, normalised here.
    pub embedding: &'a [f32],
}

impl CommitModel<'_> {
    /// The transaction: commitments only, no secret.
    ///
    /// # Errors
    /// [`SdkError::InvalidArgument`] for a bad URL or embedding.
    pub fn to_kind(&self) -> Result<TransactionKind, SdkError> {
        let (model, key) = (&self.model, &self.key);
        let commit = ModelCommit {
            url: url(self.url)?,
            checksum: self.checksum,
            size: self.size,
            masked_plaintext_checksum: mask_checksum(model, key, &self.plaintext_checksum),
            key_commitment: key_commitment(model, key),
            embedding_commitment: embedding_commitment(model, &embedding(self.embedding)?),
        };
        Ok(TransactionKind::CommitModel {
            model: self.model,
            commit: Box::new(commit),
        })
    }
}

/// The model that a receipt says was created.
pub fn created_model(receipt: &ReceiptView) -> Option<ModelId> {
    let mut created = receipt.created.iter();
    let model = created.find(|object| object.kind == ObjectType::Model)?;
    Some(ModelId(model.id.0))
}

impl Client {
    /// Checks that the chain would let `owner` reveal the weights with this plaintext checksum, as
    /// `model` or as a new one. Commitments hide the weights: the chain refuses a copy only at its
    /// reveal, which costs a new model half its stake.
    ///
    /// # Errors
    /// [`SdkError::WeightsAlreadyRevealed`], or the node cannot be asked.
    pub async fn check_weights_are_new(
        &self,
        owner: &Address,
        model: Option<ModelId>,
        plaintext: &Checksum,
    ) -> Result<(), SdkError> {
        let filter = ModelFilter {
            weights: Some(*plaintext),
            ..ModelFilter::default()
        };
        let mut found = self.models(&filter, &PageRequest::default()).await?.items;
        let Some(first) = found.pop() else {
            return Ok(());
        };
        let current = first.weights.as_ref();
        let has_them = current.is_some_and(|weights| weights.plaintext_checksum == *plaintext);
        // A reveal comes in the next epoch: by then a model that leaves has ended.
        let stays = first.status == "active" && !first.leaving;
        let is_elsewhere = model != Some(first.id) && stays && has_them;
        if first.owner == *owner && !is_elsewhere {
            return Ok(());
        }
        Err(SdkError::WeightsAlreadyRevealed {
            model: first.id,
            owner: first.owner,
        })
    }
}

impl Account {
    /// Creates a model with its first stake; `None` stakes the network's minimum. Gives its id.
    ///
    /// # Errors
    /// As [`Account::execute`].
    pub async fn create_model(
        &self,
        stake: Option<Shannons>,
        commission_bps: u16,
    ) -> Result<(ModelId, ReceiptView), SdkError> {
        let parameters = self.client.parameters().await?;
        let receipt = self.execute(TransactionKind::CreateModel {
            architecture_version: parameters.model_architecture_version,
            stake: stake.unwrap_or(Shannons(parameters.model_min_stake)),
            commission_bps,
        });
        let receipt = receipt.await?;
        match created_model(&receipt) {
            Some(model) => Ok((model, receipt)),
            None => Err(SdkError::UnexpectedAnswer {
                service: crate::Service::Rpc,
                url: self.client.rpc_url().to_owned(),
                reason: "the receipt names no created model".to_owned(),
            }),
        }
    }

    /// Commits to weights, to be revealed in the next epoch.
    ///
    /// # Errors
    /// [`SdkError::InvalidArgument`]; as [`Client::check_weights_are_new`] and
    /// [`Account::execute`].
    pub async fn commit_model(&self, commit: &CommitModel<'_>) -> Result<ReceiptView, SdkError> {
        self.client.check_reach(commit.url)?;
        let kind = commit.to_kind()?;
        let (owner, model) = (self.address(), Some(commit.model));
        self.client
            .check_weights_are_new(&owner, model, &commit.plaintext_checksum)
            .await?;
        self.execute(kind).await
    }

    /// Reveals key and embedding of the weights committed in the epoch before.
    ///
    /// # Errors
    /// [`SdkError::InvalidArgument`]; as [`Account::execute`].
    pub async fn reveal_model(
        &self,
        model: ModelId,
        key: WeightsKey,
        embedding: &[f32],
    ) -> Result<ReceiptView, SdkError> {
        let embedding = raw_embedding(embedding)?;
        let kind = TransactionKind::RevealModel {
            model,
            key,
            embedding,
        };
        self.execute(kind).await
    }

    /// Changes the model's commission, in basis points, from the next epoch on.
    ///
    /// # Errors
    /// As [`Account::execute`].
    pub async fn set_model_commission(
        &self,
        model: ModelId,
        commission_bps: u16,
    ) -> Result<ReceiptView, SdkError> {
        let kind = TransactionKind::SetModelCommission {
            model,
            commission_bps,
        };
        self.execute(kind).await
    }

    /// Ends the model with the epoch: until then it answers for its targets.
    ///
    /// # Errors
    /// As [`Account::execute`].
    pub async fn deactivate_model(&self, model: ModelId) -> Result<ReceiptView, SdkError> {
        let kind = TransactionKind::DeactivateModel { model };
        self.execute(kind).await
    }
}
