//! Telling the chain, once: a transaction is kept before it is sent.

use std::sync::Arc;
use std::time::Duration;

use soma_chain::ChainError;
use soma_crypto::SecretKey;
use soma_crypto::transaction::{sign, transaction_digest};
use soma_types::{
    Address, Digest, ExecutionError, ExecutionStatus, SignedTransaction, Transaction,
    TransactionKind,
};
use thiserror::Error;
use tokio::sync::Mutex;

use super::blocking::{Blocking, Stopped};
use super::job::{Job, Outgoing};
use super::journal::Journal;
use crate::application::{Application, SubmitError};
use crate::mempool::{DropReason, MempoolError};

/// Blocks for which a transaction may wait.
const EXPIRY_BLOCKS: u64 = 1_000;
/// Time for a transaction to get into a block, before the audit looks again.
const WAIT: Duration = Duration::from_secs(30);
/// Tries after somebody else used the validator's nonce.
const NONCE_TRIES: usize = 5;

/// Why the chain was not told.
#[derive(Debug, Error)]
pub(super) enum NotSent {
    /// It still waits for a block, perhaps at other nodes only.
    #[error("transaction {0} is in no block yet; it is sent again later")]
    Waiting(Digest),
    /// It was not taken.
    #[error(transparent)]
    Refused(#[from] SubmitError),
    /// It was executed and failed.
    #[error("transaction {transaction} failed: {error}")]
    Failed {
        /// The transaction.
        transaction: Digest,
        /// Why.
        error: ExecutionError,
    },
    /// It cannot be kept, so it is not sent.
    #[error(transparent)]
    Journal(#[from] soma_chain::StoreError),
}

impl From<Stopped> for NotSent {
    fn from(_: Stopped) -> Self {
        Self::Refused(SubmitError::Stopping)
    }
}

/// Signs as the validator and sends.
pub(super) struct Outbox {
    application: Arc<Application>,
    journal: Arc<Journal>,
    key: SecretKey,
    blocking: Blocking,
    /// Held from looking up a nonce until the transaction with it waits in the mempool.
    turn: Mutex<()>,
}

impl Outbox {
    pub(super) fn new(
        application: Arc<Application>,
        journal: Arc<Journal>,
        key: SecretKey,
        blocking: Blocking,
    ) -> Self {
        Self {
            application,
            journal,
            key,
            blocking,
            turn: Mutex::new(()),
        }
    }

    /// The validator.
    pub(super) fn address(&self) -> Address {
        self.key.address()
    }

    /// Sends `kind` for `job` and waits until it is in a block. A transaction of the same kind
    /// that is on its way already is sent again instead of another; one that no node had is
    /// forgotten, so that the next is signed with a nonce that is free then.
    pub(super) async fn send(
        &self,
        job: &mut Job,
        kind: TransactionKind,
        undo: bool,
    ) -> Result<Digest, NotSent> {
        let mut tries = 0;
        loop {
            tries += 1;
            let result = self.try_send(job, &kind, undo).await;
            match &result {
                Err(NotSent::Waiting(_)) => return result,
                // No node ever had it, or the chain used its nonce without it.
                Err(NotSent::Refused(error)) if error.is_nonce_race() && tries < NONCE_TRIES => {
                    tracing::debug!(%error, tries, "audit lost a nonce race");
                    job.outgoing = None;
                }
                // It may wait at other nodes since an earlier try: the next one sends the same.
                Err(NotSent::Refused(error)) if error.is_retryable() => return result,
                _ => {
                    // It is in a block, or never will be.
                    job.outgoing = None;
                    return result;
                }
            }
        }
    }

    async fn try_send(
        &self,
        job: &mut Job,
        kind: &TransactionKind,
        undo: bool,
    ) -> Result<Digest, NotSent> {
        let (digest, ticket) = {
            let _turn = self.turn.lock().await;
            let epoch = self.application.now().system.epoch;
            let (signed, was_kept) = match &job.outgoing {
                Some(kept) if kept.undo == undo && kept.epoch == epoch => {
                    let signed = kept.signed.clone();
                    if self.is_displaced(&signed).await? {
                        return Err(NotSent::Waiting(transaction_digest(&signed.transaction)));
                    }
                    (signed, true)
                }
                _ => {
                    let signed = self.sign(kind.clone()).await?;
                    job.outgoing = Some(Outgoing {
                        undo,
                        epoch,
                        signed: signed.clone(),
                    });
                    self.keep(job).await?;
                    (signed, false)
                }
            };
            let digest = transaction_digest(&signed.transaction);
            match self.application.enqueue(signed).await {
                // Other nodes may have it since an earlier try.
                Err(SubmitError::Refused(
                    MempoolError::NonceInUse { .. } | MempoolError::NonceGap { .. },
                )) if was_kept => return Err(NotSent::Waiting(digest)),
                // No node had it, and another audit may be given its nonce.
                Err(error @ (SubmitError::Refused(_) | SubmitError::Chain(_))) if !was_kept => {
                    job.outgoing = None;
                    return Err(error.into());
                }
                ticket => (digest, ticket?),
            }
        };
        let submitted = match ticket.receipt(WAIT).await {
            // Only this node dropped it.
            Err(SubmitError::Dropped(DropReason::Replaced { .. })) => {
                return Err(NotSent::Waiting(digest));
            }
            submitted => submitted?,
        };
        let receipt = submitted.receipt.ok_or(NotSent::Waiting(digest))?;
        match receipt.status {
            ExecutionStatus::Success => Ok(digest),
            ExecutionStatus::Failure { error } => Err(NotSent::Failed {
                transaction: digest,
                error,
            }),
        }
    }

    async fn keep(&self, job: &Job) -> Result<(), NotSent> {
        let (journal, job) = (Arc::clone(&self.journal), job.clone());
        Ok(self.blocking.run(move || journal.save(&job)).await??)
    }

    /// True while another transaction with its nonce waits here, which it would replace.
    async fn is_displaced(&self, signed: &SignedTransaction) -> Result<bool, NotSent> {
        let application = Arc::clone(&self.application);
        let digest = transaction_digest(&signed.transaction);
        let (sender, nonce) = (signed.transaction.sender, signed.transaction.nonce);
        let look = move || -> Result<_, ChainError> {
            let next = application.chain().reader().account(&sender)?.nonce;
            let mempool = application.mempool();
            let is_free = mempool.next_nonce(&sender, nonce) == nonce;
            Ok(next <= nonce && !is_free && !mempool.contains(&digest))
        };
        let is_displaced = self.blocking.run(look).await?;
        Ok(is_displaced.map_err(SubmitError::from)?)
    }

    async fn sign(&self, kind: TransactionKind) -> Result<SignedTransaction, NotSent> {
        let (application, sender) = (Arc::clone(&self.application), self.address());
        let read = move || -> Result<_, ChainError> {
            let reader = application.chain().reader();
            let account = reader.account(&sender)?;
            let height = reader.head().header.height;
            drop(reader);
            Ok(Transaction {
                chain_id: application.chain().chain_id(),
                sender,
                nonce: application.mempool().next_nonce(&sender, account.nonce),
                expiry_height: height.saturating_add(EXPIRY_BLOCKS),
                kind,
            })
        };
        let read = self.blocking.run(read).await?;
        let transaction = read.map_err(SubmitError::from)?;
        Ok(sign(transaction, &self.key))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use soma_chain::{ChainConfig, MemoryStore};
    use soma_consensus::application::BuildRequest;
    use soma_consensus::{Application as _, ChainApplication, ChainRules};
    use soma_tests::world::{Setup, World};
    use soma_types::{Certificate, Epoch, TargetId};

    use super::*;
    use crate::application::{NodeChain, wall_clock_ms};
    use crate::audit::job::Subject;
    use crate::mempool::MempoolConfig;
    use crate::store::NodeStore;

    fn duty(world: &World) -> TransactionKind {
        let validator = world.validators[1];
        TransactionKind::ReportValidator { validator }
    }

    /// What the operator sends by hand with the validator's first nonce.
    fn by_hand(outbox: &Outbox, world: &World) -> SignedTransaction {
        let validator = world.validators[2];
        let transaction = Transaction {
            chain_id: outbox.application.chain().chain_id(),
            sender: outbox.address(),
            nonce: 0,
            expiry_height: 100,
            kind: TransactionKind::ReportValidator { validator },
        };
        sign(transaction, &outbox.key)
    }

    async fn until_taken(application: &Application) {
        while application.size().transactions == 0 {
            tokio::task::yield_now().await;
        }
    }

    fn application(world: &World, mempool: MempoolConfig) -> Arc<Application> {
        let store = NodeStore::Memory(MemoryStore::new());
        let chain = NodeChain::open(store, &world.genesis, ChainConfig::default()).unwrap();
        Arc::new(Application::new(Arc::new(chain), mempool))
    }

    fn outbox(application: &Arc<Application>, journal: &Arc<Journal>, world: &World) -> Outbox {
        Outbox::new(
            Arc::clone(application),
            Arc::clone(journal),
            world.keys[&world.validators[0]].clone(),
            Blocking::default(),
        )
    }

    async fn make_block(application: &Arc<Application>) -> usize {
        let application = Arc::clone(application);
        let made = tokio::task::spawn_blocking(move || {
            let (chain, source) = (Arc::clone(application.chain()), Arc::clone(&application));
            let proposer = chain.genesis().validators[0].address;
            let blocks = ChainApplication::new(chain, source, proposer, ChainRules::default());
            let height = application.now().height() + 1;
            let payload = blocks.build(BuildRequest {
                height,
                deadline: Instant::now() + Duration::from_secs(60),
                evidence: Vec::new(),
            });
            let payload = payload.unwrap();
            let certificate = Certificate {
                height,
                round: 0,
                block: payload.id().0,
                signatures: Default::default(),
            };
            blocks.commit(&payload, &certificate).unwrap();
            payload.block.transactions.len()
        });
        made.await.unwrap()
    }

    #[tokio::test]
    async fn a_replaced_transaction_is_kept_until_the_chain_used_its_nonce() {
        let world = World::with(Setup {
            time_ms: wall_clock_ms(),
            ..Setup::default()
        });
        let application = application(&world, MempoolConfig::default());
        let store = NodeStore::Memory(MemoryStore::new());
        let chain_id = application.chain().chain_id();
        let journal = Arc::new(Journal::open(store, chain_id).unwrap());
        let target = TargetId([1; 32]);
        let (mut job, _) = journal.add(Subject::Fill { target }, Epoch(0), 0).unwrap();
        let outbox = outbox(&application, &journal, &world);
        let replace = async {
            until_taken(&application).await;
            let other = by_hand(&outbox, &world);
            application.enqueue(other).await.unwrap();
        };
        let (sent, ()) = tokio::join!(outbox.send(&mut job, duty(&world), false), replace);
        let outgoing = job.outgoing.clone().unwrap();
        let first = transaction_digest(&outgoing.signed.transaction);
        assert!(matches!(sent, Err(NotSent::Waiting(digest)) if digest == first));

        // It does not replace the other in turn.
        let sent = outbox.send(&mut job, duty(&world), false).await;
        assert!(matches!(sent, Err(NotSent::Waiting(digest)) if digest == first));
        assert!(!application.mempool().contains(&first));
        assert_eq!(application.size().transactions, 1);

        // Now it can never be executed.
        assert_eq!(make_block(&application).await, 1);
        let (sent, count) = tokio::join!(outbox.send(&mut job, duty(&world), false), async {
            until_taken(&application).await;
            make_block(&application).await
        });
        assert_ne!(sent.unwrap(), first);
        assert_eq!((count, job.outgoing), (1, None));
    }

    #[tokio::test]
    async fn what_was_never_taken_is_forgotten_and_keeps_no_nonce() {
        let world = World::with(Setup {
            time_ms: wall_clock_ms(),
            ..Setup::default()
        });
        let mempool = MempoolConfig {
            max_sender_duties: 1,
            ..MempoolConfig::default()
        };
        let application = application(&world, mempool);
        let store = NodeStore::Memory(MemoryStore::new());
        let chain_id = application.chain().chain_id();
        let journal = Arc::new(Journal::open(store, chain_id).unwrap());
        let mut jobs = [1, 2].map(|byte| {
            let target = TargetId([byte; 32]);
            let added = journal.add(Subject::Fill { target }, Epoch(0), 0);
            added.unwrap().0
        });
        let outbox = outbox(&application, &journal, &world);
        let first = by_hand(&outbox, &world);
        application.enqueue(first).await.unwrap();
        for job in &mut jobs {
            let sent = outbox.send(job, duty(&world), false).await;
            assert!(matches!(sent, Err(NotSent::Refused(error)) if error.is_retryable()));
            assert_eq!(job.outgoing, None);
        }
        assert_eq!(make_block(&application).await, 1);
        let validator = world.validators[1];
        let undo = TransactionKind::UndoReportValidator { validator };
        for (job, kind) in jobs.iter_mut().zip([duty(&world), undo]) {
            let (sent, count) = tokio::join!(outbox.send(job, kind, false), async {
                until_taken(&application).await;
                make_block(&application).await
            });
            sent.unwrap();
            assert_eq!(count, 1);
        }
    }

    #[tokio::test]
    async fn after_a_restart_the_kept_transaction_is_sent_and_not_another() {
        let world = World::with(Setup {
            time_ms: wall_clock_ms(),
            ..Setup::default()
        });
        let application = application(&world, MempoolConfig::default());
        let store = NodeStore::Memory(MemoryStore::new());
        let chain = application.chain().chain_id();
        let journal = Arc::new(Journal::open(store, chain).unwrap());
        let target = TargetId([1; 32]);
        let (mut job, _) = journal.add(Subject::Fill { target }, Epoch(0), 0).unwrap();
        // No block comes: the node ends while the transaction waits.
        let first = outbox(&application, &journal, &world);
        tokio::select! {
            sent = first.send(&mut job, duty(&world), false) => panic!("{sent:?}"),
            () = until_taken(&application) => {}
        }
        let kept = journal.get(job.id).unwrap().unwrap();
        let outgoing = kept.outgoing.clone().unwrap();
        let digest = transaction_digest(&outgoing.signed.transaction);

        // It waits still.
        let second = outbox(&application, &journal, &world);
        let mut again = kept.clone();
        let (sent, count) = tokio::join!(second.send(&mut again, duty(&world), false), async {
            make_block(&application).await
        });
        assert_eq!((sent.unwrap(), count), (digest, 1));
        assert_eq!(again.outgoing, None);

        // It is in a block.
        let mut later = kept.clone();
        let sent = second.send(&mut later, duty(&world), false).await;
        assert_eq!(
            (sent.unwrap(), application.size().transactions),
            (digest, 0)
        );

        // Its nonce went to something else: a new one is signed.
        let mut lost = kept;
        if let Some(outgoing) = &mut lost.outgoing {
            let other = Transaction {
                expiry_height: 5,
                ..outgoing.signed.transaction.clone()
            };
            outgoing.signed = sign(other, &second.key);
        }
        let validator = world.validators[1];
        let other = TransactionKind::UndoReportValidator { validator };
        let (sent, count) = tokio::join!(second.send(&mut lost, other, false), async {
            until_taken(&application).await;
            make_block(&application).await
        });
        assert_ne!(sent.unwrap(), digest);
        assert_eq!(count, 1);
    }
}
