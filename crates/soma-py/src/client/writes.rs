//! Transactions of accounts and model owners.

use std::io;

use pyo3::prelude::*;
use serde_json::json;
use soma_crypto::sealed::{self, SealError};
use soma_sdk::CommitModel;
use soma_sdk::account::pay_many;
use soma_types::{
    ModelId, Payment, Shannons, SignedTransaction, Transaction, TransactionKind, WeightsKey,
};

use super::{Called, Client, check_dim, checked, failed};
use crate::arguments::{decode, embedding as check_embedding, parse, url as check_url};
use crate::bridge::{Reply, blocking};
use crate::errors::Failure;
use crate::keypair::Keypair;
use crate::sealing::Place;

#[pymethods]
impl Client {
    /// The next transaction of `sender` that does what `kind` says, in its canonical encoding.
    fn build<'py>(&self, py: Python<'py>, sender: &str, kind: &str) -> Called<'py> {
        let sender = checked(py, parse("sender", sender))?;
        let kind: Result<TransactionKind, _> = serde_json::from_str(kind);
        let kind = checked(py, kind.map_err(|error| Failure::argument("kind", error)))?;
        self.read(py, move |sdk| async move {
            let transaction = sdk.build(sender, kind).await?;
            Ok(Reply::Bytes(soma_types::codec::encode(&transaction)))
        })
    }

    /// What a transaction would do now.
    fn simulate<'py>(&self, py: Python<'py>, transaction: &[u8]) -> Called<'py> {
        let name = "transaction_data";
        let transaction: Transaction = checked(py, decode(name, "a transaction", transaction))?;
        self.read(py, move |sdk| async move {
            Reply::json(&sdk.simulate(&transaction).await?)
        })
    }

    /// Sends a signed transaction and waits for its block.
    fn execute_signed<'py>(&self, py: Python<'py>, transaction: &[u8]) -> Called<'py> {
        let (name, what) = ("transaction", "a signed transaction");
        let signed: SignedTransaction = checked(py, decode(name, what, transaction))?;
        self.call(py, move |sdk| async move {
            let receipt = sdk.execute_signed(&signed).await;
            Reply::json(&receipt.map_err(|error| failed("ExecuteTransaction", error))?)
        })
    }

    /// Sends money; `as_object` when it is the whole coin of the signer.
    fn transfer<'py>(
        &self,
        py: Python<'py>,
        signer: &Keypair,
        recipient: &str,
        amount: u64,
        as_object: bool,
    ) -> Called<'py> {
        let recipient = checked(py, parse("recipient", recipient))?;
        let amount = Shannons(amount);
        let label = match as_object {
            true => "TransferObjects",
            false => "TransferCoin",
        };
        let kind = TransactionKind::Transfer { recipient, amount };
        self.execute(py, signer, label, kind)
    }

    /// Sends money to many, all or none.
    fn pay<'py>(
        &self,
        py: Python<'py>,
        signer: &Keypair,
        recipients: Vec<String>,
        amounts: Vec<u64>,
    ) -> Called<'py> {
        let payments = recipients.iter().zip(amounts).map(|(recipient, amount)| {
            Ok(Payment {
                recipient: parse("recipients", recipient)?,
                amount: Shannons(amount),
            })
        });
        let payments: Result<Vec<_>, Failure> = payments.collect();
        let kind = checked(py, payments).and_then(|payments| {
            let kind = pay_many(payments);
            checked(
                py,
                kind.map_err(|error| Failure::argument("recipients", error)),
            )
        })?;
        self.execute(py, signer, "PayCoins", kind)
    }

    /// Stakes with a validator.
    fn stake<'py>(
        &self,
        py: Python<'py>,
        signer: &Keypair,
        validator: &str,
        amount: u64,
    ) -> Called<'py> {
        let validator = checked(py, parse("validator", validator))?;
        let amount = Shannons(amount);
        let kind = TransactionKind::Stake { validator, amount };
        self.execute(py, signer, "AddStake", kind)
    }

    /// Stakes with a model.
    fn stake_to_model<'py>(
        &self,
        py: Python<'py>,
        signer: &Keypair,
        model_id: &str,
        amount: u64,
    ) -> Called<'py> {
        let model = checked(py, parse("model_id", model_id))?;
        let amount = Shannons(amount);
        let kind = TransactionKind::StakeToModel { model, amount };
        self.execute(py, signer, "AddStakeToModel", kind)
    }

    /// Withdraws a stake position.
    fn unstake<'py>(&self, py: Python<'py>, signer: &Keypair, stake_id: &str) -> Called<'py> {
        let stake = checked(py, parse("staked_soma_id", stake_id))?;
        let kind = TransactionKind::Unstake { stake };
        self.execute(py, signer, "WithdrawStake", kind)
    }

    /// Creates a model; gives its id and the receipt.
    #[pyo3(signature = (signer, commission_bps, stake = None))]
    fn create_model<'py>(
        &self,
        py: Python<'py>,
        signer: &Keypair,
        commission_bps: u16,
        stake: Option<u64>,
    ) -> Called<'py> {
        let key = signer.key.clone();
        self.call(py, move |sdk| async move {
            let account = sdk.account(key);
            let created = account.create_model(stake.map(Shannons), commission_bps);
            let created = created.await.map_err(|error| failed("CreateModel", error));
            let (model, receipt) = created?;
            Reply::json(&json!({ "model_id": model, "receipt": receipt }))
        })
    }

    /// Commits to weights. They are opened here: the chain wants the checksum of what is inside.
    #[expect(clippy::too_many_arguments, reason = "those of the transaction")]
    fn commit_model<'py>(
        &self,
        py: Python<'py>,
        signer: &Keypair,
        model_id: &str,
        weights_url: String,
        encrypted_weights: Place,
        decryption_key: &str,
        embedding: Vec<f32>,
    ) -> Called<'py> {
        let model: ModelId = checked(py, parse("model_id", model_id))?;
        let weights_key: WeightsKey = checked(py, parse("decryption_key", decryption_key))?;
        checked(py, check_url("weights_url", &weights_url))?;
        checked(py, check_embedding("embedding", &embedding))?;
        let key = signer.key.clone();
        self.call(py, move |sdk| async move {
            let report = blocking(move || {
                let bad = |error| Failure::argument("encrypted_weights", error);
                let file = encrypted_weights
                    .open()
                    .map_err(SealError::Read)
                    .map_err(bad)?;
                sealed::open(file, io::sink(), &weights_key).map_err(bad)
            });
            let report = report.await?;
            // The chain takes commitments to any embedding, and refuses the reveals.
            let parameters = sdk.parameters().await;
            let parameters = parameters.map_err(|error| failed("CommitModel", error))?;
            check_dim(&embedding, &parameters)?;
            let commit = CommitModel {
                model,
                url: &weights_url,
                checksum: report.ciphertext_checksum,
                size: report.sealed_len,
                plaintext_checksum: report.plaintext_checksum,
                key: weights_key,
                embedding: &embedding,
            };
            let receipt = sdk.account(key).commit_model(&commit).await;
            Reply::json(&receipt.map_err(|error| failed("CommitModel", error))?)
        })
    }

    /// Reveals committed weights.
    fn reveal_model<'py>(
        &self,
        py: Python<'py>,
        signer: &Keypair,
        model_id: &str,
        decryption_key: &str,
        embedding: Vec<f32>,
    ) -> Called<'py> {
        let model = checked(py, parse("model_id", model_id))?;
        let key = checked(py, parse("decryption_key", decryption_key))?;
        checked(py, check_embedding("embedding", &embedding))?;
        let signer = signer.key.clone();
        self.call(py, move |sdk| async move {
            let failed = |error| failed("RevealModel", error);
            check_dim(&embedding, &sdk.parameters().await.map_err(failed)?)?;
            let account = sdk.account(signer);
            let receipt = account.reveal_model(model, key, &embedding).await;
            Reply::json(&receipt.map_err(failed)?)
        })
    }

    /// Changes a model's commission from the next epoch on.
    fn set_model_commission<'py>(
        &self,
        py: Python<'py>,
        signer: &Keypair,
        model_id: &str,
        commission_bps: u16,
    ) -> Called<'py> {
        let model = checked(py, parse("model_id", model_id))?;
        let kind = TransactionKind::SetModelCommission {
            model,
            commission_bps,
        };
        self.execute(py, signer, "SetModelCommissionRate", kind)
    }

    /// Ends a model with the epoch.
    fn deactivate_model<'py>(
        &self,
        py: Python<'py>,
        signer: &Keypair,
        model_id: &str,
    ) -> Called<'py> {
        let model = checked(py, parse("model_id", model_id))?;
        let kind = TransactionKind::DeactivateModel { model };
        self.execute(py, signer, "DeactivateModel", kind)
    }
}
