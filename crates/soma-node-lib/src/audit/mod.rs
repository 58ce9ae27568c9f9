//! The audit: a validator checks what others claim, and tells the chain what does not hold.
//!
//! # The path of an audit
//! ```text
//! block, or the state at the start ─▶ find ─▶ journal (a job, on disk)
//!                                               │ runner: when it is due
//!                                               ▼
//!    data by the blob cache, scores by a scorer ─▶ check ─▶ soma_audit: honest, report, undecided
//!                                                              │            │         │
//!            report, or take one back  ◀─ outbox ◀─ settle ◀───┴────────────┘    try again later
//! ```
//! A reported subject is checked once more before it is too late, and whenever somebody challenges
//! it; a report that does not hold is taken back.
//!
//! # Invariants
//! - This validator's own trouble (scorer, disk, network) is never a report, however long it lasts.
//! - A report is on chain at most once: what is there is read before anything is sent, and a
//!   transaction is on disk before it is sent.
//! - A restart forgets nothing: what is open is in the journal, and what is new is in the state.
//!
//! # Reading order
//! [`AuditConfig`], `job`, `find`, `runner`, `step`, `check`, `settle`, `outbox`, `journal`, `view`.

mod blocking;
mod check;
mod config;
mod facts;
mod failure;
mod find;
mod job;
mod journal;
mod metrics;
mod outbox;
mod runner;
mod sample;
mod scorer;
mod settle;
mod step;
mod view;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use soma_chain::{SledStore, StoreError};
use soma_crypto::SecretKey;
use soma_types::{Address, ChainId};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::application::Application;
use crate::blobs::Blobs;
use crate::store::NodeStore;

pub use config::AuditConfig;
pub use job::{Decision, Job, Phase, Subject};
pub use journal::{AuditFilter, Journal};
pub use metrics::AuditMetrics;
pub use view::claim;

use blocking::Blocking;
use find::Finder;
use outbox::Outbox;
use runner::Runner;
use sample::Sample;
use scorer::Scorers;
use step::Context;

/// Memory for the journal's page cache in bytes.
const CACHE_BYTES: u64 = 8 << 20;

/// What others may read of the audit. Clones share everything.
#[derive(Clone)]
pub struct AuditReader {
    /// The audits of this node.
    pub journal: Arc<Journal>,
    /// The validator in whose name they are made.
    pub validator: Address,
}

/// The audit of a node.
pub struct Audit {
    runner: Runner,
    reader: AuditReader,
}

impl Audit {
    /// Opens the journal in `data_dir`, or in memory. Blocks the thread.
    ///
    /// # Errors
    /// When the store fails.
    pub fn open_journal(data_dir: Option<&Path>, chain: ChainId) -> Result<Journal, StoreError> {
        let store = match data_dir {
            Some(dir) => NodeStore::Disk(SledStore::open(dir.join("audit"), CACHE_BYTES)?),
            None => NodeStore::Memory(soma_chain::MemoryStore::new()),
        };
        Journal::open(store, chain)
    }

    /// An audit in the name of `key`'s validator, by the scorers of `config`.
    ///
    /// # Errors
    /// When the system gives no HTTP client.
    pub fn new(
        application: Arc<Application>,
        journal: Journal,
        blobs: Blobs,
        key: SecretKey,
        config: AuditConfig,
    ) -> Result<Self, reqwest::Error> {
        let journal = Arc::new(journal);
        let blocking = Blocking::default();
        let timeout = Duration::from_millis(config.scorer_timeout_ms);
        let reader = AuditReader {
            journal: Arc::clone(&journal),
            validator: key.address(),
        };
        let finder = Finder {
            application: Arc::clone(&application),
            journal: Arc::clone(&journal),
            blobs: blobs.clone(),
            sample: Sample::new(&key, config.sample_bps),
            validator: key.address(),
        };
        let outbox = Outbox::new(
            Arc::clone(&application),
            Arc::clone(&journal),
            key,
            blocking.clone(),
        );
        let context = Context {
            scorers: Scorers::new(&config.scorer, timeout, blobs.is_local())?,
            metrics: application.metrics().audit.clone(),
            application,
            journal,
            blobs,
            outbox,
            config,
            blocking,
        };
        Ok(Self {
            runner: Runner::new(Arc::new(context), finder),
            reader,
        })
    }

    /// What others may read.
    pub fn reader(&self) -> AuditReader {
        self.reader.clone()
    }

    /// Audits until `stop`.
    pub fn start(self, stop: CancellationToken) -> JoinHandle<()> {
        let Self { runner, reader } = self;
        tracing::info!(validator = %reader.validator, "audit starts");
        tokio::spawn(runner.run(stop))
    }
}
