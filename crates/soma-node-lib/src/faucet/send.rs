//! One payment of the faucet.

use std::sync::Arc;
use std::time::Duration;

use soma_api::{ErrorCode, FaucetResponse};
use soma_crypto::transaction::sign;
use soma_service::ApiError;
use soma_types::{
    Address, ExecutionError, ExecutionStatus, Receipt, Shannons, Transaction, TransactionKind,
};

use super::{Faucet, Shared};
use crate::application::{SubmitError, Submitted};

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
        let submitted = self.submit(recipient).await?;
        let wait = Duration::from_millis(self.shared.config.max_wait_ms);
        let receipt = match submitted.receipt {
            Some(receipt) => Some(receipt),
            None => {
                let application = &self.shared.application;
                application.wait_for(submitted.digest, wait).await?
            }
        };
        let receipt = receipt.ok_or_else(|| {
            ApiError::new(
                ErrorCode::Timeout,
                "the payment waits for a block longer than expected; it may still arrive",
            )
            .with("transaction", submitted.digest.to_string())
        })?;
        self.answer(recipient, &receipt)
    }

    async fn submit(&self, recipient: Address) -> Result<Submitted, ApiError> {
        let _turn = self.shared.turn.lock().await;
        let mut tries = 0;
        loop {
            let shared = Arc::clone(&self.shared);
            let result = tokio::task::spawn_blocking(move || shared.submit(recipient))
                .await
                .unwrap_or_else(|_| Err(SubmitError::Stopping.into()));
            tries += 1;
            match result {
                Err(Refused::Submit(error)) if error.is_nonce_race() && tries < NONCE_TRIES => {
                    tracing::debug!(%error, tries, "faucet lost a nonce race");
                }
                Err(Refused::Submit(error)) => return Err(error.into()),
                Err(Refused::Empty(left)) => return Err(self.empty(left)),
                Ok(submitted) => return Ok(submitted),
            }
        }
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

    fn answer(&self, address: Address, receipt: &Receipt) -> Result<FaucetResponse, ApiError> {
        match &receipt.status {
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
            } => Err(self.empty(*available)),
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
    /// Signs the next payment and lets it wait for a block. Blocks the thread.
    fn submit(&self, recipient: Address) -> Result<Submitted, Refused> {
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
        Ok(application.submit(sign(transaction, &self.key))?)
    }
}
