//! What a node does with blocks, apart from the engine's channels: builds, judges, keeps, commits.
//!
//! All methods block: they execute blocks and wait for the disk.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use malachite::app::types::ProposedValue;
use malachite::app::types::core::Round;
use malachite::app::types::sync::RawDecidedValue;
use soma_types::consensus::{RoundProposal, SignedRoundProposal};
use soma_types::{Address, Certificate, Digest, Evidence, Height};

use crate::application::{Application, BuildRequest, Origin, Verdict};
use crate::codec::engine_certificate;
use crate::config::Limits;
use crate::context::{SomaContext, defined};
use crate::error::ConsensusError;
use crate::parts::Complete;
use crate::payload::Payload;
use crate::signing::ChainSigner;
use crate::undecided::{Entry, LogFile, Undecided};

/// Different blocks of one proposer for one round that are judged: an honest one has one.
pub(super) const MAX_PER_ROUND: usize = 2;

/// The node's own proposer.
#[derive(Clone, Debug)]
pub(super) struct Proposer {
    pub(super) address: Address,
    pub(super) signer: ChainSigner,
}

/// Where undecided blocks are kept.
pub enum LogPlace<'a> {
    /// In a file of this folder.
    Folder(&'a Path),
    /// In this file.
    File(Box<dyn LogFile>),
}

struct Blocks {
    undecided: Undecided,
    /// The newest of them, ready to be committed, each with the length of its encoding.
    decoded: VecDeque<(Digest, u64, Arc<Payload>)>,
}

/// A node's blocks.
pub(super) struct Desk<A> {
    application: Arc<A>,
    limits: Limits,
    proposer: Option<Proposer>,
    blocks: Mutex<Blocks>,
}

/// What became of a block from a peer's store.
pub(super) enum Synced {
    Judged(ProposedValue<SomaContext>),
    /// The peer sent something else than a block of the chain.
    Bad(String),
    /// This node cannot take it now.
    Busy,
}

/// What became of a block that came in parts.
pub(super) enum Received {
    Judged(ProposedValue<SomaContext>),
    /// It is of no use here, or not now.
    Nothing,
    /// It is not what its head says, which its publisher knew.
    False,
}

/// A block that was committed.
pub(super) struct Decided {
    pub(super) payload: Arc<Payload>,
    /// It came from a peer's store, not from its proposer: this node is behind.
    pub(super) by_sync: bool,
}

/// A block of this node, ready to be sent.
pub(super) struct Own {
    pub(super) signed: SignedRoundProposal,
    pub(super) payload: Bytes,
}

impl<A: Application> Desk<A> {
    /// Opens the undecided blocks in `place`.
    pub(super) fn open(
        application: Arc<A>,
        limits: Limits,
        proposer: Option<Proposer>,
        place: LogPlace<'_>,
    ) -> Result<Self, ConsensusError> {
        let next = application.head().header.height.saturating_add(1);
        let undecided = match place {
            LogPlace::Folder(folder) => Undecided::open(folder, next)?,
            LogPlace::File(file) => Undecided::open_file(file, next)?,
        };
        let known = undecided.entries().len();
        if known > 0 {
            tracing::info!(height = next, known, "undecided blocks are back");
        }
        Ok(Self {
            application,
            limits,
            proposer,
            blocks: Mutex::new(Blocks {
                undecided,
                decoded: VecDeque::new(),
            }),
        })
    }

    pub(super) fn application(&self) -> &Arc<A> {
        &self.application
    }

    /// The height in work: that after the head.
    pub(super) fn height(&self) -> Height {
        self.application.head().header.height.saturating_add(1)
    }

    fn blocks(&self) -> MutexGuard<'_, Blocks> {
        self.blocks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// This node's block for a round: what it proposed before, or a new one.
    pub(super) fn propose(
        &self,
        height: Height,
        round: u32,
        timeout: Duration,
        evidence: Vec<Evidence>,
    ) -> Result<Option<Own>, ConsensusError> {
        let Some(proposer) = &self.proposer else {
            return Ok(None);
        };
        if height != self.height() {
            return Ok(None);
        }
        if let Some(own) = self.proposed_before(round, &proposer.address)? {
            return Ok(Some(own));
        }
        let payload = self.application.build(BuildRequest {
            height,
            deadline: self.application.now() + timeout / 2,
            evidence,
        })?;
        let signed = proposer.signer.sign_round_proposal(RoundProposal {
            height,
            round,
            block: payload.id().0,
            valid_round: None,
            proposer: proposer.address,
        });
        let own = Own {
            signed,
            payload: payload.encode(),
        };
        self.keep(&own.payload, payload, entry_of(&signed, true))?;
        Ok(Some(own))
    }

    fn proposed_before(
        &self,
        round: u32,
        proposer: &Address,
    ) -> Result<Option<Own>, ConsensusError> {
        let mut blocks = self.blocks();
        let entry = blocks.undecided.proposed_by(round, proposer).copied();
        let Some((id, signed)) = entry.and_then(|entry| Some((entry.id, entry.signed?))) else {
            return Ok(None);
        };
        let payload = blocks.undecided.payload(&id)?;
        Ok(payload.map(|payload| Own { signed, payload }))
    }

    /// The signed block of a round, to be sent again: as its proposer sent it, or, when it is this
    /// node's turn with an earlier round's block, signed for this round.
    pub(super) fn restream(
        &self,
        round: u32,
        valid_round: Round,
        proposer: Address,
        id: Digest,
    ) -> Result<Option<Own>, ConsensusError> {
        let height = self.height();
        let mut blocks = self.blocks();
        let Some(payload) = blocks.undecided.payload(&id)? else {
            return Ok(None);
        };
        if let Some(signed) = blocks.undecided.signed(round, &id) {
            return Ok(Some(Own { signed, payload }));
        }
        let own = self.proposer.as_ref();
        let Some(own) = own.filter(|own| own.address == proposer) else {
            return Ok(None);
        };
        let signed = own.signer.sign_round_proposal(RoundProposal {
            height,
            round,
            block: id,
            valid_round: valid_round.as_u32(),
            proposer,
        });
        let is_valid = blocks.undecided.validity(&id).unwrap_or(true);
        blocks.undecided.add_round(entry_of(&signed, is_valid))?;
        Ok(Some(Own { signed, payload }))
    }

    /// True when a stream for this proposal would bring nothing new.
    pub(super) fn has(&self, proposal: &RoundProposal) -> bool {
        let blocks = self.blocks();
        blocks
            .undecided
            .signed(proposal.round, &proposal.block)
            .is_some()
    }

    /// Judges a block that came in parts. Its head's signature was checked.
    pub(super) fn receive(&self, complete: &Complete) -> Result<Received, ConsensusError> {
        let signed = &complete.head.proposal;
        let proposal = &signed.proposal;
        if proposal.height != self.height() || !self.may_judge(proposal) {
            return Ok(Received::Nothing);
        }
        let known = {
            let mut blocks = self.blocks();
            match blocks.undecided.validity(&proposal.block) {
                Some(is_valid) => {
                    let entry = entry_of(signed, is_valid);
                    blocks.undecided.add_round(entry)?;
                    Some(entry)
                }
                None => None,
            }
        };
        if let Some(entry) = known {
            return Ok(Received::Judged(entry.proposed(proposal.height)));
        }
        let Some(payload) = proposed_block(complete) else {
            return Ok(Received::False);
        };
        let is_valid = match self.application.check(&payload, Origin::Proposal)? {
            Verdict::Valid => true,
            Verdict::Invalid(reason) => {
                let (height, proposer) = (proposal.height, proposal.proposer);
                tracing::warn!(height, %proposer, %reason, "a proposed block is invalid");
                false
            }
            Verdict::Unusable(reason) => {
                warn_of(proposal, &reason);
                return Ok(Received::Nothing);
            }
        };
        let entry = entry_of(signed, is_valid);
        self.keep(&complete.payload, payload, entry)?;
        Ok(Received::Judged(entry.proposed(proposal.height)))
    }

    fn may_judge(&self, proposal: &RoundProposal) -> bool {
        let blocks = self.blocks();
        let entries = blocks.undecided.entries().iter();
        let others = entries.filter(|entry| {
            entry.round == proposal.round
                && entry.proposer == proposal.proposer
                && entry.id != proposal.block
        });
        others.count() < MAX_PER_ROUND
    }

    /// Keeps a block, on disk when this returns, and decoded while there is room.
    fn keep(&self, bytes: &Bytes, payload: Payload, entry: Entry) -> Result<(), ConsensusError> {
        let mut blocks = self.blocks();
        blocks.undecided.add(bytes, entry)?;
        let decoded = &mut blocks.decoded;
        decoded.push_back((entry.id, bytes.len() as u64, Arc::new(payload)));
        while decoded.len() > 1
            && decoded.iter().map(|(_, bytes, _)| bytes).sum::<u64>() > self.limits.undecided_bytes
        {
            decoded.pop_front();
        }
        Ok(())
    }

    /// Judges a block from a peer's store.
    pub(super) fn sync(
        &self,
        height: Height,
        round: u32,
        proposer: Address,
        bytes: &Bytes,
    ) -> Result<Synced, ConsensusError> {
        if bytes.len() > self.limits.max_block_bytes {
            return Ok(Synced::Bad(format!("a block of {} bytes", bytes.len())));
        }
        if height != self.height() {
            return Ok(Synced::Busy);
        }
        let payload = match Payload::decode(bytes) {
            Ok(payload) => payload,
            Err(error) => return Ok(Synced::Bad(error.to_string())),
        };
        if payload.block.header.height != height {
            return Ok(Synced::Bad("a block of another height".to_owned()));
        }
        match self.application.check(&payload, Origin::Sync)? {
            Verdict::Valid => {}
            Verdict::Invalid(reason) | Verdict::Unusable(reason) => {
                return Ok(Synced::Bad(reason));
            }
        }
        let entry = Entry {
            round,
            valid_round: None,
            proposer,
            id: payload.id().0,
            is_valid: true,
            signed: None,
        };
        self.keep(bytes, payload, entry)?;
        Ok(Synced::Judged(entry.proposed(height)))
    }

    /// What is known of a round.
    pub(super) fn proposed(&self, height: Height, round: Round) -> Vec<ProposedValue<SomaContext>> {
        if height != self.height() {
            return Vec::new();
        }
        self.blocks().undecided.proposed(defined(round))
    }

    /// Commits the block that `certificate` decides; gives it.
    pub(super) fn decide(
        &self,
        certificate: &Certificate,
    ) -> Result<Option<Decided>, ConsensusError> {
        let height = certificate.height;
        if height < self.height() {
            return Ok(None);
        }
        let fail = |reason: &str| ConsensusError::Undecidable {
            height,
            reason: reason.to_owned(),
        };
        let (payload, by_sync) = {
            let mut blocks = self.blocks();
            let by_sync = blocks.undecided.is_by_sync(&certificate.block);
            let mut decoded = blocks.decoded.iter();
            let decoded = decoded.find(|(id, _, _)| *id == certificate.block);
            let payload = match decoded.map(|(_, _, payload)| Arc::clone(payload)) {
                Some(payload) => payload,
                None => {
                    let bytes = blocks.undecided.payload(&certificate.block)?;
                    let bytes = bytes.ok_or_else(|| fail("this node does not have it"))?;
                    let payload = Payload::decode(&bytes);
                    Arc::new(payload.map_err(|error| fail(&error.to_string()))?)
                }
            };
            (payload, by_sync)
        };
        self.application.commit(&payload, certificate)?;
        let next = self.height();
        let mut blocks = self.blocks();
        blocks.undecided.advance(next);
        blocks.decoded.clear();
        Ok(Some(Decided { payload, by_sync }))
    }

    /// Committed blocks for a peer: from the start of `range` on without a gap, as many as one
    /// answer may have.
    pub(super) fn decided(
        &self,
        range: RangeInclusive<Height>,
    ) -> Result<Vec<RawDecidedValue<SomaContext>>, ConsensusError> {
        let mut found = Vec::new();
        let mut room = self.limits.response_bytes();
        for height in range.take(self.limits.sync_batch) {
            let Some((payload, certificate)) = self.application.decided(height)? else {
                break;
            };
            let certificate = engine_certificate(&certificate);
            // An address and a signature for each, and some bytes more.
            let size = payload.len() + 128 * (certificate.commit_signatures.len() + 1);
            if size > room {
                break;
            }
            room -= size;
            found.push(RawDecidedValue {
                value_bytes: payload,
                certificate,
            });
        }
        Ok(found)
    }
}

/// Reads the block that `complete` promises, unless its bytes are something else. Signatures and
/// evidence are not checked.
pub(super) fn proposed_block(complete: &Complete) -> Option<Payload> {
    let proposal = &complete.head.proposal.proposal;
    let payload = match Payload::decode(&complete.payload) {
        Ok(payload) => payload,
        Err(error) => {
            warn_of(proposal, &error.to_string());
            return None;
        }
    };
    let header = &payload.block.header;
    let is_first = proposal.valid_round.is_none();
    if payload.id().0 != proposal.block
        || header.height != proposal.height
        || (is_first && header.proposer != proposal.proposer)
    {
        warn_of(proposal, "its bytes are not the block that was proposed");
        return None;
    }
    Some(payload)
}

fn warn_of(proposal: &RoundProposal, reason: &str) {
    let (height, round, proposer) = (proposal.height, proposal.round, proposal.proposer);
    tracing::warn!(height, round, %proposer, reason, "a proposal is of no use");
}

fn entry_of(signed: &SignedRoundProposal, is_valid: bool) -> Entry {
    let proposal = &signed.proposal;
    Entry {
        round: proposal.round,
        valid_round: proposal.valid_round,
        proposer: proposal.proposer,
        id: proposal.block,
        is_valid,
        signed: Some(*signed),
    }
}
