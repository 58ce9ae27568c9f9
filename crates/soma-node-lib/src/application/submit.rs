//! Taking a transaction, and waiting for what it did.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use soma_chain::ChainError;
use soma_crypto::transaction::{VerifiedTransaction, transaction_digest};
use soma_types::{Address, Digest, Receipt, Shannons, SignedTransaction};

use super::waiters::{Outcome, Waiter};
use super::{Application, SubmitError};
use crate::mempool::{ChainFacts, Inserted, SenderFacts};

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
        let verified = self.check(signed.clone())?;
        let digest = verified.digest();
        match self.admit(verified, None) {
            Ok(is_news) => {
                if is_news {
                    self.gossip.send(signed);
                }
                Ok(Submitted {
                    digest,
                    receipt: None,
                })
            }
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

    /// Takes a transaction that a peer passed on. Blocks the thread.
    pub(super) fn admit_from_peer(&self, signed: SignedTransaction) -> Result<(), SubmitError> {
        let transaction = &signed.transaction;
        if self.mempool.contains(&transaction_digest(transaction)) {
            return Ok(());
        }
        // Under load, many come with or after the block that has them.
        let is_duty = transaction.kind.is_validator_duty();
        let facts = self.facts(&transaction.sender, is_duty)?;
        if transaction.nonce < facts.0.nonce {
            return Ok(());
        }
        self.admit(self.check(signed)?, Some(facts)).map(|_| ())
    }

    /// True when it was not known before. `read` are the facts where they were read already.
    fn admit(
        &self,
        verified: VerifiedTransaction,
        mut read: Option<(SenderFacts, ChainFacts)>,
    ) -> Result<bool, SubmitError> {
        let is_duty = verified.transaction.kind.is_validator_duty();
        let facts = |sender: &Address| match read.take() {
            Some(facts) => Ok(facts),
            None => self.facts(sender, is_duty),
        };
        match self.mempool.insert(verified, facts)? {
            Inserted::Replaced(dropped) => self.waiters.on_dropped(&[dropped]),
            Inserted::Added => {}
            Inserted::Known => return Ok(false),
        }
        // In this order: a pick that missed it has said so by now, and who is woken finds it.
        self.starved.store(false, Ordering::Relaxed);
        self.wake.notify_one();
        Ok(true)
    }

    /// What admission must know of a sender and the chain. Who is a validator counts for duties only.
    fn facts(
        &self,
        sender: &Address,
        is_duty: bool,
    ) -> Result<(SenderFacts, ChainFacts), SubmitError> {
        let reader = self.chain.reader();
        let account = reader.account(sender)?;
        let head = reader.head();
        let epoch = reader.system().epoch;
        let mut is_validator = false;
        // Fills of the epoch before are judged by the committee of that epoch.
        let epochs = [Some(epoch), epoch.minus(1)].into_iter().flatten();
        for epoch in epochs.filter(|_| is_duty) {
            let committee = reader.committee(epoch)?;
            is_validator |= committee.is_some_and(|known| known.member(sender).is_some());
        }
        drop(reader);
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

    /// As [`Application::submit`], for async callers, with a ticket to wait for the receipt by.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub async fn enqueue(
        self: &Arc<Self>,
        signed: SignedTransaction,
    ) -> Result<Ticket, SubmitError> {
        let digest = transaction_digest(&signed.transaction);
        let waiter = self.waiters.wait(digest);
        let application = Arc::clone(self);
        let submitted = tokio::task::spawn_blocking(move || application.submit(signed))
            .await
            .map_err(|_| SubmitError::Stopping)??;
        Ok(Ticket {
            application: Arc::clone(self),
            waiter,
            submitted,
        })
    }
}

/// A transaction that was taken, and the place of one who waits for its receipt.
pub struct Ticket {
    application: Arc<Application>,
    waiter: Waiter,
    submitted: Submitted,
}

impl Ticket {
    /// The transaction's digest.
    pub fn digest(&self) -> Digest {
        self.submitted.digest
    }

    /// Waits up to `wait` for the receipt; without one the transaction still waits for a block.
    ///
    /// # Errors
    /// [`SubmitError::Dropped`] as soon as the transaction left the mempool without a block.
    pub async fn receipt(mut self, wait: Duration) -> Result<Submitted, SubmitError> {
        if self.submitted.receipt.is_none() && !wait.is_zero() {
            // Without an answer in time the client is told what is known: that it waits.
            if let Ok(outcome) = tokio::time::timeout(wait, self.outcome()).await {
                self.submitted.receipt = Some(outcome?);
            }
        }
        Ok(self.submitted)
    }

    async fn outcome(&mut self) -> Result<Receipt, SubmitError> {
        loop {
            match self.waiter.outcome().await {
                Some(Outcome::Executed(receipt)) => return Ok(receipt),
                Some(Outcome::Dropped(reason)) => {
                    // It may be back: the same bytes can be sent again, also before this message
                    // was read. Whoever waits first and looks afterwards misses nothing.
                    let digest = self.submitted.digest;
                    self.waiter = self.application.waiters.wait(digest);
                    let application = Arc::clone(&self.application);
                    // The mempool first: what leaves it for a block is in the chain by then.
                    let look = move || match application.mempool.contains(&digest) {
                        true => Ok((true, None)),
                        false => Ok((false, application.receipt(&digest)?)),
                    };
                    let found: Result<_, ChainError> = tokio::task::spawn_blocking(look)
                        .await
                        .map_err(|_| SubmitError::Stopping)?;
                    match found? {
                        (_, Some(receipt)) => return Ok(receipt),
                        (true, None) => {}
                        (false, None) => return Err(SubmitError::Dropped(reason)),
                    }
                }
                None => return Err(SubmitError::Stopping),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::atomic::AtomicBool;
    use std::task::{Context, Wake, Waker};

    use soma_consensus::BlockSource;
    use soma_consensus::application::PickLimits;
    use soma_tests::world::{SOMA, World};
    use soma_types::TransactionKind;

    use super::*;

    /// Looks for transactions in the moment in which it is woken.
    struct Look {
        application: Arc<Application>,
        found: AtomicBool,
    }

    impl Wake for Look {
        fn wake(self: Arc<Self>) {
            let found = self.application.has_transactions();
            self.found.store(found, Ordering::Relaxed);
        }
    }

    #[test]
    fn who_is_woken_by_an_arrival_finds_it() {
        let world = World::new();
        let application = Application::at_genesis(&world.genesis);
        let limits = PickLimits {
            height: 1,
            transactions: 1,
            bytes: 1_000,
        };
        assert!(application.pick(limits, &|_| Some(0)).is_empty());
        let look = Arc::new(Look {
            application: Arc::clone(&application),
            found: AtomicBool::new(false),
        });
        let (wake, waker) = (application.wake(), Waker::from(Arc::clone(&look)));
        let mut woken = pin!(wake.notified());
        let mut context = Context::from_waker(&waker);
        assert!(woken.as_mut().poll(&mut context).is_pending());
        let kind = TransactionKind::Transfer {
            recipient: world.users[1],
            amount: SOMA,
        };
        let signed = world.sign_raw(&world.users[0], kind, 0);
        application.submit(signed.clone()).unwrap();
        assert!(look.found.load(Ordering::Relaxed));
        assert!(woken.as_mut().poll(&mut context).is_ready());

        // The same once more is no arrival.
        let mut woken = pin!(wake.notified());
        application.submit(signed).unwrap();
        assert!(woken.as_mut().poll(&mut context).is_pending());
    }
}
