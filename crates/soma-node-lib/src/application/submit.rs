//! Taking a transaction, and waiting for what it did.

use std::sync::Arc;
use std::time::Duration;

use soma_chain::ChainError;
use soma_crypto::transaction::{VerifiedTransaction, verify};
use soma_types::{Address, Digest, Receipt, Shannons, SignedTransaction};

use super::{Application, SubmitError};
use crate::mempool::{ChainFacts, SenderFacts};

/// What became of a transaction that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submitted {
    /// Its digest.
    pub digest: Digest,
    /// What it did, when it is in a block already.
    pub receipt: Option<Receipt>,
}

impl Application {
    /// Takes a transaction: checks its signature and lets it wait for a block. One that is in a
    /// block already is not an error; its receipt comes back. Blocks the thread.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub fn submit(&self, signed: SignedTransaction) -> Result<Submitted, SubmitError> {
        let verified = verify(signed)?;
        let digest = verified.digest();
        match self.admit(verified) {
            Ok(()) => Ok(Submitted {
                digest,
                receipt: None,
            }),
            Err(error) => match self.receipt(&digest)? {
                Some(receipt) => Ok(Submitted {
                    digest,
                    receipt: Some(receipt),
                }),
                None => {
                    self.metrics.mempool_refused.inc();
                    Err(error)
                }
            },
        }
    }

    fn admit(&self, verified: VerifiedTransaction) -> Result<(), SubmitError> {
        self.mempool
            .insert(verified, |sender| self.facts(sender))
            .map(|_| ())
    }

    /// What admission must know of a sender and the chain.
    fn facts(&self, sender: &Address) -> Result<(SenderFacts, ChainFacts), SubmitError> {
        let reader = self.chain.reader();
        let account = reader.account(sender)?;
        let head = reader.head();
        let committee = reader.committee(reader.system().epoch)?;
        drop(reader);
        let is_validator = committee.is_some_and(|committee| committee.member(sender).is_some());
        let now = self.now();
        let sender = SenderFacts {
            nonce: account.nonce,
            balance: account.balance,
            is_validator,
        };
        let chain = ChainFacts {
            chain_id: self.chain.chain_id(),
            next_height: head.header.height.saturating_add(1),
            base_fee: Shannons(now.parameters.base_fee),
            max_transaction_bytes: now.parameters.max_transaction_bytes,
        };
        Ok((sender, chain))
    }

    /// What a transaction in a block did. Blocks the thread.
    ///
    /// # Errors
    /// When the store fails.
    pub fn receipt(&self, digest: &Digest) -> Result<Option<Receipt>, ChainError> {
        let found = self.chain.reader().transaction(digest)?;
        Ok(found.map(|(_, receipt)| receipt))
    }

    /// As [`Application::submit`], then waits up to `wait` for the receipt.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub async fn submit_and_wait(
        self: &Arc<Self>,
        signed: SignedTransaction,
        wait: Duration,
    ) -> Result<Submitted, SubmitError> {
        let digest = soma_crypto::transaction::transaction_digest(&signed.transaction);
        let receiver = self.waiters.wait(digest);
        let application = Arc::clone(self);
        let submitted = tokio::task::spawn_blocking(move || application.submit(signed))
            .await
            .map_err(|_| SubmitError::Stopping)?;
        let result = match submitted {
            Ok(submitted) if submitted.receipt.is_some() || wait.is_zero() => Ok(submitted),
            Ok(submitted) => {
                let receipt = tokio::time::timeout(wait, receiver).await;
                let receipt = receipt.ok().and_then(Result::ok);
                return Ok(self.finish_waiting(submitted, receipt));
            }
            Err(error) => Err(error),
        };
        drop(receiver);
        self.waiters.sweep(&digest);
        result
    }

    /// Waits up to `wait` for the receipt of a transaction that was submitted.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn wait_for(
        self: &Arc<Self>,
        digest: Digest,
        wait: Duration,
    ) -> Result<Option<Receipt>, SubmitError> {
        let receiver = self.waiters.wait(digest);
        let application = Arc::clone(self);
        let known = tokio::task::spawn_blocking(move || application.receipt(&digest))
            .await
            .map_err(|_| SubmitError::Stopping)??;
        if known.is_some() {
            return Ok(known);
        }
        let receipt = tokio::time::timeout(wait, receiver).await;
        let receipt = receipt.ok().and_then(Result::ok);
        if receipt.is_none() {
            self.waiters.sweep(&digest);
        }
        Ok(receipt)
    }

    fn finish_waiting(&self, submitted: Submitted, receipt: Option<Receipt>) -> Submitted {
        if receipt.is_none() {
            self.waiters.sweep(&submitted.digest);
        }
        Submitted {
            receipt,
            ..submitted
        }
    }
}
