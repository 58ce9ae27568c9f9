//! Paying from an account through the node of this process.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use soma_api::ErrorCode;
use soma_crypto::SecretKey;
use soma_crypto::transaction::sign;
use soma_service::ApiError;
use soma_types::{
    Address, ExecutionError, ExecutionStatus, Shannons, SignedTransaction, Transaction,
    TransactionKind,
};
use tokio::sync::Mutex;

use super::{Paid, Purse, PurseError};
use crate::application::{Application, SubmitError, Submitted, Ticket};
use crate::mempool::DropReason;

/// Tries after somebody else used the account's nonce.
const NONCE_TRIES: usize = 5;

/// Blocks for which a payment may wait.
const EXPIRY_BLOCKS: u64 = 1_000;

/// An account that pays through the node of this process. Nonces are given out one after the
/// other, so concurrent payments never collide; when something else signs with the key, a payment
/// is signed again once the one before can never be executed.
pub struct NodePurse {
    shared: Arc<Shared>,
    max_wait: Duration,
    /// Held from looking up a nonce until the transaction with it waits in the mempool.
    turn: Mutex<()>,
}

struct Shared {
    application: Arc<Application>,
    key: SecretKey,
}

impl NodePurse {
    /// Pays from the account of `key`, and waits up to `max_wait` for each receipt.
    pub fn new(application: Arc<Application>, key: SecretKey, max_wait: Duration) -> Self {
        Self {
            shared: Arc::new(Shared { application, key }),
            max_wait,
            turn: Mutex::new(()),
        }
    }

    async fn try_pay(&self, recipient: Address, amount: Shannons) -> Result<Paid, PurseError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let result = match self.enqueue(recipient, amount).await {
                Ok((signed, ticket)) => {
                    let outcome = self.outcome(signed, ticket).await;
                    outcome.map_err(Refused::Submit)
                }
                Err(refused) => Err(refused),
            };
            match result {
                Ok(submitted) => return paid(submitted),
                // No node ever had the payment, or the chain used its nonce without it.
                Err(Refused::Submit(error)) if error.is_nonce_race() && tries < NONCE_TRIES => {
                    tracing::debug!(%error, tries, "faucet lost a nonce race");
                }
                Err(Refused::Submit(error)) => return Err(PurseError::Failed(error.into())),
                Err(Refused::Empty(left)) => return Err(PurseError::Empty(left)),
            }
        }
    }

    /// Signs the next payment and lets it wait for a block.
    async fn enqueue(
        &self,
        recipient: Address,
        amount: Shannons,
    ) -> Result<(SignedTransaction, Ticket), Refused> {
        let _turn = self.turn.lock().await;
        let shared = Arc::clone(&self.shared);
        let signed = tokio::task::spawn_blocking(move || shared.sign(recipient, amount))
            .await
            .unwrap_or_else(|_| Err(SubmitError::Stopping.into()))?;
        let ticket = self.shared.application.enqueue(signed.clone()).await?;
        Ok((signed, ticket))
    }

    /// What became of a payment that was taken. One that this node dropped for another transaction
    /// with its nonce may wait at other nodes still: that ends when the chain used the nonce.
    async fn outcome(
        &self,
        signed: SignedTransaction,
        ticket: Ticket,
    ) -> Result<Submitted, SubmitError> {
        let (digest, nonce) = (ticket.digest(), signed.transaction.nonce);
        let mut blocks = self.shared.application.watch();
        let decided = async {
            match ticket.receipt(self.max_wait).await {
                Err(SubmitError::Dropped(DropReason::Replaced { .. })) => {}
                result => return result,
            }
            while self.next_nonce().await? <= nonce {
                let next = blocks.changed().await;
                next.map_err(|_| SubmitError::Stopping)?;
            }
            // Gives the receipt now, or that the nonce is used.
            let ticket = self.shared.application.enqueue(signed).await?;
            ticket.receipt(self.max_wait).await
        };
        let waiting = Submitted {
            digest,
            receipt: None,
        };
        let decided = tokio::time::timeout(self.max_wait, decided).await;
        decided.unwrap_or(Ok(waiting))
    }

    /// The account's next nonce on the chain.
    async fn next_nonce(&self) -> Result<u64, SubmitError> {
        let shared = Arc::clone(&self.shared);
        let read = move || {
            let reader = shared.application.chain().reader();
            reader.account(&shared.key.address())
        };
        let account = tokio::task::spawn_blocking(read).await;
        Ok(account.map_err(|_| SubmitError::Stopping)??.nonce)
    }
}

impl Purse for NodePurse {
    fn address(&self) -> Address {
        self.shared.key.address()
    }

    fn pay(&self, recipient: Address, amount: Shannons) -> BoxFuture<'_, Result<Paid, PurseError>> {
        Box::pin(self.try_pay(recipient, amount))
    }
}

fn paid(submitted: Submitted) -> Result<Paid, PurseError> {
    let receipt = submitted.receipt.ok_or_else(|| {
        let error = ApiError::new(
            ErrorCode::Timeout,
            "the payment waits for a block longer than expected; it may still arrive",
        );
        PurseError::Failed(error.with("transaction", submitted.digest.to_string()))
    })?;
    match receipt.status {
        ExecutionStatus::Success => Ok(Paid {
            transaction: receipt.transaction,
            height: receipt.height,
        }),
        ExecutionStatus::Failure {
            error:
                ExecutionError::InsufficientGas { available, .. }
                | ExecutionError::InsufficientCoinBalance { available, .. },
        } => Err(PurseError::Empty(available)),
        ExecutionStatus::Failure { error } => Err(PurseError::Failed(ApiError::internal(error))),
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
    fn sign(&self, recipient: Address, amount: Shannons) -> Result<SignedTransaction, Refused> {
        let application = &self.application;
        let sender = self.key.address();
        let reader = application.chain().reader();
        let account = reader.account(&sender).map_err(SubmitError::from)?;
        let height = reader.head().header.height;
        drop(reader);
        if account.balance <= amount {
            return Err(Refused::Empty(account.balance));
        }
        let transaction = Transaction {
            chain_id: application.chain().chain_id(),
            sender,
            nonce: application.mempool().next_nonce(&sender, account.nonce),
            expiry_height: height.saturating_add(EXPIRY_BLOCKS),
            kind: TransactionKind::Transfer { recipient, amount },
        };
        Ok(sign(transaction, &self.key))
    }
}
