//! A node over a [`Chain`]: builds, checks and commits its blocks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rayon::prelude::*;
use soma_chain::header::MAX_TIME_STEP_MS;
use soma_chain::{
    BlockError, Chain, ChainError, ExecutedBlock, Finality, Head, Store, VerifiedProposal,
};
use soma_crypto::consensus::verify_evidence;
use soma_crypto::transaction::VerifiedTransaction;
use soma_types::bounded::BoundedVec;
use soma_types::{
    Address, Certificate, ChainId, Committee, Digest, Epoch, Evidence, Height, Misbehavior,
    SignedTransaction,
};
use tokio::sync::Notify;

use super::{Application, BlockSource, BuildRequest, Demand, Origin, PickLimits, Verdict};
use crate::error::ConsensusError;
use crate::payload::{MAX_OWN_EVIDENCE, Payload};
use crate::peers::Publisher;

/// Executed blocks that are kept for a commit: one for each round of a height that goes badly.
const KEPT_EXECUTED: usize = 4;

/// What a node decides by itself about blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainRules {
    /// How far a block's time may be ahead of this node's clock before it votes for it.
    pub max_clock_ahead: Duration,
    /// Time without a block after which an empty one is wanted.
    pub idle_interval: Duration,
    /// The most bytes of a block's payload. Lower than a chain's own limit, it makes this node's
    /// blocks smaller; others' are bounded by the streams that carry them.
    pub max_payload_bytes: usize,
}

impl Default for ChainRules {
    fn default() -> Self {
        Self {
            max_clock_ahead: Duration::from_secs(5),
            idle_interval: Duration::from_secs(10),
            max_payload_bytes: 8 * 1024 * 1024,
        }
    }
}

/// What is remembered between blocks.
struct Memory {
    executed: BTreeMap<Digest, ExecutedBlock>,
    last_block: Instant,
    /// Draws were pending after a block that was made for them alone: only change helps.
    draws_stuck: bool,
}

/// An [`Application`] on a chain, with a node's mempool as the source of its blocks.
pub struct ChainApplication<S, B> {
    chain: Arc<Chain<S>>,
    source: Arc<B>,
    proposer: Address,
    rules: ChainRules,
    memory: Mutex<Memory>,
}

impl<S: Store, B: BlockSource> ChainApplication<S, B> {
    /// A node that proposes as `proposer`; a node without a validator gives any address.
    pub fn new(chain: Arc<Chain<S>>, source: Arc<B>, proposer: Address, rules: ChainRules) -> Self {
        let memory = Memory {
            executed: BTreeMap::new(),
            last_block: source.now(),
            draws_stuck: false,
        };
        Self {
            chain,
            source,
            proposer,
            rules,
            memory: Mutex::new(memory),
        }
    }

    /// The chain.
    pub fn chain(&self) -> &Arc<Chain<S>> {
        &self.chain
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, error: impl Into<ChainError>) -> ConsensusError {
        ConsensusError::Chain {
            height: self.chain.head().header.height.saturating_add(1),
            error: error.into(),
        }
    }

    /// The epoch that `height` is decided in.
    fn epoch_of(&self, height: Height) -> Result<Option<Epoch>, ConsensusError> {
        let reader = self.chain.reader();
        let system = reader.system();
        if height > reader.head().header.height.saturating_add(1) {
            return Ok(None);
        }
        let mut epoch = system.epoch;
        let mut first = system.epoch_start_height;
        while height < first {
            let Some(before) = epoch.minus(1) else {
                return Ok(None);
            };
            let summary = reader.epoch_summary(before);
            let Some(summary) = summary.map_err(|error| self.failed(error))? else {
                return Ok(None);
            };
            (epoch, first) = (before, summary.first_height);
        }
        Ok(Some(epoch))
    }

    fn committee_of(&self, height: Height) -> Result<Option<Committee>, ConsensusError> {
        let Some(epoch) = self.epoch_of(height)? else {
            return Ok(None);
        };
        let committee = self.chain.reader().committee(epoch);
        committee.map_err(|error| self.failed(error))
    }

    /// What `evidence` proves on this chain for a block at the next height; none when it proves
    /// nothing, or nothing any more: it counts in its epoch and the next.
    fn proven(&self, evidence: &Evidence) -> Result<Option<Misbehavior>, ConsensusError> {
        let accused = evidence.accusation();
        let now = self.chain.system().epoch;
        let Some(epoch) = self.epoch_of(accused.height)? else {
            return Ok(None);
        };
        if now.minus(1).is_some_and(|before| epoch < before) {
            return Ok(None);
        }
        let committee = self.chain.reader().committee(epoch);
        let committee = committee.map_err(|error| self.failed(error))?;
        let Some(member) = committee
            .as_ref()
            .and_then(|c| c.member(&accused.validator))
        else {
            return Ok(None);
        };
        Ok(verify_evidence(self.chain.chain_id(), evidence, &member.consensus_key).ok())
    }

    fn proposal(
        &self,
        height: Height,
        transactions: Vec<VerifiedTransaction>,
        misbehavior: Vec<Misbehavior>,
    ) -> VerifiedProposal {
        let parent = self.chain.head();
        let earliest = parent.header.time_ms.saturating_add(1);
        let latest = parent.header.time_ms.saturating_add(MAX_TIME_STEP_MS);
        let allows_end = self.chain.rules().allow_forced_epochs;
        VerifiedProposal {
            height,
            time_ms: self.source.now_ms().clamp(earliest, latest),
            parent: parent.digest,
            proposer: self.proposer,
            transactions,
            misbehavior,
            end_epoch: allows_end && self.source.is_epoch_to_end(),
        }
    }

    fn pick(&self, height: Height) -> Vec<VerifiedTransaction> {
        let parameters = self.chain.parameters();
        let whole = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
        // Room for header and evidence.
        let room = self.rules.max_payload_bytes.saturating_sub(64 * 1024);
        let limits = PickLimits {
            height,
            transactions: whole(parameters.max_block_transactions),
            bytes: whole(parameters.max_block_bytes).min(room),
        };
        let reader = self.chain.reader();
        self.source.pick(limits, &|sender| {
            reader.account(sender).ok().map(|account| account.nonce)
        })
    }

    /// Executes `proposal`; without its transactions, should they make it fail, so that no
    /// transaction can stop the chain.
    fn execute_own(&self, mut proposal: VerifiedProposal) -> Result<ExecutedBlock, BlockError> {
        match self.chain.execute(&proposal) {
            Err(error) if !error.is_fatal() && !proposal.transactions.is_empty() => {
                let digests: Vec<_> = proposal.transactions.iter().map(|t| t.digest()).collect();
                let (height, dropped) = (proposal.height, digests.len());
                tracing::error!(height, %error, dropped, "own block failed");
                self.source.drop_failed(&digests);
                proposal.transactions.clear();
                self.chain.execute(&proposal)
            }
            result => result,
        }
    }

    fn remember(&self, executed: ExecutedBlock) {
        let mut memory = self.memory();
        if memory.executed.len() >= KEPT_EXECUTED {
            memory.executed.pop_first();
        }
        memory.executed.insert(executed.digest, executed);
    }

    fn is_executed(&self, id: &Digest) -> bool {
        self.memory().executed.contains_key(id)
    }

    fn verified(&self, payload: &Payload) -> Option<Vec<VerifiedTransaction>> {
        let transactions = payload.block.transactions.par_iter();
        transactions
            .map(|signed| self.source.verify(signed).ok())
            .collect()
    }

    /// Executes a block on the head and compares its header.
    fn execute(&self, payload: &Payload) -> Result<Verdict, ConsensusError> {
        let Some(transactions) = self.verified(payload) else {
            let reason = "a transaction's signature does not hold".to_owned();
            return Ok(Verdict::Unusable(reason));
        };
        let header = &payload.block.header;
        let proposal = VerifiedProposal {
            height: header.height,
            time_ms: header.time_ms,
            parent: header.parent,
            proposer: header.proposer,
            transactions,
            misbehavior: payload.block.misbehavior.to_vec(),
            end_epoch: payload.block.end_epoch,
        };
        let executed = match self.chain.execute(&proposal) {
            Ok(executed) => executed,
            Err(error) if error.is_fatal() => return Err(self.failed(error)),
            Err(error) => return Ok(Verdict::Invalid(error.to_string())),
        };
        if executed.block.header != *header {
            let (got, want) = (header.state_root, executed.block.header.state_root);
            let reason = format!("the header's state root is {got}; execution gives {want}");
            return Ok(Verdict::Invalid(reason));
        }
        self.remember(executed);
        Ok(Verdict::Valid)
    }

    fn take_executed(&self, payload: &Payload) -> Result<ExecutedBlock, ConsensusError> {
        let id = payload.id().0;
        if let Some(executed) = self.memory().executed.remove(&id) {
            return Ok(executed);
        }
        let reason = match self.execute(payload)? {
            Verdict::Valid => "it was not kept".to_owned(),
            Verdict::Invalid(reason) | Verdict::Unusable(reason) => reason,
        };
        let height = payload.block.header.height;
        let executed = self.memory().executed.remove(&id);
        executed.ok_or(ConsensusError::Undecidable { height, reason })
    }
}

impl<S: Store, B: BlockSource> Application for ChainApplication<S, B> {
    fn now(&self) -> Instant {
        self.source.now()
    }

    fn chain_id(&self) -> ChainId {
        self.chain.chain_id()
    }

    fn head(&self) -> Head {
        self.chain.head()
    }

    fn begins_in(&self) -> Duration {
        let Head { header, .. } = self.chain.head();
        match header.height {
            0 => Duration::from_millis(header.time_ms.saturating_sub(self.source.now_ms())),
            _ => Duration::ZERO,
        }
    }

    fn earliest(&self) -> Result<Height, ConsensusError> {
        let lowest = self.chain.reader().lowest_block();
        lowest.map_err(|error| self.failed(error))
    }

    fn committee(&self, height: Height) -> Result<Arc<Committee>, ConsensusError> {
        let committee = self.committee_of(height)?;
        committee
            .map(Arc::new)
            .ok_or(ConsensusError::NoCommittee { height })
    }

    fn build(&self, request: BuildRequest) -> Result<Payload, ConsensusError> {
        let mut evidence = Vec::new();
        for proof in &request.evidence {
            if evidence.len() < MAX_OWN_EVIDENCE && self.proven(proof)?.is_some() {
                evidence.push(*proof);
            }
        }
        let misbehavior = evidence.iter().map(Evidence::accusation).collect();
        // Late already: what is ready at once is better than nothing.
        let transactions = match self.source.now() < request.deadline {
            true => self.pick(request.height),
            false => Vec::new(),
        };
        let proposal = self.proposal(request.height, transactions, misbehavior);
        let executed = self
            .execute_own(proposal)
            .map_err(|error| self.failed(error))?;
        let block = executed.block.clone();
        self.remember(executed);
        Ok(Payload {
            block,
            evidence: BoundedVec::new(evidence).unwrap_or_default(),
        })
    }

    fn check(&self, payload: &Payload, origin: Origin) -> Result<Verdict, ConsensusError> {
        if origin == Origin::Proposal {
            let time_ms = payload.block.header.time_ms;
            let ahead = time_ms.saturating_sub(self.source.now_ms());
            if u128::from(ahead) > self.rules.max_clock_ahead.as_millis() {
                let reason = format!("its time is {ahead} ms ahead of this node's clock");
                return Ok(Verdict::Unusable(reason));
            }
            for proof in payload.evidence.iter() {
                if self.proven(proof)?.is_none() {
                    let reason = format!("evidence against {}", proof.accusation().validator);
                    return Ok(Verdict::Unusable(reason + " does not hold"));
                }
            }
        }
        if self.is_executed(&payload.id().0) && self.verified(payload).is_some() {
            return Ok(Verdict::Valid);
        }
        self.execute(payload)
    }

    fn commit(&self, payload: &Payload, certificate: &Certificate) -> Result<(), ConsensusError> {
        let height = payload.block.header.height;
        let head = self.chain.head();
        if head.header.height >= height {
            let stored = self.chain.reader().block(height);
            let stored = stored.map_err(|error| self.failed(error))?;
            return match stored {
                Some(block) if block.header != payload.block.header => {
                    let reason = "another block is committed at its height".to_owned();
                    Err(ConsensusError::Undecidable { height, reason })
                }
                _ => Ok(()),
            };
        }
        let before = self.chain.system();
        let executed = self.take_executed(payload)?;
        let finality = Finality {
            certificate: certificate.clone(),
            evidence: payload.evidence.clone(),
        };
        let committed = self.chain.commit_final(executed, &finality);
        let committed = committed.map_err(|error| self.failed(error))?;
        let after = self.chain.system();
        {
            let mut memory = self.memory();
            memory.executed.clear();
            memory.last_block = self.source.now();
            memory.draws_stuck = committed.receipts.is_empty()
                && before.epoch == after.epoch
                && before.targets.pending_draws == after.targets.pending_draws;
        }
        self.source.on_commit(&committed);
        Ok(())
    }

    fn decided(&self, height: Height) -> Result<Option<(Bytes, Certificate)>, ConsensusError> {
        let reader = self.chain.reader();
        let read = || {
            let (block, certificate) = (reader.block(height)?, reader.certificate(height)?);
            Ok(block.zip(certificate).zip(Some(reader.evidence(height)?)))
        };
        let found = read().map_err(|error: ChainError| self.failed(error))?;
        Ok(found.map(|((block, certificate), evidence)| {
            let evidence = BoundedVec::new(evidence).unwrap_or_default();
            (Payload { block, evidence }.encode(), certificate)
        }))
    }

    fn demand(&self) -> Demand {
        let system = self.chain.system();
        let (since_block, draws_stuck) = {
            let memory = self.memory();
            let since_block = self
                .source
                .now()
                .saturating_duration_since(memory.last_block);
            (since_block, memory.draws_stuck)
        };
        let draws = system.targets.pending_draws > 0 && !draws_stuck;
        let can_draw = draws && self.chain.active_models() > 0;
        let duration = self.chain.parameters().epoch_duration_ms;
        let epoch_end = system.epoch_start_ms.saturating_add(duration);
        let until_end = epoch_end.saturating_sub(self.source.now_ms());
        let until_idle = self.rules.idle_interval.saturating_sub(since_block);
        let wanted = self.source.has_transactions() || self.source.is_epoch_to_end() || can_draw;
        if wanted || until_end == 0 || until_idle.is_zero() {
            return Demand::Now;
        }
        Demand::In(until_idle.min(Duration::from_millis(until_end)))
    }

    fn wake(&self) -> Arc<Notify> {
        self.source.wake()
    }

    fn receive(&self, transactions: Vec<SignedTransaction>, publisher: Publisher) {
        self.source.receive(transactions, publisher);
    }
}
