//! The chain as the node's parts see it: one door for submitting transactions and for learning what
//! was committed. Consensus takes its blocks' content from here.
//!
//! Everything that may touch the chain's lock or the disk is a plain function and is called from
//! a blocking thread; [`Application::now`] and [`Application::size`] may be called anywhere.

mod blocks;
mod error;
mod gossip;
mod source;
mod submit;
mod waiters;

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use soma_chain::{Chain, ChainError, CommittedBlock, Head};
use soma_crypto::Verifier;
use soma_crypto::transaction::{TransactionError, VerifiedTransaction, verify_with};
use soma_types::time::Height;
use soma_types::{Epoch, Parameters, SignedTransaction, SystemState, TimestampMs};
use tokio::sync::{Notify, watch};

use crate::mempool::{Mempool, MempoolConfig, MempoolSize};
use crate::metrics::Metrics;
use crate::snapshots::EpochEnds;
use crate::store::NodeStore;

pub use blocks::RecentBlocks;
pub use error::SubmitError;
pub(crate) use gossip::Gossip;
pub use submit::{Submitted, Ticket};
use waiters::Waiters;

/// Keys of senders whose signatures are quicker to check.
const REMEMBERED_KEYS: usize = 10_000;

/// The chain of a node.
pub type NodeChain = Chain<NodeStore>;

/// What follows from the newest block and is asked for all the time.
#[derive(Clone, Debug)]
pub struct Now {
    /// The newest block.
    pub head: Head,
    /// The system state after it.
    pub system: SystemState,
    /// The parameters in force.
    pub parameters: Arc<Parameters>,
    /// Active models; without any, no target can be drawn.
    pub active_models: usize,
}

impl Now {
    fn of(chain: &NodeChain) -> Self {
        Self {
            head: chain.head(),
            system: chain.system(),
            parameters: chain.parameters(),
            active_models: chain.active_models(),
        }
    }

    /// Height of the newest block.
    pub fn height(&self) -> Height {
        self.head.header.height
    }

    /// When the current epoch ends by time.
    pub fn epoch_end_ms(&self) -> TimestampMs {
        self.system
            .epoch_start_ms
            .saturating_add(self.parameters.epoch_duration_ms)
    }
}

/// The chain, its mempool and those who wait for blocks.
pub struct Application {
    chain: Arc<NodeChain>,
    mempool: Mempool,
    verifier: Verifier,
    metrics: Metrics,
    gossip: Gossip,
    /// The mempool had nothing that fits into a block: only an arrival helps.
    starved: AtomicBool,
    now: watch::Sender<Arc<Now>>,
    recent: RecentBlocks,
    waiters: Waiters,
    epoch_to_end: Mutex<Option<Epoch>>,
    wake: Arc<Notify>,
    epoch_ends: EpochEnds,
    started: Instant,
}

impl Application {
    /// Takes over `chain`.
    pub fn new(chain: Arc<NodeChain>, mempool: MempoolConfig) -> Self {
        let now = Now::of(&chain);
        let metrics = Metrics::default();
        metrics.height.set(now.height());
        metrics.epoch.set(now.system.epoch.0);
        Self {
            mempool: Mempool::new(mempool),
            verifier: Verifier::new(REMEMBERED_KEYS),
            metrics,
            gossip: Gossip::default(),
            starved: AtomicBool::new(false),
            now: watch::Sender::new(Arc::new(now)),
            recent: RecentBlocks::default(),
            waiters: Waiters::default(),
            epoch_to_end: Mutex::new(None),
            wake: Arc::default(),
            epoch_ends: EpochEnds::default(),
            started: Instant::now(),
            chain,
        }
    }

    /// Checks a signature, which is quicker for senders seen before.
    fn check(&self, signed: SignedTransaction) -> Result<VerifiedTransaction, TransactionError> {
        verify_with(&self.verifier, signed)
    }

    /// The chain, for reads. Call it from blocking threads only.
    pub fn chain(&self) -> &Arc<NodeChain> {
        &self.chain
    }

    /// The waiting transactions.
    pub fn mempool(&self) -> &Mempool {
        &self.mempool
    }

    /// The node's numbers.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Who takes the state at the ends of epochs.
    pub(crate) fn epoch_ends(&self) -> &EpochEnds {
        &self.epoch_ends
    }

    /// What follows from the newest block.
    pub fn now(&self) -> Arc<Now> {
        self.now.borrow().clone()
    }

    /// Changes with every block.
    pub fn watch(&self) -> watch::Receiver<Arc<Now>> {
        self.now.subscribe()
    }

    /// How full the mempool is.
    pub fn size(&self) -> MempoolSize {
        self.mempool.size()
    }

    /// Time since the node started.
    pub fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    /// Asks for the end of `epoch`; nothing happens when it is over already, or when the genesis
    /// does not allow it.
    pub fn end_epoch(&self, epoch: Epoch) {
        if self.chain.genesis().allow_forced_epochs {
            *self.lock_epoch() = Some(epoch);
            self.wake.notify_one();
        }
    }

    /// True when the current epoch was asked to end.
    pub fn is_epoch_to_end(&self) -> bool {
        *self.lock_epoch() == Some(self.now().system.epoch)
    }

    /// A committed block with its receipts and events; none when it is unknown or was dropped.
    ///
    /// # Errors
    /// When the store fails.
    pub fn block(&self, height: Height) -> Result<Option<Arc<CommittedBlock>>, ChainError> {
        match self.recent.get(height) {
            Some(block) => Ok(Some(block)),
            None => blocks::stored(&self.chain, height),
        }
    }

    fn lock_epoch(&self) -> std::sync::MutexGuard<'_, Option<Epoch>> {
        self.epoch_to_end
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
impl Application {
    /// In memory, before the first block.
    pub(crate) fn at_genesis(genesis: &soma_types::Genesis) -> Arc<Self> {
        let store = NodeStore::Memory(soma_chain::MemoryStore::new());
        let chain = NodeChain::open(store, genesis, soma_chain::ChainConfig::default()).unwrap();
        Arc::new(Self::new(Arc::new(chain), MempoolConfig::default()))
    }
}

/// The wall clock in milliseconds since 1970; 0 for a clock before that.
pub fn wall_clock_ms() -> TimestampMs {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|passed| u64::try_from(passed.as_millis()).ok())
        .unwrap_or(0)
}
