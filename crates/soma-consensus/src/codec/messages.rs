//! Votes, proposals, proposed values, proofs of validators.

use malachite::app::types::core::{Round, SignedMessage, ValidatorProof, Validity};
use malachite::app::types::{ProposedValue, SignedConsensusMsg};
use serde::{Deserialize, Serialize};
use soma_types::bounded::BoundedVec;
use soma_types::codec::DecodeError;
use soma_types::consensus::{SignedRoundProposal, SignedVote};
use soma_types::{Address as PlainAddress, Digest, Signature};

use super::{Wire, checked_round, refuse};
use crate::context::{Address, BlockId, Height, Proposal, SomaContext, Value, Vote, defined};

/// The most bytes of a key or a network identity.
const MAX_IDENTITY_BYTES: usize = 128;

pub(super) type EngineVote = SignedMessage<SomaContext, Vote>;

pub(super) fn vote_form(vote: &EngineVote) -> SignedVote {
    SignedVote {
        vote: vote.message.to_plain(),
        signature: vote.signature,
    }
}

pub(super) fn vote_of(what: &'static str, form: SignedVote) -> Result<EngineVote, DecodeError> {
    checked_round(what, form.vote.round)?;
    Ok(SignedMessage::new(form.vote.into(), form.signature))
}

#[derive(Serialize, Deserialize)]
pub(crate) enum MessageForm {
    Vote(SignedVote),
    Proposal(SignedRoundProposal),
}

impl Wire for SignedConsensusMsg<SomaContext> {
    type Form = MessageForm;
    const WHAT: &'static str = "a vote or proposal";

    fn to_form(&self) -> MessageForm {
        match self {
            Self::Vote(vote) => MessageForm::Vote(vote_form(vote)),
            Self::Proposal(signed) => MessageForm::Proposal(SignedRoundProposal {
                proposal: signed.message.to_plain(),
                signature: signed.signature,
            }),
        }
    }

    fn from_form(form: MessageForm) -> Result<Self, DecodeError> {
        Ok(match form {
            MessageForm::Vote(signed) => Self::Vote(vote_of(Self::WHAT, signed)?),
            MessageForm::Proposal(signed) => {
                checked_round(Self::WHAT, signed.proposal.round)?;
                let valid_round = signed.proposal.valid_round;
                checked_round(Self::WHAT, valid_round.unwrap_or_default())?;
                let proposal: Proposal = signed.proposal.into();
                Self::Proposal(SignedMessage::new(proposal, signed.signature))
            }
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct ProposedForm {
    height: u64,
    round: u32,
    valid_round: Option<u32>,
    proposer: PlainAddress,
    block: Digest,
    valid: bool,
}

impl Wire for ProposedValue<SomaContext> {
    type Form = ProposedForm;
    const WHAT: &'static str = "a proposed value";

    fn to_form(&self) -> ProposedForm {
        ProposedForm {
            height: self.height.0,
            round: defined(self.round),
            valid_round: self.valid_round.as_u32(),
            proposer: self.proposer.0,
            block: self.value.0.0,
            valid: self.validity.to_bool(),
        }
    }

    fn from_form(form: ProposedForm) -> Result<Self, DecodeError> {
        checked_round(Self::WHAT, form.valid_round.unwrap_or_default())?;
        Ok(Self {
            height: Height(form.height),
            round: Round::new(checked_round(Self::WHAT, form.round)?),
            valid_round: Round::from(form.valid_round),
            proposer: Address(form.proposer),
            value: Value(BlockId(form.block)),
            validity: Validity::from_bool(form.valid),
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct ProofForm {
    public_key: BoundedVec<u8, MAX_IDENTITY_BYTES>,
    peer_id: BoundedVec<u8, MAX_IDENTITY_BYTES>,
    signature: Signature,
}

impl Wire for ValidatorProof<SomaContext> {
    type Form = ProofForm;
    const WHAT: &'static str = "a proof of validator";

    fn to_form(&self) -> ProofForm {
        let bounded = |bytes: &[u8]| BoundedVec::new(bytes.to_vec()).unwrap_or_default();
        ProofForm {
            public_key: bounded(&self.public_key),
            peer_id: bounded(&self.peer_id),
            signature: self.signature,
        }
    }

    fn from_form(form: ProofForm) -> Result<Self, DecodeError> {
        if form.public_key.is_empty() || form.peer_id.is_empty() {
            return Err(refuse(Self::WHAT, "the key or the identity is empty"));
        }
        Ok(Self {
            public_key: form.public_key.into_vec(),
            peer_id: form.peer_id.into_vec(),
            signature: form.signature,
        })
    }
}
