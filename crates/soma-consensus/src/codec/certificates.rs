//! Certificates that help a round on: of prevotes, of skipped rounds.

use malachite::app::consensus::LivenessMsg;
use malachite::app::types::core::{
    NilOrVal, PolkaCertificate, PolkaSignature, Round, RoundCertificate, RoundCertificateType,
    RoundSignature, VoteType,
};
use serde::{Deserialize, Serialize};
use soma_types::bounded::BoundedVec;
use soma_types::codec::DecodeError;
use soma_types::consensus::{MAX_CERTIFICATE_SIGNATURES, SignedVote, VoteKind};
use soma_types::{Address as PlainAddress, CommitSignature, Digest, Signature};

use super::messages::{vote_form, vote_of};
use super::{Wire, checked_round};
use crate::context::{Address, BlockId, Height, SomaContext, defined};

type Signatures<T> = BoundedVec<T, MAX_CERTIFICATE_SIGNATURES>;

#[derive(Serialize, Deserialize)]
pub(crate) struct PolkaForm {
    height: u64,
    round: u32,
    block: Digest,
    signatures: Signatures<CommitSignature>,
}

impl Wire for PolkaCertificate<SomaContext> {
    type Form = PolkaForm;
    const WHAT: &'static str = "a certificate of prevotes";

    fn to_form(&self) -> PolkaForm {
        let signatures = self.polka_signatures.iter().map(|signed| CommitSignature {
            validator: signed.address.0,
            signature: signed.signature,
        });
        PolkaForm {
            height: self.height.0,
            round: defined(self.round),
            block: self.value_id.0,
            signatures: BoundedVec::new(signatures.collect()).unwrap_or_default(),
        }
    }

    fn from_form(form: PolkaForm) -> Result<Self, DecodeError> {
        let signatures = form.signatures.into_vec().into_iter();
        Ok(Self {
            height: Height(form.height),
            round: Round::new(checked_round(Self::WHAT, form.round)?),
            value_id: BlockId(form.block),
            polka_signatures: signatures
                .map(|signed| PolkaSignature::new(Address(signed.validator), signed.signature))
                .collect(),
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct RoundVoteForm {
    kind: VoteKind,
    block: Option<Digest>,
    validator: PlainAddress,
    signature: Signature,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct RoundForm {
    height: u64,
    round: u32,
    is_skip: bool,
    votes: Signatures<RoundVoteForm>,
}

fn round_vote_form(signed: &RoundSignature<SomaContext>) -> RoundVoteForm {
    RoundVoteForm {
        kind: match signed.vote_type {
            VoteType::Prevote => VoteKind::Prevote,
            VoteType::Precommit => VoteKind::Precommit,
        },
        block: match &signed.value_id {
            NilOrVal::Nil => None,
            NilOrVal::Val(id) => Some(id.0),
        },
        validator: signed.address.0,
        signature: signed.signature,
    }
}

fn round_vote_of(form: RoundVoteForm) -> RoundSignature<SomaContext> {
    let kind = match form.kind {
        VoteKind::Prevote => VoteType::Prevote,
        VoteKind::Precommit => VoteType::Precommit,
    };
    let block = match form.block {
        None => NilOrVal::Nil,
        Some(digest) => NilOrVal::Val(BlockId(digest)),
    };
    RoundSignature::new(kind, block, Address(form.validator), form.signature)
}

impl Wire for RoundCertificate<SomaContext> {
    type Form = RoundForm;
    const WHAT: &'static str = "a certificate of a round";

    fn to_form(&self) -> RoundForm {
        let votes = self.round_signatures.iter().map(round_vote_form).collect();
        RoundForm {
            height: self.height.0,
            round: defined(self.round),
            is_skip: self.cert_type == RoundCertificateType::Skip,
            votes: BoundedVec::new(votes).unwrap_or_default(),
        }
    }

    fn from_form(form: RoundForm) -> Result<Self, DecodeError> {
        let votes = form.votes.into_vec().into_iter();
        Ok(Self {
            height: Height(form.height),
            round: Round::new(checked_round(Self::WHAT, form.round)?),
            cert_type: if form.is_skip {
                RoundCertificateType::Skip
            } else {
                RoundCertificateType::Precommit
            },
            round_signatures: votes.map(round_vote_of).collect(),
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) enum LivenessForm {
    Vote(SignedVote),
    Polka(PolkaForm),
    Round(RoundForm),
}

impl Wire for LivenessMsg<SomaContext> {
    type Form = LivenessForm;
    const WHAT: &'static str = "a liveness message";

    fn to_form(&self) -> LivenessForm {
        match self {
            Self::Vote(vote) => LivenessForm::Vote(vote_form(vote)),
            Self::PolkaCertificate(polka) => LivenessForm::Polka(polka.to_form()),
            Self::SkipRoundCertificate(round) => LivenessForm::Round(round.to_form()),
        }
    }

    fn from_form(form: LivenessForm) -> Result<Self, DecodeError> {
        Ok(match form {
            LivenessForm::Vote(form) => Self::Vote(vote_of(Self::WHAT, form)?),
            LivenessForm::Polka(form) => Self::PolkaCertificate(Wire::from_form(form)?),
            LivenessForm::Round(form) => Self::SkipRoundCertificate(Wire::from_form(form)?),
        })
    }
}
