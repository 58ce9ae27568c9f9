//! The chain: committed state, execution on top of it, commit.

mod open;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

use soma_crypto::transaction::transaction_digest;

use soma_targets::ModelIndex;
use soma_types::block::MAX_BLOCK_EVIDENCE;
use soma_types::bounded::BoundedVec;
use soma_types::codec::encode;
use soma_types::{
    Block, Certificate, ChainId, Digest, Epoch, Event, Evidence, Genesis, Header, Height,
    Parameters, Receipt, SystemState, Transaction,
};

use crate::commit::{Diff, write_block, write_finality};
use crate::error::{BlockError, ChainError, GenesisError};
use crate::execute::{self, Execution, Parent, VerifiedProposal};
use crate::header;
use crate::key::Key;
use crate::light::Handover;
use crate::proof::StateProof;
use crate::reader::Reader;
use crate::rows;
use crate::rules::Rules;
use crate::state::Failure;
use crate::store::{Batch, Store};
use crate::tree::{StateTree, TreeUpdate, tree_error};

/// What a chain keeps.
#[derive(Clone, Copy, Debug)]
pub struct ChainConfig {
    /// Blocks to keep, with receipts and events; all when none.
    pub keep_blocks: Option<u64>,
    /// Past heights whose state can still be proven, besides the head's.
    pub keep_states: u64,
}

impl Default for ChainConfig {
    fn default() -> Self {
        Self {
            keep_blocks: None,
            keep_states: 16,
        }
    }
}

/// The newest committed block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its header.
    pub header: Header,
    /// Its digest.
    pub digest: Digest,
}

/// A block that was executed and can be committed.
pub struct ExecutedBlock {
    /// The block.
    pub block: Block,
    /// Digest of its header.
    pub digest: Digest,
    /// What its transactions did.
    pub receipts: Vec<Receipt>,
    /// What happened.
    pub events: Vec<Event>,
    transactions: Vec<Digest>,
    diff: Diff,
    tree: TreeUpdate,
    system: SystemState,
    parameters: Arc<Parameters>,
}

/// A committed block.
#[derive(Clone, Debug)]
pub struct CommittedBlock {
    /// The block.
    pub block: Block,
    /// Digest of its header.
    pub digest: Digest,
    /// What its transactions did.
    pub receipts: Vec<Receipt>,
    /// What happened.
    pub events: Vec<Event>,
}

/// What a consensus engine adds to a block: none of it is part of the block or the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finality {
    /// Proof that the block is final.
    pub certificate: Certificate,
    /// Proofs of the misbehaviour that the block names, in its order.
    pub evidence: BoundedVec<Evidence, MAX_BLOCK_EVIDENCE>,
}

/// What follows from the committed state and is held in memory.
pub(crate) struct Committed {
    pub(crate) head: Head,
    pub(crate) system: SystemState,
    pub(crate) parameters: Arc<Parameters>,
    pub(crate) models: ModelIndex,
    pub(crate) tree: StateTree,
    /// The height of the tree's last write: undo records after it are needed to bring it back.
    pub(crate) tree_height: Height,
}

/// A chain on a store. Share it in an [`Arc`]; every method takes `&self`.
pub struct Chain<S> {
    pub(crate) store: S,
    pub(crate) config: ChainConfig,
    genesis: Genesis,
    rules: Rules,
    committed: RwLock<Committed>,
    /// Heights whose states are being read, with the number of readers.
    pub(crate) pins: Mutex<BTreeMap<Height, usize>>,
}

impl<S: Store> Chain<S> {
    /// Opens the chain of `genesis` in `store`, or starts it there.
    ///
    /// # Errors
    /// A genesis that cannot start a chain, a store of another chain, or a store that fails.
    pub fn open(store: S, genesis: &Genesis, config: ChainConfig) -> Result<Self, ChainError> {
        let rules = Rules::new(genesis).map_err(GenesisError::from)?;
        Self::open_with_rules(store, genesis, rules, config)
    }

    /// As [`Chain::open`], with a parameter table of one's own in `rules`.
    ///
    /// # Errors
    /// As [`Chain::open`].
    pub fn open_with_rules(
        store: S,
        genesis: &Genesis,
        rules: Rules,
        config: ChainConfig,
    ) -> Result<Self, ChainError> {
        let committed = match store.get(&rows::HEAD)? {
            Some(bytes) => open::reopen(&store, &rules, &bytes)?,
            None => open::start(&store, genesis, &rules)?,
        };
        Ok(Self {
            store,
            config,
            genesis: genesis.clone(),
            rules,
            committed: RwLock::new(committed),
            pins: Mutex::default(),
        })
    }

    pub(crate) fn committed(&self) -> RwLockReadGuard<'_, Committed> {
        self.committed
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The genesis.
    pub fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// The chain's id: the digest of its genesis.
    pub fn chain_id(&self) -> ChainId {
        self.rules.chain_id
    }

    /// The rules that the genesis fixed.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The newest committed block.
    pub fn head(&self) -> Head {
        self.committed().head
    }

    /// The system state after the newest block.
    pub fn system(&self) -> SystemState {
        self.committed().system
    }

    /// The parameters of the current epoch.
    pub fn parameters(&self) -> Arc<Parameters> {
        Arc::clone(&self.committed().parameters)
    }

    /// Number of active models: without any, no targets can be drawn.
    pub fn active_models(&self) -> usize {
        self.committed().models.len()
    }

    /// Typed reads of the committed state. Blocks wait while it is held: keep it short.
    pub fn reader(&self) -> Reader<'_, S> {
        Reader::new(self, self.committed())
    }

    /// Executes a block on the head. Changes nothing until [`Chain::commit`].
    ///
    /// # Errors
    /// [`BlockError`]; see [`BlockError::is_fatal`] for when the node must stop.
    pub fn execute(&self, proposal: &VerifiedProposal) -> Result<ExecutedBlock, BlockError> {
        let committed = self.committed();
        let parent = &committed.head;
        header::check_place(parent, proposal)?;
        let execution = execute::execute(&self.parent(&committed), proposal)?;
        let Execution {
            changes,
            committed: seen,
            receipts,
            events,
            system,
            parameters,
        } = execution;
        let diff = Diff::of(&self.store, changes, seen)?;
        let tree = committed
            .tree
            .update(&self.store, &diff.new)
            .map_err(fatal)?;
        let epoch = committed.system.epoch;
        let transactions: Vec<Digest> = proposal
            .transactions
            .iter()
            .map(|transaction| transaction.digest())
            .collect();
        let block = header::build(
            self.rules.chain_id,
            epoch,
            proposal,
            &transactions,
            &receipts,
            tree.root,
        )?;
        let digest = header::digest(&block.header);
        Ok(ExecutedBlock {
            block,
            digest,
            receipts,
            events,
            transactions,
            diff,
            tree,
            system,
            parameters,
        })
    }

    fn parent<'a>(&'a self, committed: &'a Committed) -> Parent<'a> {
        Parent {
            store: &self.store,
            models: &committed.models,
            system: committed.system,
            parameters: Arc::clone(&committed.parameters),
            rules: &self.rules,
        }
    }

    /// Commits an executed block: one atomic batch, on disk when this returns.
    ///
    /// # Errors
    /// A block that was executed on another head, or a store that fails.
    pub fn commit(&self, executed: ExecutedBlock) -> Result<Arc<CommittedBlock>, ChainError> {
        self.commit_with(executed, None)
    }

    /// As [`Chain::commit`], and keeps what proves the block final in the same batch. That the
    /// certificate proves this block is for the caller.
    ///
    /// # Errors
    /// As [`Chain::commit`].
    pub fn commit_final(
        &self,
        executed: ExecutedBlock,
        finality: &Finality,
    ) -> Result<Arc<CommittedBlock>, ChainError> {
        self.commit_with(executed, Some(finality))
    }

    fn commit_with(
        &self,
        executed: ExecutedBlock,
        finality: Option<&Finality>,
    ) -> Result<Arc<CommittedBlock>, ChainError> {
        let mut committed = self
            .committed
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let ExecutedBlock {
            block,
            digest,
            receipts,
            events,
            transactions,
            diff,
            tree,
            system,
            parameters,
        } = executed;
        let height = block.header.height;
        if block.header.parent != committed.head.digest {
            let expected = committed.head.header.height + 1;
            return Err(ChainError::StaleBlock {
                got: height,
                expected,
            });
        }
        let block = CommittedBlock {
            block,
            digest,
            receipts,
            events,
        };
        let mut batch = Batch::default();
        write_block(&mut batch, &block, &transactions, &diff);
        let keep = self.config.keep_states;
        committed.tree.absorb(&self.store, tree, height, keep)?;
        if let Some(finality) = finality {
            write_finality(&mut batch, height, finality);
            if system.epoch != committed.system.epoch {
                let header = block.block.header;
                let handover = self.handover(&committed, header, &diff, system.epoch, finality)?;
                batch.put(rows::handover(header.epoch), encode(&handover));
            }
        }
        if committed.tree.write(&mut batch, height, false) {
            committed.tree_height = height;
        }
        self.prune(&committed, height, &mut batch)?;
        self.store.apply(batch)?;
        self.store.flush()?;

        crate::models::follow(&mut committed.models, &self.store, &diff)?;
        committed.head = Head {
            header: block.block.header,
            digest,
        };
        committed.system = system;
        committed.parameters = parameters;
        Ok(Arc::new(block))
    }

    /// How the committee of `header`, the last block of its epoch, hands over to that of `next`.
    fn handover(
        &self,
        committed: &Committed,
        header: Header,
        diff: &Diff,
        next: Epoch,
        finality: &Finality,
    ) -> Result<Handover, ChainError> {
        let key = Key::Committee(next).to_bytes();
        let value = diff.new.get(&key).cloned().flatten();
        let tree = &committed.tree;
        let proof = tree.prove(&self.store, &key, value.as_deref(), header.height)?;
        Ok(Handover {
            certificate: finality.certificate.clone(),
            committee: StateProof {
                header,
                key,
                value,
                proof: borsh::to_vec(&proof).map_err(tree_error)?,
            },
        })
    }

    /// Executes a transaction on the head without keeping anything. Signature, nonce and expiry
    /// are not checked.
    ///
    /// # Errors
    /// When the store fails.
    pub fn simulate(&self, transaction: &Transaction) -> Result<Receipt, ChainError> {
        let committed = self.committed();
        let header = &committed.head.header;
        let parent = self.parent(&committed);
        let mut state = parent.open(header.height + 1, header.time_ms + 1);
        let digest = transaction_digest(transaction);
        Ok(execute::transaction::execute(
            &mut state,
            transaction,
            digest,
            0,
        )?)
    }

    /// Writes what only memory holds, for a quick next start.
    ///
    /// # Errors
    /// When the store fails.
    pub fn flush(&self) -> Result<(), ChainError> {
        let mut committed = self
            .committed
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let height = committed.head.header.height;
        let mut batch = Batch::default();
        committed.tree.write(&mut batch, height, true);
        committed.tree_height = height;
        self.store.apply(batch)?;
        Ok(self.store.flush()?)
    }
}

fn fatal(error: ChainError) -> BlockError {
    let reason = error.to_string();
    BlockError::Fatal(Failure::Corrupt {
        key: "of the state tree".to_owned(),
        reason,
    })
}
