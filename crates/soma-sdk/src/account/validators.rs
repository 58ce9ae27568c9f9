//! Transactions of validators.

use soma_api::ReceiptView;
use soma_chain::proof_of_possession_digest;
use soma_crypto::SecretKey;
use soma_types::target::ModelFault;
use soma_types::{
    Address, ChainId, MetadataUpdate, ModelId, Signature, TransactionKind, ValidatorCandidate,
    ValidatorMetadata,
};

use super::Account;
use crate::error::SdkError;

/// What the consensus key `key` signs to prove that its holder runs the validator at `address`.
pub fn proof_of_possession(chain: &ChainId, address: &Address, key: &SecretKey) -> Signature {
    key.sign_digest(&proof_of_possession_digest(chain, address).0)
}

impl Account {
    /// Applies to join the committee; the consensus key signs that its holder is this account.
    ///
    /// The application stakes the network's `min_candidate_stake` with this account: 1 SOMA, unless
    /// the genesis says another amount.
    ///
    /// # Errors
    /// [`SdkError::InvalidArgument`] when the metadata has another consensus key; as
    /// [`Account::execute`].
    pub async fn add_validator(
        &self,
        metadata: ValidatorMetadata,
        consensus_key: &SecretKey,
        commission_bps: u16,
    ) -> Result<ReceiptView, SdkError> {
        if metadata.consensus_key != consensus_key.public_key() {
            let text = "the metadata's consensus_key is not the public key of the consensus key";
            return Err(SdkError::InvalidArgument(text.to_owned()));
        }
        let chain = self.client.chain_id().await?;
        let candidate = ValidatorCandidate {
            metadata,
            proof_of_possession: proof_of_possession(&chain, &self.address(), consensus_key),
            commission_bps,
        };
        let kind = TransactionKind::AddValidator(Box::new(candidate));
        self.execute(kind).await
    }

    /// Leaves the committee at the end of the epoch, or withdraws an application.
    ///
    /// # Errors
    /// As [`Account::execute`].
    pub async fn remove_validator(&self) -> Result<ReceiptView, SdkError> {
        self.execute(TransactionKind::RemoveValidator).await
    }

    /// Changes metadata from the next epoch on.
    ///
    /// # Errors
    /// As [`Account::execute`].
    pub async fn update_validator_metadata(
        &self,
        update: MetadataUpdate,
    ) -> Result<ReceiptView, SdkError> {
        let kind = TransactionKind::UpdateValidatorMetadata(Box::new(update));
        self.execute(kind).await
    }

    /// Changes this validator's commission, in basis points, from the next epoch on.
    ///
    /// # Errors
    /// As [`Account::execute`].
    pub async fn set_validator_commission(
        &self,
        commission_bps: u16,
    ) -> Result<ReceiptView, SdkError> {
        let kind = TransactionKind::SetValidatorCommission { commission_bps };
        self.execute(kind).await
    }

    /// As a validator, reports another that does not do its work.
    ///
    /// # Errors
    /// As [`Account::execute`].
    pub async fn report_validator(&self, validator: Address) -> Result<ReceiptView, SdkError> {
        let kind = TransactionKind::ReportValidator { validator };
        self.execute(kind).await
    }

    /// Takes a report of a validator back.
    ///
    /// # Errors
    /// As [`Account::execute`].
    pub async fn undo_report_validator(&self, validator: Address) -> Result<ReceiptView, SdkError> {
        let kind = TransactionKind::UndoReportValidator { validator };
        self.execute(kind).await
    }

    /// As a validator, reports a model whose weights are not what was committed.
    ///
    /// # Errors
    /// As [`Account::execute`].
    pub async fn report_model(
        &self,
        model: ModelId,
        reason: ModelFault,
    ) -> Result<ReceiptView, SdkError> {
        let kind = TransactionKind::ReportModel { model, reason };
        self.execute(kind).await
    }

    /// Takes a report of a model back.
    ///
    /// # Errors
    /// As [`Account::execute`].
    pub async fn undo_report_model(&self, model: ModelId) -> Result<ReceiptView, SdkError> {
        let kind = TransactionKind::UndoReportModel { model };
        self.execute(kind).await
    }

    /// As a validator, announces the newest protocol version that it can run.
    ///
    /// # Errors
    /// As [`Account::execute`].
    pub async fn announce_protocol_version(&self, version: u64) -> Result<ReceiptView, SdkError> {
        let kind = TransactionKind::AnnounceProtocolVersion { version };
        self.execute(kind).await
    }
}
