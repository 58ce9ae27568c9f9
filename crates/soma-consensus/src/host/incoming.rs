//! What comes from other nodes: blocks in parts, signs that they have gone on.

use std::sync::Arc;

use malachite::app::streaming::{StreamContent, StreamMessage};
use malachite::app::types::core::{Proposal as _, Validator as _, ValidatorSet as _, Vote as _};
use malachite::app::types::{PeerId, ProposedValue, SignedConsensusMsg};
use soma_types::Height as PlainHeight;
use soma_types::consensus::SignedRoundProposal;

use super::Host;
use super::desk::{Received, proposed_block};
use crate::application::Application;
use crate::context::{Address, Height, Part, SomaContext, StreamHead};
use crate::error::ConsensusError;
use crate::parts::{Complete, Taken};
use crate::peers::{Fault, Publisher};
use crate::proposer::proposer;

/// Heights after the one in work whose blocks are kept for later.
const HEIGHTS_AHEAD: u64 = 8;
/// Rounds after the one in work, or after a later height's first, whose blocks are taken.
const ROUNDS_AHEAD: u32 = 3;

impl<A: Application> Host<A> {
    /// Takes a message of the channel for blocks. A block that is complete now is for
    /// [`Host::judge`].
    pub fn receive(&mut self, publisher: PeerId, message: StreamMessage<Part>) -> Option<Complete> {
        let now = self.application().now();
        if self.guard.is_banned(now, &publisher) {
            return None;
        }
        if let StreamContent::Data(Part::Transactions(transactions)) = message.content {
            let transactions = transactions.into_vec();
            let publisher = Publisher::new(Arc::clone(&self.guard), publisher, now);
            self.application().receive(transactions, publisher);
            return None;
        }
        let wanted = match &message.content {
            StreamContent::Data(Part::Head(head)) => self.wants(head),
            _ => Wanted::Yes,
        };
        if wanted == Wanted::Forged {
            self.guard.fault(now, publisher, Fault::Signature);
        }
        let is_wanted = wanted == Wanted::Yes;
        let complete = match self.streams.take(publisher, message, is_wanted) {
            Taken::Waits => return None,
            Taken::Refused => {
                self.guard.fault(now, publisher, Fault::Stream);
                return None;
            }
            Taken::Complete(complete) => *complete,
        };
        let height = self.desk.height();
        if height_of(&complete.head) <= height {
            self.pace.hear(height);
        }
        Some(complete)
    }

    /// Judges a complete block of the height in work; on disk when this returns. One of a later
    /// height waits until that is in work.
    ///
    /// # Errors
    /// When the block cannot be executed or kept.
    pub fn judge(
        &mut self,
        complete: &Complete,
    ) -> Result<Option<ProposedValue<SomaContext>>, ConsensusError> {
        let received = if height_of(&complete.head) <= self.desk.height() {
            self.desk.receive(complete)?
        } else if proposed_block(complete).is_some() {
            self.later.keep(complete.clone());
            Received::Nothing
        } else {
            Received::False
        };
        match received {
            Received::Judged(value) => Ok(Some(value)),
            Received::Nothing => Ok(None),
            Received::False => {
                let now = self.application().now();
                self.guard.fault(now, complete.publisher, Fault::Block);
                Ok(None)
            }
        }
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

    /// Whether a stream with this head may bring a block that this node needs, and its proposer
    /// signed it.
    pub(super) fn wants(&self, head: &StreamHead) -> Wanted {
        let signed = &head.proposal;
        let proposal = &signed.proposal;
        let height = self.desk.height();
        let Some(validators) = &self.validators else {
            return Wanted::No;
        };
        let is_signed = || {
            let by = proposer(validators, Height(proposal.height), proposal.round);
            by.address().0 == proposal.proposer
                && self.verifier.is_signed_proposal(signed, by.public_key())
        };
        let is_now = proposal.height == height;
        let first = if is_now { self.round } else { 0 };
        let is_near = (height..=height.saturating_add(HEIGHTS_AHEAD)).contains(&proposal.height)
            && proposal.round <= first.saturating_add(ROUNDS_AHEAD);
        if !is_near || (is_now && self.desk.has(proposal)) {
            Wanted::No
        } else if is_signed() {
            Wanted::Yes
        } else if is_now {
            Wanted::Forged
        } else {
            // The committee may change on the way; then the block comes again, or by sync.
            Wanted::No
        }
    }
}

/// What a stream's head promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// A block that this node may need.
    Yes,
    /// Nothing of use, as far as this node can tell.
    No,
    /// A block of the height in work that its proposer did not sign.
    Forged,
}

pub(super) fn height_of(head: &StreamHead) -> PlainHeight {
    head.proposal.proposal.height
}
