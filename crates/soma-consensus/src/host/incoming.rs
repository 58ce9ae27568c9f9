//! What comes from other nodes: blocks in parts, signs that they have gone on.

use malachite::app::streaming::{StreamContent, StreamMessage};
use malachite::app::types::core::{Proposal as _, Validator as _, ValidatorSet as _, Vote as _};
use malachite::app::types::{PeerId, ProposedValue, SignedConsensusMsg};
use soma_types::Height as PlainHeight;
use soma_types::consensus::SignedRoundProposal;

use super::Host;
use crate::application::Application;
use crate::context::{Address, Height, Part, SomaContext, StreamHead};
use crate::error::ConsensusError;
use crate::parts::Complete;
use crate::proposer::proposer;

/// Heights after the one in work whose blocks are kept for later.
const HEIGHTS_AHEAD: u64 = 8;
/// Rounds after the one in work whose blocks are taken.
const ROUNDS_AHEAD: u32 = 3;
/// Blocks of later heights that are kept.
const MAX_LATER: usize = 16;

impl<A: Application> Host<A> {
    /// Takes a message of the channel for blocks. A block of the height in work that is complete
    /// now is for [`Host::judge`].
    pub fn receive(&mut self, publisher: PeerId, message: StreamMessage<Part>) -> Option<Complete> {
        if let StreamContent::Data(Part::Transactions(transactions)) = message.content {
            let size = soma_types::codec::encode(&transactions).len();
            let now = self.application().now();
            if self.meter.allows(now, publisher, size) {
                let transactions = transactions.into_vec();
                self.application().receive(transactions);
            }
            return None;
        }
        let wanted = match &message.content {
            StreamContent::Data(Part::Head(head)) => self.is_wanted(head),
            _ => true,
        };
        let complete = self.streams.take(publisher, message, wanted)?;
        let height = self.desk.height();
        if height_of(&complete.head) > height {
            self.keep_for_later(complete);
            return None;
        }
        self.pace.hear(height);
        Some(complete)
    }

    /// Judges a complete block; on disk when this returns.
    ///
    /// # Errors
    /// When the block cannot be executed or kept.
    pub fn judge(
        &self,
        complete: &Complete,
    ) -> Result<Option<ProposedValue<SomaContext>>, ConsensusError> {
        self.desk.receive(complete)
    }

    /// Listens whether the others have gone on: to signed messages of heights not started here.
    pub fn hear(&mut self, message: &SignedConsensusMsg<SomaContext>) {
        let next = self.desk.height();
        let first = next + u64::from(!self.is_waiting);
        let height = message.height().0;
        let is_news = height > self.pace.heard();
        if is_news
            && (first..=next.saturating_add(HEIGHTS_AHEAD)).contains(&height)
            && self.is_signed(message)
        {
            self.pace.hear(height);
        }
    }

    fn is_signed(&self, message: &SignedConsensusMsg<SomaContext>) -> bool {
        let Some(validators) = &self.validators else {
            return false;
        };
        let key = |address: &Address| validators.get_by_address(address).map(|v| *v.public_key());
        match message {
            SignedConsensusMsg::Vote(vote) => key(vote.validator_address()).is_some_and(|key| {
                self.verifier
                    .is_signed_vote(&vote.message, &vote.signature, &key)
            }),
            SignedConsensusMsg::Proposal(signed) => {
                key(signed.validator_address()).is_some_and(|key| {
                    let signed = SignedRoundProposal {
                        proposal: signed.message.to_plain(),
                        signature: signed.signature,
                    };
                    self.verifier.is_signed_proposal(&signed, &key)
                })
            }
        }
    }

    fn keep_for_later(&mut self, complete: Complete) {
        let bytes = self.later_bytes.saturating_add(complete.payload.len());
        let is_known = self.later.iter().any(|one| one.head == complete.head);
        if !is_known && self.later.len() < MAX_LATER && bytes <= self.max_later_bytes {
            self.later_bytes = bytes;
            self.later.push(complete);
        }
    }

    /// True when a stream with this head may bring a block that this node needs, and its proposer
    /// signed it.
    pub(super) fn is_wanted(&self, head: &StreamHead) -> bool {
        let signed = &head.proposal;
        let proposal = &signed.proposal;
        let height = self.desk.height();
        let Some(validators) = &self.validators else {
            return false;
        };
        let by = if proposal.height == height {
            if proposal.round > self.round.saturating_add(ROUNDS_AHEAD) || self.desk.has(proposal) {
                return false;
            }
            proposer(validators, Height(height), proposal.round)
        } else if (height..=height.saturating_add(HEIGHTS_AHEAD)).contains(&proposal.height) {
            // The committee may change on the way; then the block comes again, or by sync.
            proposer(validators, Height(proposal.height), proposal.round)
        } else {
            return false;
        };
        by.address().0 == proposal.proposer
            && self.verifier.is_signed_proposal(signed, by.public_key())
    }
}

pub(super) fn height_of(head: &StreamHead) -> PlainHeight {
    head.proposal.proposal.height
}
