//! A node's chain whose blocks a test makes by hand, without votes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use soma_chain::{Chain, ChainConfig, CommittedBlock, MemoryStore, VerifiedProposal};
use soma_consensus::application::BuildRequest;
use soma_consensus::{Application as _, BlockSource as _, ChainApplication, ChainRules};
use soma_crypto::transaction::verify;
use soma_node::Application;
use soma_node::mempool::MempoolConfig;
use soma_node::store::NodeStore;
use soma_types::bounded::BoundedVec;
use soma_types::{Certificate, Genesis, SignedTransaction};

/// The chain, its mempool, and who makes its blocks.
pub(crate) struct ByHand {
    pub(crate) application: Arc<Application>,
    blocks: ChainApplication<NodeStore, Application>,
}

impl ByHand {
    /// A new chain; the first validator of its genesis proposes all blocks.
    pub(crate) fn new(genesis: &Genesis) -> Self {
        let store = NodeStore::Memory(MemoryStore::new());
        let chain = Chain::open(store, genesis, ChainConfig::default()).unwrap();
        let chain = Arc::new(chain);
        let application = Application::new(Arc::clone(&chain), MempoolConfig::default());
        let application = Arc::new(application);
        let proposer = genesis.validators[0].address;
        let source = Arc::clone(&application);
        let rules = ChainRules::default();
        Self {
            blocks: ChainApplication::new(chain, source, proposer, rules),
            application,
        }
    }

    /// The next block from the mempool.
    pub(crate) fn next(&self) -> Arc<CommittedBlock> {
        let height = self.blocks.head().header.height + 1;
        let payload = self.blocks.build(BuildRequest {
            height,
            deadline: Instant::now() + Duration::from_secs(60),
            evidence: Vec::new(),
        });
        let payload = payload.unwrap();
        let certificate = Certificate {
            height,
            round: 0,
            block: payload.id().0,
            signatures: BoundedVec::default(),
        };
        self.blocks.commit(&payload, &certificate).unwrap();
        self.application.block(height).unwrap().unwrap()
    }

    /// A block of exactly these transactions, in this order, as its proposer may choose.
    pub(crate) fn block(&self, transactions: &[SignedTransaction]) -> Arc<CommittedBlock> {
        let (chain, head) = (self.application.chain(), self.blocks.head());
        let transactions = transactions.iter().map(|one| verify(one.clone()).unwrap());
        let executed = chain.execute(&VerifiedProposal {
            height: head.header.height + 1,
            time_ms: head.header.time_ms + 1,
            parent: head.digest,
            proposer: chain.genesis().validators[0].address,
            transactions: transactions.collect(),
            misbehavior: Vec::new(),
            end_epoch: false,
        });
        let committed = chain.commit(executed.unwrap()).unwrap();
        self.application.on_commit(&committed);
        committed
    }
}
