//! Where a node's blocks get their content from.

use std::sync::Arc;
use std::time::Instant;

use soma_chain::CommittedBlock;
use soma_crypto::transaction::{TransactionError, VerifiedTransaction, verify};
use soma_types::{Address, Digest, Height, SignedTransaction, TimestampMs};
use tokio::sync::Notify;

use crate::peers::Publisher;

/// How much a block may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PickLimits {
    /// The block's height: a transaction must not expire before it.
    pub height: Height,
    /// Transactions.
    pub transactions: usize,
    /// Bytes of all transactions.
    pub bytes: usize,
}

/// The next nonce of an account; none when it cannot be read.
pub type Nonces<'a> = &'a dyn Fn(&Address) -> Option<u64>;

/// A node's mempool and clock.
pub trait BlockSource: Send + Sync + 'static {
    /// Transactions for the next block, each with the next nonce of its sender.
    fn pick(&self, limits: PickLimits, nonces: Nonces<'_>) -> Vec<VerifiedTransaction>;

    /// True when [`BlockSource::pick`] would give something.
    fn has_transactions(&self) -> bool;

    /// True when the epoch is to end with the next block. Only of use on chains whose genesis
    /// allows it.
    fn is_epoch_to_end(&self) -> bool {
        false
    }

    /// Notified when one of the two above has become true.
    fn wake(&self) -> Arc<Notify>;

    /// The wall clock.
    fn now_ms(&self) -> TimestampMs;

    /// The clock that waits are measured with; it never goes back.
    fn now(&self) -> Instant {
        Instant::now()
    }

    /// Checks a transaction's signature; a node that remembers what it checked answers faster.
    ///
    /// # Errors
    /// When the signature does not hold.
    fn verify(&self, signed: &SignedTransaction) -> Result<VerifiedTransaction, TransactionError> {
        verify(signed.clone())
    }

    /// Takes transactions that `publisher` passed on. Nothing about them is checked; whoever finds
    /// one that its sender did not sign blames the publisher.
    fn receive(&self, transactions: Vec<SignedTransaction>, publisher: Publisher);

    /// Drops transactions with which a block of this node could not be executed.
    fn drop_failed(&self, transactions: &[Digest]);

    /// Hears of a committed block, in order of height, once.
    fn on_commit(&self, block: &Arc<CommittedBlock>);
}
