//! Transactions that wait for a block.
//!
//! ```text
//! verified transaction ──insert──▶ sender's queue (by nonce) ──pick──▶ proposal ──▶ block
//!      │ refused: MempoolError          │                                            │
//!      ▼                                └──◀── on_block: executed, expired, aged ────┘
//!                                       └──▶ Dropped, with its reason, to who waits for it
//! ```
//!
//! # Rules
//! - A sender's transactions are executed in the order of their nonces. One whose nonces before
//!   it are missing is *parked*: it waits, but it is never picked. Parked transactions may take
//!   only a part of the room, so that they cannot keep out what can be executed now.
//! - Sending the same transaction again is not an error. Another transaction with the same nonce
//!   replaces the waiting one, because there are no gas prices by which one could be better: the
//!   newest is what the sender wants now. Once a transaction was picked for a proposal it can no
//!   longer be replaced until that height is decided.
//! - Between senders the order is fair: everybody's first transaction comes before anybody's
//!   second, and among equals the one that arrived first.
//! - Room is limited in number and bytes, for each sender and for all. Nothing is evicted for a
//!   newcomer. A transaction leaves with its block, after its expiry height, when its nonce was
//!   used, or after [`MempoolConfig::max_age_blocks`]. Whatever leaves without a block is given
//!   back as [`Dropped`], so that nobody waits for it in vain.
//! - The sender must be able to pay the base fee of all that it has waiting, unless it is a
//!   validator doing its duty.

mod config;
mod dropped;
mod error;
mod pool;
mod queue;
#[cfg(test)]
mod tests;

use std::sync::{Mutex, PoisonError};

use soma_crypto::transaction::{VerifiedTransaction, transaction_digest};
use soma_types::time::Height;
use soma_types::{Address, ChainId, Digest, Shannons, SignedTransaction};

pub use config::MempoolConfig;
pub use dropped::{DropReason, Dropped};
pub use error::MempoolError;
use pool::Pool;
pub use soma_consensus::application::PickLimits;

/// What admission must know of the sender, as of the newest block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderFacts {
    /// The nonce of its next transaction.
    pub nonce: u64,
    /// What it can spend.
    pub balance: Shannons,
    /// Whether it is a member of a committee whose duties are free.
    pub is_validator: bool,
}

/// What admission must know of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainFacts {
    /// The chain.
    pub chain_id: ChainId,
    /// Height of the next block.
    pub next_height: Height,
    /// Fee of every transaction.
    pub base_fee: Shannons,
    /// Largest transaction in bytes.
    pub max_transaction_bytes: u64,
}

/// What an insertion did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// It waits now.
    Added,
    /// It waited already.
    Known,
    /// It took the place of another transaction with the same nonce.
    Replaced(Dropped),
}

/// A transaction of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Executed<'a> {
    /// Its sender.
    pub sender: &'a Address,
    /// Its nonce.
    pub nonce: u64,
    /// Its digest.
    pub digest: Digest,
}

/// How full the mempool is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MempoolSize {
    /// Waiting transactions.
    pub transactions: usize,
    /// Those with no gap in their sender's nonces.
    pub ready: usize,
    /// Bytes of all.
    pub bytes: usize,
    /// Senders of all.
    pub senders: usize,
}

/// The mempool. All methods take `&self`; share it in an `Arc`.
#[derive(Debug)]
pub struct Mempool {
    config: MempoolConfig,
    pool: Mutex<Pool>,
}

impl Mempool {
    /// An empty mempool.
    pub fn new(config: MempoolConfig) -> Self {
        Self {
            pool: Mutex::new(Pool::new(config.clone())),
            config,
        }
    }

    /// Its limits.
    pub fn config(&self) -> &MempoolConfig {
        &self.config
    }

    /// Takes a transaction.
    ///
    /// `facts` reads the chain; it is called again when a block was committed meanwhile, so that
    /// admission never works with a nonce older than what [`Mempool::on_block`] was told.
    ///
    /// # Errors
    /// [`MempoolError`] when it cannot wait here; an error of `facts`.
    pub fn insert<E: From<MempoolError>>(
        &self,
        transaction: VerifiedTransaction,
        mut facts: impl FnMut(&Address) -> Result<(SenderFacts, ChainFacts), E>,
    ) -> Result<Inserted, E> {
        loop {
            if self.lock().contains(&transaction.digest()) {
                return Ok(Inserted::Known);
            }
            let (sender, chain) = facts(&transaction.transaction.sender)?;
            let mut pool = self.lock();
            if chain.next_height <= pool.height() {
                continue;
            }
            return Ok(pool.insert(transaction, &sender, &chain)?);
        }
    }

    /// Transactions for a block, in order: no gap in any sender's nonces, fair between senders.
    /// `nonce_of` gives the next nonce of a sender on the chain; what does not fit it is left.
    pub fn pick(
        &self,
        limits: PickLimits,
        nonce_of: impl FnMut(&Address) -> Option<u64>,
    ) -> Vec<VerifiedTransaction> {
        self.lock().pick(limits, nonce_of)
    }

    /// Forgets what block `height` executed or made impossible, and gives back the latter.
    pub fn on_block<'a>(
        &self,
        height: Height,
        executed: impl IntoIterator<Item = Executed<'a>>,
    ) -> Vec<Dropped> {
        self.lock().on_block(height, executed)
    }

    /// Drops the transactions of a proposal that could not be executed.
    pub fn remove(&self, digests: &[Digest]) -> Vec<Dropped> {
        let mut pool = self.lock();
        digests.iter().filter_map(|d| pool.remove(d)).collect()
    }

    /// True while the transaction waits here.
    pub fn contains(&self, digest: &Digest) -> bool {
        self.lock().contains(digest)
    }

    /// The waiting transaction with this digest.
    pub fn get(&self, digest: &Digest) -> Option<VerifiedTransaction> {
        self.lock().get(digest)
    }

    /// The nonce that a new transaction of `sender` should have, whose next nonce on the chain is
    /// `account_nonce`: after all that wait without a gap.
    pub fn next_nonce(&self, sender: &Address, account_nonce: u64) -> u64 {
        self.lock().next_nonce(sender, account_nonce)
    }

    /// How full it is.
    pub fn size(&self) -> MempoolSize {
        self.lock().size()
    }

    /// The waiting transaction that is equal to `signed`, whose signature was checked then.
    pub fn verified(&self, signed: &SignedTransaction) -> Option<VerifiedTransaction> {
        let digest = transaction_digest(&signed.transaction);
        let found = self.lock().get(&digest)?;
        (*found == *signed).then_some(found)
    }

    /// Up to `count` of the transactions that could be executed now and waited at the last call
    /// already, in turns: those that were not given for the longest time.
    pub fn resend(&self, count: usize) -> Vec<SignedTransaction> {
        self.lock().resend(count)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Pool> {
        // A panic while locked leaves at worst an entry that the next block sweeps.
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
