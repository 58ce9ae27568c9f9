//! Votes and proposals of validators: what they sign, and what certificates and evidence prove.
//!
//! All functions here are pure. A light client that knows the committee of an epoch verifies a
//! header with [`verify_certificate`] alone.

use serde::Serialize;
use soma_types::codec::encode;
use soma_types::consensus::{Certificate, Evidence, RoundProposal, Vote, VoteKind};
use soma_types::validator::{QUORUM, TOTAL_VOTING_POWER};
use soma_types::{
    Address, ChainId, Committee, Digest, Epoch, Header, Height, Misbehavior, PublicKey, Signature,
};
use thiserror::Error;

use crate::hash::{Domain, hash};
use crate::keys::{SignatureError, verify_digest};

/// What is hashed for a signature: the statement, bound to its chain.
#[derive(Serialize)]
struct OnChain<'a, T> {
    chain_id: ChainId,
    statement: &'a T,
}

/// The digest that a vote's signature is over.
pub fn vote_digest(chain_id: ChainId, vote: &Vote) -> [u8; 32] {
    let statement = vote;
    hash(
        Domain::Vote,
        encode(&OnChain {
            chain_id,
            statement,
        }),
    )
}

/// The digest that the signature of a round's proposal is over.
pub fn round_proposal_digest(chain_id: ChainId, proposal: &RoundProposal) -> [u8; 32] {
    let statement = proposal;
    hash(
        Domain::RoundProposal,
        encode(&OnChain {
            chain_id,
            statement,
        }),
    )
}

/// The digest of a header: the block's id.
pub fn header_digest(header: &Header) -> Digest {
    Digest(hash(Domain::Block, encode(header)))
}

/// Why a certificate does not prove a header final.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum CertificateError {
    /// The committee is that of another epoch.
    #[error("the header is of epoch {header}, the committee of epoch {committee}")]
    OtherEpoch {
        /// The header's.
        header: Epoch,
        /// The committee's.
        committee: Epoch,
    },
    /// The certificate is for another height.
    #[error("the header has height {header}, the certificate {certificate}")]
    OtherHeight {
        /// The header's.
        header: Height,
        /// The certificate's.
        certificate: Height,
    },
    /// The certificate is for another block.
    #[error("the header's digest is {header}, the certificate is for {certificate}")]
    OtherBlock {
        /// The header's digest.
        header: Digest,
        /// The certificate's.
        certificate: Digest,
    },
    /// A signer appears twice, or signers are not in order of address.
    #[error("signer {0} is repeated or out of order")]
    Order(Address),
    /// A signer is no member of the committee.
    #[error("signer {0} is not in the committee")]
    NoMember(Address),
    /// A signature does not hold.
    #[error("the precommit of {validator} is not valid: {reason}")]
    Signature {
        /// Whose.
        validator: Address,
        /// Why.
        reason: SignatureError,
    },
    /// The signers are too few.
    #[error("the signers have power {got} of {TOTAL_VOTING_POWER}; {QUORUM} is needed")]
    TooLittlePower {
        /// Their power.
        got: u64,
    },
}

/// Checks that `certificate` proves `header` final under `committee`, the one of its epoch.
///
/// # Errors
/// [`CertificateError`].
pub fn verify_certificate(
    certificate: &Certificate,
    header: &Header,
    committee: &Committee,
) -> Result<(), CertificateError> {
    if header.epoch != committee.epoch {
        return Err(CertificateError::OtherEpoch {
            header: header.epoch,
            committee: committee.epoch,
        });
    }
    if header.height != certificate.height {
        return Err(CertificateError::OtherHeight {
            header: header.height,
            certificate: certificate.height,
        });
    }
    let block = header_digest(header);
    if block != certificate.block {
        return Err(CertificateError::OtherBlock {
            header: block,
            certificate: certificate.block,
        });
    }
    verify_signatures(certificate, header.chain_id, committee)
}

/// Power first: a certificate that cannot be enough costs no signature check.
fn verify_signatures(
    certificate: &Certificate,
    chain_id: ChainId,
    committee: &Committee,
) -> Result<(), CertificateError> {
    let mut power = 0u64;
    let mut last = None;
    let mut keys = Vec::with_capacity(certificate.signatures.len());
    for signed in certificate.signatures.iter() {
        if last.is_some_and(|last| signed.validator <= last) {
            return Err(CertificateError::Order(signed.validator));
        }
        last = Some(signed.validator);
        let member = committee
            .member(&signed.validator)
            .ok_or(CertificateError::NoMember(signed.validator))?;
        power = power.saturating_add(member.voting_power);
        keys.push(member.consensus_key);
    }
    if power < QUORUM {
        return Err(CertificateError::TooLittlePower { got: power });
    }
    for (signed, key) in certificate.signatures.iter().zip(&keys) {
        let vote = Vote {
            kind: VoteKind::Precommit,
            height: certificate.height,
            round: certificate.round,
            block: Some(certificate.block),
            validator: signed.validator,
        };
        verify_digest(key, &vote_digest(chain_id, &vote), &signed.signature).map_err(|reason| {
            CertificateError::Signature {
                validator: signed.validator,
                reason,
            }
        })?;
    }
    Ok(())
}

/// Why evidence proves nothing.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum EvidenceError {
    /// The statements can both be honest.
    #[error("the two statements do not contradict each other")]
    NoContradiction,
    /// The greater statement comes first; only one order is accepted, so that evidence is unique.
    #[error("the two statements are not in order")]
    Order,
    /// A signature does not hold.
    #[error("a statement is not signed by the accused: {0}")]
    Signature(#[from] SignatureError),
}

/// Checks that the owner of `key` signed both statements, and that they contradict each other.
/// Gives what it is guilty of. That `key` was the accused's at that height is for the caller.
///
/// # Errors
/// [`EvidenceError`].
pub fn verify_evidence(
    chain_id: ChainId,
    evidence: &Evidence,
    key: &PublicKey,
) -> Result<Misbehavior, EvidenceError> {
    let check = |digest: [u8; 32], signature: &Signature| verify_digest(key, &digest, signature);
    match evidence {
        Evidence::Votes { first, second } => {
            let (a, b) = (&first.vote, &second.vote);
            let same = (a.kind, a.height, a.round, a.validator)
                == (b.kind, b.height, b.round, b.validator);
            if !same || a.block == b.block {
                return Err(EvidenceError::NoContradiction);
            }
            if first > second {
                return Err(EvidenceError::Order);
            }
            check(vote_digest(chain_id, a), &first.signature)?;
            check(vote_digest(chain_id, b), &second.signature)?;
        }
        Evidence::Proposals { first, second } => {
            let (a, b) = (&first.proposal, &second.proposal);
            let same = (a.height, a.round, a.proposer) == (b.height, b.round, b.proposer);
            if !same || a.block == b.block {
                return Err(EvidenceError::NoContradiction);
            }
            if first > second {
                return Err(EvidenceError::Order);
            }
            check(round_proposal_digest(chain_id, a), &first.signature)?;
            check(round_proposal_digest(chain_id, b), &second.signature)?;
        }
    }
    Ok(evidence.accusation())
}
