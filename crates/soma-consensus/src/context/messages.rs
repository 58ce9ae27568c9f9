//! Votes and proposals in the engine's terms.

use malachite::app::types::core::{self, NilOrVal, Round, VoteType};
use soma_types::consensus::{RoundProposal, Vote as PlainVote, VoteKind};

use super::{Address, BlockId, Height, SomaContext, Value};

/// A vote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vote {
    kind: VoteType,
    height: Height,
    round: u32,
    block: NilOrVal<BlockId>,
    validator: Address,
}

impl Vote {
    /// A vote in the engine's terms.
    pub fn new(
        kind: VoteType,
        height: Height,
        round: Round,
        block: NilOrVal<BlockId>,
        validator: Address,
    ) -> Self {
        Self {
            kind,
            height,
            round: defined(round),
            block,
            validator,
        }
    }

    /// The vote as it is signed.
    pub fn to_plain(&self) -> PlainVote {
        PlainVote {
            kind: match self.kind {
                VoteType::Prevote => VoteKind::Prevote,
                VoteType::Precommit => VoteKind::Precommit,
            },
            height: self.height.0,
            round: self.round,
            block: match self.block {
                NilOrVal::Nil => None,
                NilOrVal::Val(id) => Some(id.0),
            },
            validator: self.validator.0,
        }
    }
}

impl From<PlainVote> for Vote {
    fn from(vote: PlainVote) -> Self {
        Self {
            kind: match vote.kind {
                VoteKind::Prevote => VoteType::Prevote,
                VoteKind::Precommit => VoteType::Precommit,
            },
            height: Height(vote.height),
            round: vote.round,
            block: match vote.block {
                None => NilOrVal::Nil,
                Some(digest) => NilOrVal::Val(BlockId(digest)),
            },
            validator: Address(vote.validator),
        }
    }
}

/// The engine votes and proposes in defined rounds only.
pub(crate) fn defined(round: Round) -> u32 {
    round.as_u32().unwrap_or_default()
}

impl core::Vote<SomaContext> for Vote {
    fn height(&self) -> Height {
        self.height
    }

    fn round(&self) -> Round {
        Round::new(self.round)
    }

    fn value(&self) -> &NilOrVal<BlockId> {
        &self.block
    }

    fn take_value(self) -> NilOrVal<BlockId> {
        self.block
    }

    fn vote_type(&self) -> VoteType {
        self.kind
    }

    fn validator_address(&self) -> &Address {
        &self.validator
    }

    fn extension(&self) -> Option<&core::SignedExtension<SomaContext>> {
        None
    }

    fn take_extension(&mut self) -> Option<core::SignedExtension<SomaContext>> {
        None
    }

    /// Votes carry no extensions here; the engine asks for none.
    fn extend(self, _extension: core::SignedExtension<SomaContext>) -> Self {
        self
    }
}

/// A round's proposal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    height: Height,
    round: u32,
    value: Value,
    valid_round: Round,
    proposer: Address,
}

impl Proposal {
    /// A proposal in the engine's terms.
    pub fn new(
        height: Height,
        round: Round,
        value: Value,
        valid_round: Round,
        proposer: Address,
    ) -> Self {
        Self {
            height,
            round: defined(round),
            value,
            valid_round,
            proposer,
        }
    }

    /// The proposal as it is signed.
    pub fn to_plain(&self) -> RoundProposal {
        RoundProposal {
            height: self.height.0,
            round: self.round,
            block: self.value.0.0,
            valid_round: self.valid_round.as_u32(),
            proposer: self.proposer.0,
        }
    }
}

impl From<RoundProposal> for Proposal {
    fn from(proposal: RoundProposal) -> Self {
        Self {
            height: Height(proposal.height),
            round: proposal.round,
            value: Value(BlockId(proposal.block)),
            valid_round: Round::from(proposal.valid_round),
            proposer: Address(proposal.proposer),
        }
    }
}

impl core::Proposal<SomaContext> for Proposal {
    fn height(&self) -> Height {
        self.height
    }

    fn round(&self) -> Round {
        Round::new(self.round)
    }

    fn value(&self) -> &Value {
        &self.value
    }

    fn take_value(self) -> Value {
        self.value
    }

    fn pol_round(&self) -> Round {
        self.valid_round
    }

    fn validator_address(&self) -> &Address {
        &self.proposer
    }
}
