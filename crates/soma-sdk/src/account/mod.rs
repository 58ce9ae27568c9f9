//! An account that signs and sends: one method for each kind of transaction.
//!
//! Every method waits until the transaction is in a block and gives its receipt; one that failed
//! on chain is [`SdkError::TransactionFailed`].

mod models;
mod reach;
mod submissions;
mod validators;

use soma_api::ReceiptView;
use soma_crypto::SecretKey;
use soma_types::bounded::BoundedVec;
use soma_types::{
    Address, ModelId, Payment, RawEmbedding, Shannons, StakeId, Transaction, TransactionKind,
};

use crate::client::Client;
use crate::error::SdkError;

pub use crate::http::is_on_this_machine;
pub use models::{CommitModel, created_model};
pub use reach::check_reach;
pub use submissions::{ModelVersion, Sealed, SubmitData};
pub use validators::proof_of_possession;

/// A key together with the client that sends for it. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Account {
    client: Client,
    key: SecretKey,
}

impl Account {
    pub(crate) fn new(client: Client, key: SecretKey) -> Self {
        Self { client, key }
    }

    /// The account's address.
    pub fn address(&self) -> Address {
        self.key.address()
    }

    /// The client that sends.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The key that signs.
    pub fn key(&self) -> &SecretKey {
        &self.key
    }

    /// The account's balance.
    ///
    /// # Errors
    /// [`SdkError`].
    pub async fn balance(&self) -> Result<Shannons, SdkError> {
        Ok(self.client.balance(&self.address()).await?.balance)
    }

    /// The next transaction of this account, unsigned.
    ///
    /// # Errors
    /// [`SdkError`].
    pub async fn build(&self, kind: TransactionKind) -> Result<Transaction, SdkError> {
        self.client.build(self.address(), kind).await
    }

    /// Signs, sends, and waits until the transaction is in a block.
    ///
    /// # Errors
    /// As [`Client::sign_and_execute`].
    pub async fn execute(&self, kind: TransactionKind) -> Result<ReceiptView, SdkError> {
        self.client.sign_and_execute(&self.key, kind).await
    }

    /// Sends money to one recipient.
    ///
    /// # Errors
    /// As [`Account::execute`].
    pub async fn transfer(
        &self,
        recipient: Address,
        amount: Shannons,
    ) -> Result<ReceiptView, SdkError> {
        let kind = TransactionKind::Transfer { recipient, amount };
        self.execute(kind).await
    }

    /// Sends money to many recipients, all or none.
    ///
    /// # Errors
    /// [`SdkError::InvalidArgument`] for more than 1,024 payments; as [`Account::execute`].
    pub async fn pay(&self, payments: Vec<Payment>) -> Result<ReceiptView, SdkError> {
        self.execute(pay_many(payments)?).await
    }

    /// Stakes with a validator.
    ///
    /// # Errors
    /// As [`Account::execute`].
    pub async fn stake(
        &self,
        validator: Address,
        amount: Shannons,
    ) -> Result<ReceiptView, SdkError> {
        let kind = TransactionKind::Stake { validator, amount };
        self.execute(kind).await
    }

    /// Stakes with a model.
    ///
    /// # Errors
    /// As [`Account::execute`].
    pub async fn stake_to_model(
        &self,
        model: ModelId,
        amount: Shannons,
    ) -> Result<ReceiptView, SdkError> {
        let kind = TransactionKind::StakeToModel { model, amount };
        self.execute(kind).await
    }

    /// Withdraws a stake position.
    ///
    /// # Errors
    /// As [`Account::execute`].
    pub async fn unstake(&self, stake: StakeId) -> Result<ReceiptView, SdkError> {
        self.execute(TransactionKind::Unstake { stake }).await
    }
}

/// A transaction that makes these payments, all or none.
///
/// # Errors
/// [`SdkError::InvalidArgument`] for more than 1,024 payments.
pub fn pay_many(payments: Vec<Payment>) -> Result<TransactionKind, SdkError> {
    let payments = BoundedVec::new(payments).map_err(|error| {
        SdkError::InvalidArgument(format!("{error}; split them over several transactions"))
    })?;
    Ok(TransactionKind::PayMany { payments })
}

/// An embedding as transactions carry it, normalised to length one.
///
/// # Errors
/// [`SdkError::InvalidArgument`] for numbers that have no direction.
pub fn raw_embedding(values: &[f32]) -> Result<RawEmbedding, SdkError> {
    embedding(values).map(|embedding| RawEmbedding::from(&embedding))
}

fn embedding(values: &[f32]) -> Result<soma_types::Embedding, SdkError> {
    soma_types::Embedding::from_f32(values)
        .map_err(|error| SdkError::InvalidArgument(error.to_string()))
}

/// A URL that validators can download from; `file` only where all share a machine.
fn url(text: &str) -> Result<soma_types::Url, SdkError> {
    let fail = |reason: String| SdkError::InvalidArgument(format!("URL `{text}`: {reason}"));
    let parsed = reqwest::Url::parse(text).map_err(|error| fail(error.to_string()))?;
    if !parsed.username().is_empty() || parsed.password().is_some() {
        // Not repeated: it would stand in logs.
        let reason = "a URL with a user name or password is refused by validators, and would show \
                      them to everybody; publish it under one without";
        return Err(SdkError::InvalidArgument(reason.to_owned()));
    }
    if !["https", "http", "file"].contains(&parsed.scheme()) {
        let reason = "validators cannot open it, and count what lies there as missing; publish it \
                      under an https or http URL";
        return Err(fail(reason.to_owned()));
    }
    soma_types::Url::new(text).map_err(|error| fail(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_that_validators_cannot_open_costs_no_bond() {
        for good in ["https://a.example/b", "http://127.0.0.1:1/b", "file:///a/b"] {
            assert_eq!(url(good).unwrap().to_string(), good);
        }
        let error = url("https://me:secret@a.example/b").unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
        for bad in ["s3://bucket/key", "ftp://a/b", "a/b", "", "data:,x"] {
            let error = url(bad).unwrap_err();
            assert!(matches!(&error, SdkError::InvalidArgument(text) if text.contains("URL")));
        }
    }
}
