//! What validators sign to agree on blocks, and what proves their agreement or misbehaviour.
//!
//! These are plain values: `soma_crypto::consensus` hashes, signs and verifies
//! them, so that a light client needs no consensus engine.

use serde::{Deserialize, Serialize};

use crate::bounded::BoundedVec;
use crate::id::{Address, Digest, Signature};
use crate::time::Height;
use crate::validator::{Misbehavior, MisbehaviorKind};

/// The most signatures in a certificate: as many as a committee can have members with power.
pub const MAX_CERTIFICATE_SIGNATURES: usize = 10_000;

/// The two votes of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum VoteKind {
    /// The first: the block of the round's proposal is acceptable.
    Prevote,
    /// The second: more than two thirds of the power prevoted for it.
    Precommit,
}

/// A vote of a validator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Vote {
    /// Which of the two.
    pub kind: VoteKind,
    /// The height that is voted on.
    pub height: Height,
    /// The round; the first is 0.
    pub round: u32,
    /// Digest of the block's header; none is a vote against any block in this round.
    pub block: Option<Digest>,
    /// The validator's account.
    pub validator: Address,
}

/// A vote with the signature of the validator's consensus key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SignedVote {
    /// The vote.
    pub vote: Vote,
    /// Over the vote's digest.
    pub signature: Signature,
}

/// What the proposer of a round says: this block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RoundProposal {
    /// The height.
    pub height: Height,
    /// The round.
    pub round: u32,
    /// Digest of the block's header.
    pub block: Digest,
    /// An earlier round in which more than two thirds of the power prevoted for this block.
    pub valid_round: Option<u32>,
    /// The proposer of the round; the block itself may be an earlier proposer's.
    pub proposer: Address,
}

/// A round's proposal with the signature of its proposer's consensus key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SignedRoundProposal {
    /// The proposal.
    pub proposal: RoundProposal,
    /// Over the proposal's digest.
    pub signature: Signature,
}

/// A validator's part in a [`Certificate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitSignature {
    /// Who.
    pub validator: Address,
    /// Over the digest of its precommit for the certificate's height, round and block.
    pub signature: Signature,
}

/// Proof that a block is final: precommits of more than two thirds of its epoch's voting power.
///
/// Certificates of one block differ from node to node, as each keeps the precommits that it saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// The block's height.
    pub height: Height,
    /// The round that decided.
    pub round: u32,
    /// Digest of the block's header.
    pub block: Digest,
    /// The precommits, in order of address.
    pub signatures: BoundedVec<CommitSignature, MAX_CERTIFICATE_SIGNATURES>,
}

/// Two signed statements of one validator that contradict each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Evidence {
    /// Two votes of one kind for one height and round, for different blocks.
    Votes {
        /// One.
        first: SignedVote,
        /// The other; the greater by the order of [`SignedVote`].
        second: SignedVote,
    },
    /// Two proposals for one height and round.
    Proposals {
        /// One.
        first: SignedRoundProposal,
        /// The other; the greater by the order of [`SignedRoundProposal`].
        second: SignedRoundProposal,
    },
}

impl Evidence {
    /// What it accuses of, if its signatures hold.
    pub const fn accusation(&self) -> Misbehavior {
        let (validator, height) = match self {
            Self::Votes { first, .. } => (first.vote.validator, first.vote.height),
            Self::Proposals { first, .. } => (first.proposal.proposer, first.proposal.height),
        };
        Misbehavior {
            validator,
            kind: MisbehaviorKind::Equivocation,
            height,
        }
    }
}
