//! One payment of the faucet.

use std::sync::Arc;
use std::time::Duration;

use soma_api::{ErrorCode, FaucetResponse};
use soma_crypto::transaction::sign;
use soma_service::ApiError;
use soma_types::{
    Address, ExecutionError, ExecutionStatus, Shannons, SignedTransaction, Transaction,
    TransactionKind,
};

use super::{Faucet, Shared};
use crate::application::{SubmitError, Submitted, Ticket};

/// Tries after somebody else used the faucet's nonce.
const NONCE_TRIES: usize = 5;

/// Blocks for which a payment may wait.
const EXPIRY_BLOCKS: u64 = 1_000;

impl Faucet {
    /// Pays `recipient` and waits until the money is there.
    ///
    /// # Errors
    /// [`ErrorCode::FaucetEmpty`], or why the payment was not taken or not executed in time.
    pub async fn send(&self, recipient: Address) -> Result<FaucetResponse, ApiError> {
        let wait = Duration::from_millis(self.shared.config.max_wait_ms);
        let mut tries = 0;
        loop {
            tries += 1;
            let result = match self.enqueue(recipient).await {
                Ok(ticket) => ticket.receipt(wait).await.map_err(Refused::Submit),
                Err(refused) => Err(refused),
            };
            match result {
                Ok(submitted) => return self.answer(recipient, submitted),
                // The payment with the lost nonce can never be executed.
                Err(Refused::Submit(error)) if error.is_nonce_race() && tries < NONCE_TRIES => {
                    tracing::debug!(%error, tries, "faucet lost a nonce race");
                }
                Err(Refused::Submit(error)) => return Err(error.into()),
                Err(Refused::Empty(left)) => return Err(self.empty(left)),
            }
        }
    }

    /// Signs the next payment and lets it wait for a block.
    async fn enqueue(&self, recipient: Address) -> Result<Ticket, Refused> {
        let _turn = self.shared.turn.lock().await;
        let shared = Arc::clone(&self.shared);
        let signed = tokio::task::spawn_blocking(move || shared.sign(recipient))
            .await
            .unwrap_or_else(|_| Err(SubmitError::Stopping.into()))?;
        Ok(self.shared.application.enqueue(signed).await?)
    }

    fn empty(&self, left: Shannons) -> ApiError {
        let text = format!(
            "the faucet has {left} left, which does not pay {} and the fee; fund {}",
            self.shared.config.amount,
            self.address()
        );
        tracing::warn!(%left, "faucet is empty");
        ApiError::new(ErrorCode::FaucetEmpty, text).with("left", left.0)
    }

    fn answer(&self, address: Address, submitted: Submitted) -> Result<FaucetResponse, ApiError> {
        let receipt = submitted.receipt.ok_or_else(|| {
            ApiError::new(
                ErrorCode::Timeout,
                "the payment waits for a block longer than expected; it may still arrive",
            )
            .with("transaction", submitted.digest.to_string())
        })?;
        match receipt.status {
            ExecutionStatus::Success => Ok(FaucetResponse {
                address,
                amount: self.shared.config.amount,
                transaction: receipt.transaction,
                height: receipt.height,
            }),
            ExecutionStatus::Failure {
                error:
                    ExecutionError::InsufficientGas { available, .. }
                    | ExecutionError::InsufficientCoinBalance { available, .. },
            } => Err(self.empty(available)),
            ExecutionStatus::Failure { error } => Err(ApiError::internal(error)),
        }
    }
}

/// Why a payment was not taken.
enum Refused {
    Empty(Shannons),
    Submit(SubmitError),
}

impl<E: Into<SubmitError>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self::Submit(error.into())
    }
}

impl Shared {
    /// Signs the next payment. Blocks the thread.
    fn sign(&self, recipient: Address) -> Result<SignedTransaction, Refused> {
        let application = &self.application;
        let sender = self.key.address();
        let reader = application.chain().reader();
        let account = reader.account(&sender).map_err(SubmitError::from)?;
        let height = reader.head().header.height;
        drop(reader);
        if account.balance <= self.config.amount {
            return Err(Refused::Empty(account.balance));
        }
        let transaction = Transaction {
            chain_id: application.chain().chain_id(),
            sender,
            nonce: application.mempool().next_nonce(&sender, account.nonce),
            expiry_height: height.saturating_add(EXPIRY_BLOCKS),
            kind: TransactionKind::Transfer {
                recipient,
                amount: self.config.amount,
            },
        };
        Ok(sign(transaction, &self.key))
    }
}
