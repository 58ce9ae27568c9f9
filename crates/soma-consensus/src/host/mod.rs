//! A node's side of agreement: what the engine asks, and what is answered.
//!
//! No threads, no channels, no clock but the application's: whoever drives a [`Host`] brings
//! network and time. [`Engine`](crate::Engine) does it on a real network; a simulation can do it on
//! a virtual one.
//!
//! ```text
//!  ready ─▶ start ─▶ started ─▶ propose | receive, judge ─▶ decided ─▶ finalized ─▶ due, go_on ─┐
//!             ▲                                                                                 │
//!             └─────────────────────────────────────────────────────────────────────────────────┘
//! ```

mod desk;
mod gossip;
mod incoming;
mod later;
mod pace;

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use malachite::app::consensus::Role;
use malachite::app::engine::host::{HeightParams, SyncedValueOutcome};
use malachite::app::streaming::{StreamId, StreamMessage};
use malachite::app::types::core::{CommitCertificate, LinearTimeouts, Round};
use malachite::app::types::sync::RawDecidedValue;
use malachite::app::types::{LocallyProposedValue, MisbehaviorEvidence, ProposedValue};
use soma_types::{Height as PlainHeight, SignedTransaction};

use crate::application::Application;
use crate::codec::commit_certificate;
use crate::config::ConsensusConfig;
use crate::context::{Address, BlockId, Height, Part, SomaContext, ValidatorSet, Value, defined};
use crate::error::ConsensusError;
use crate::evidence::EvidencePool;
use crate::identity::ValidatorKeys;
use crate::parts::{Streams, split};
use crate::peers::Guard;
use crate::signing::{ChainSigner, ChainVerifier};
use crate::undecided;

use desk::{Desk, Own, Proposer, Synced};
use gossip::messages;
use incoming::Wanted;
use later::Later;
use pace::Pace;

pub use desk::LogPlace;
pub use undecided::LogFile;

/// What starts a height in the engine.
pub type HeightStart = (Height, HeightParams<SomaContext>);

/// A block of this node: its id for the engine, its parts for the others.
#[derive(Debug)]
pub struct OwnBlock {
    /// For the engine.
    pub value: LocallyProposedValue<SomaContext>,
    /// For the others.
    pub parts: Vec<StreamMessage<Part>>,
}

/// Where consensus is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// The height in work.
    pub height: PlainHeight,
    /// The round in work.
    pub round: u32,
    /// True while this node is in the committee of that height.
    pub is_validator: bool,
}

/// A node's side of agreement. Methods that judge, commit or read blocks wait for the disk.
pub struct Host<A> {
    desk: Desk<A>,
    verifier: ChainVerifier,
    proposer: Option<Proposer>,
    timeouts: LinearTimeouts,
    streams: Streams,
    later: Later,
    evidence: EvidencePool,
    guard: Arc<Guard>,
    pace: Pace,
    /// The validators of the height in work.
    validators: Option<ValidatorSet>,
    round: u32,
    /// The engine waits for a word to go on.
    is_waiting: bool,
    stream_count: u64,
}

impl<A: Application> Host<A> {
    /// A node with its undecided blocks in `log`. Its streams are numbered from `first_stream` on:
    /// no number may have been used before, also not by an earlier run of this node.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn open(
        config: &ConsensusConfig,
        application: Arc<A>,
        keys: Option<&ValidatorKeys>,
        verifier: ChainVerifier,
        log: LogPlace<'_>,
        first_stream: u64,
    ) -> Result<Self, ConsensusError> {
        let limits = &config.limits;
        let chain_id = application.chain_id();
        let proposer = keys.map(|keys| Proposer {
            address: keys.address,
            signer: ChainSigner::new(chain_id, keys.key.clone(), &keys.next),
        });
        let desk = Desk::open(application, *limits, proposer.clone(), log)?;
        Ok(Self {
            desk,
            verifier,
            proposer,
            timeouts: config.timeouts.to_engine(),
            streams: Streams::new(limits.streams()),
            later: Later::new(limits.total_bytes),
            evidence: EvidencePool::default(),
            guard: Arc::new(Guard::new(*limits, config.bans)),
            pace: Pace::new(Duration::from_millis(config.min_interval_ms)),
            validators: None,
            round: 0,
            is_waiting: false,
            stream_count: first_stream,
        })
    }

    /// The node.
    pub fn application(&self) -> &Arc<A> {
        self.desk.application()
    }

    /// Who may be heard.
    pub fn guard(&self) -> &Arc<Guard> {
        &self.guard
    }

    /// The height in work.
    pub fn height(&self) -> PlainHeight {
        self.desk.height()
    }

    /// What signs for this node's validator; it follows the key that the committee names.
    pub fn signer(&self) -> Option<&ChainSigner> {
        self.proposer.as_ref().map(|own| &own.signer)
    }

    /// The validator that this node is.
    pub fn validator(&self) -> Option<soma_types::Address> {
        self.proposer.as_ref().map(|own| own.address)
    }

    /// The first height to work on.
    ///
    /// # Errors
    /// A committee that is not known, or a key that this validator does not hold.
    pub fn ready(&mut self) -> Result<Option<HeightStart>, ConsensusError> {
        self.prepare()?;
        Ok(self.start_height())
    }

    /// A round has begun: what is known of it already.
    ///
    /// # Errors
    /// When a block cannot be judged, or not be kept.
    pub fn started(
        &mut self,
        height: Height,
        round: Round,
    ) -> Result<Vec<ProposedValue<SomaContext>>, ConsensusError> {
        self.round = defined(round);
        self.streams.forget_below(height.0);
        for complete in self.later.take(height.0) {
            if self.wants(&complete.head) == Wanted::Yes {
                self.judge(&complete)?;
            }
        }
        Ok(self.desk.proposed(height.0, round))
    }

    /// Where consensus is, for a node with this role.
    pub fn status(&self, height: Height, role: Role) -> Status {
        Status {
            height: height.0,
            round: self.round,
            is_validator: role != Role::None,
        }
    }

    /// This node's block for a round. Without one the round times out.
    ///
    /// # Errors
    /// When not even an empty block can be executed, or the block cannot be kept.
    pub fn propose(
        &mut self,
        height: Height,
        round: Round,
        timeout: Duration,
    ) -> Result<Option<OwnBlock>, ConsensusError> {
        let evidence = self.evidence.pending();
        let own = self
            .desk
            .propose(height.0, defined(round), timeout, evidence)?;
        Ok(own.map(|own| {
            let value = Value(BlockId(own.signed.proposal.block));
            OwnBlock {
                value: LocallyProposedValue::new(height, round, value),
                parts: self.parts(&own),
            }
        }))
    }

    /// The parts of a round's block, to be sent again; none when this node does not have it.
    ///
    /// # Errors
    /// When the block cannot be kept.
    pub fn restream(
        &mut self,
        round: Round,
        valid_round: Round,
        address: Address,
        id: BlockId,
    ) -> Result<Vec<StreamMessage<Part>>, ConsensusError> {
        let own = self
            .desk
            .restream(defined(round), valid_round, address.0, id.0)?;
        Ok(own.map(|own| self.parts(&own)).unwrap_or_default())
    }

    /// Messages that carry transactions to the other nodes.
    pub fn gossip(&mut self, transactions: Vec<SignedTransaction>) -> Vec<StreamMessage<Part>> {
        messages(transactions, || self.stream())
    }

    /// Commits a decided block; on disk when this returns.
    ///
    /// # Errors
    /// When this node does not have the block, or it fails here.
    pub fn decided(
        &mut self,
        certificate: &CommitCertificate<SomaContext>,
    ) -> Result<(), ConsensusError> {
        if let Some(decided) = self.desk.decide(&commit_certificate(certificate))? {
            self.evidence.settle(&decided.payload.block.misbehavior);
            self.pace.set_behind(decided.by_sync);
            self.prepare()?;
        }
        Ok(())
    }

    /// The height is over, and the engine waits for a word to go on.
    pub fn finalized(&mut self, evidence: &MisbehaviorEvidence<SomaContext>) {
        self.evidence.collect(evidence);
        self.is_waiting = true;
    }

    /// When to go on, while the engine waits.
    pub fn due(&self) -> Option<Instant> {
        if !self.is_waiting {
            return None;
        }
        let application = self.application();
        let (now, demand) = (application.now(), application.demand());
        Some(self.pace.due(now, self.desk.height(), demand))
    }

    /// The next height, when the engine waits for it.
    pub fn go_on(&mut self) -> Option<HeightStart> {
        if !std::mem::take(&mut self.is_waiting) {
            return None;
        }
        self.start_height()
    }

    /// Committed blocks for a peer.
    ///
    /// # Errors
    /// When the store fails.
    pub fn decided_values(
        &self,
        range: RangeInclusive<Height>,
    ) -> Result<Vec<RawDecidedValue<SomaContext>>, ConsensusError> {
        self.desk.decided(range.start().0..=range.end().0)
    }

    /// The lowest height whose block can be given to peers.
    ///
    /// # Errors
    /// When the store fails.
    pub fn earliest(&self) -> Result<Height, ConsensusError> {
        self.application().earliest().map(Height)
    }

    /// Judges a block from a peer's store, whose certificate was checked.
    ///
    /// # Errors
    /// When the block cannot be executed or kept.
    pub fn synced(
        &mut self,
        height: Height,
        round: Round,
        proposer: Address,
        bytes: &Bytes,
    ) -> Result<SyncedValueOutcome<SomaContext>, ConsensusError> {
        self.pace.hear(self.desk.height().min(height.0));
        let synced = self
            .desk
            .sync(height.0, defined(round), proposer.0, bytes)?;
        Ok(match synced {
            Synced::Judged(value) => SyncedValueOutcome::Verdict(value),
            Synced::Busy => SyncedValueOutcome::LocalTransientError,
            Synced::Bad(reason) => {
                tracing::error!(height = height.0, %reason, "a peer's block is of no use");
                SyncedValueOutcome::PeerFault
            }
        })
    }

    /// Reads the validators of the next height; the key that this node signs with follows them.
    fn prepare(&mut self) -> Result<(), ConsensusError> {
        let height = self.desk.height();
        let committee = self.application().committee(height)?;
        let validators = ValidatorSet::new(committee)?;
        if let Some(own) = &self.proposer
            && let Some(member) = validators.committee().member(&own.address)
            && !own.signer.activate(&member.consensus_key)
        {
            return Err(ConsensusError::MissingKey {
                validator: own.address,
                expected: member.consensus_key,
                height,
            });
        }
        self.guard
            .set_committee(height, Arc::new(validators.clone()));
        self.validators = Some(validators);
        self.round = 0;
        Ok(())
    }

    fn start_height(&mut self) -> Option<HeightStart> {
        let validators = self.validators.clone()?;
        self.pace.start(self.application().now());
        let parameters = HeightParams::new(validators, self.timeouts, None);
        Some((Height(self.desk.height()), parameters))
    }

    fn parts(&mut self, own: &Own) -> Vec<StreamMessage<Part>> {
        split(self.stream(), own.signed, &own.payload)
    }

    /// An id that no other stream of this node has, also not before a restart.
    fn stream(&mut self) -> StreamId {
        self.stream_count = self.stream_count.wrapping_add(1);
        StreamId::new(self.stream_count.to_be_bytes().to_vec().into())
    }
}
