//! Headers: what a block commits to.

use serde::Serialize;
use soma_crypto::{Domain, hash};
use soma_types::bounded::BoundedVec;
use soma_types::codec::encode;
use soma_types::{
    Address, Block, ChainId, Digest, Epoch, Header, Misbehavior, Receipt, TimestampMs,
};

pub use soma_crypto::consensus::header_digest as digest;

use crate::chain::Head;
use crate::error::BlockError;
use crate::execute::VerifiedProposal;

/// The most that a block's time may be after its parent's: one year. The chain has no clock to hold
/// a time against, but a time without any limit could leave no room for later blocks. How far a
/// proposal may be ahead of their own clocks is for validators to check before they vote.
pub const MAX_TIME_STEP_MS: u64 = 365 * 24 * 60 * 60 * 1_000;

/// What the transactions root is the hash of.
#[derive(Serialize)]
struct Body<'a> {
    transactions: &'a [Digest],
    misbehavior: &'a [Misbehavior],
    end_epoch: bool,
}

/// The hash over what a block contains: digests of its transactions in order, evidence, and
/// whether it was made to end its epoch.
pub fn transactions_root(
    transactions: &[Digest],
    misbehavior: &[Misbehavior],
    end_epoch: bool,
) -> Digest {
    Digest(hash(
        Domain::Transactions,
        encode(&Body {
            transactions,
            misbehavior,
            end_epoch,
        }),
    ))
}

/// The hash over the digests of receipts, in order.
pub fn receipts_root(receipts: &[Receipt]) -> Digest {
    let digests: Vec<Digest> = receipts
        .iter()
        .map(|receipt| Digest(hash(Domain::Receipts, encode(receipt))))
        .collect();
    Digest(hash(Domain::Receipts, encode(&digests)))
}

/// Checks that a proposal is the next block after `parent`.
pub(crate) fn check_place(parent: &Head, proposal: &VerifiedProposal) -> Result<(), BlockError> {
    let expected = parent.header.height + 1;
    if proposal.height != expected {
        return Err(BlockError::WrongHeight {
            got: proposal.height,
            expected,
        });
    }
    if proposal.parent != parent.digest {
        return Err(BlockError::WrongParent {
            got: proposal.parent,
            expected: parent.digest,
        });
    }
    if proposal.time_ms <= parent.header.time_ms {
        let parent = parent.header.time_ms;
        return Err(BlockError::TimeNotLater {
            got: proposal.time_ms,
            parent,
        });
    }
    let latest = parent.header.time_ms.saturating_add(MAX_TIME_STEP_MS);
    if proposal.time_ms > latest {
        let got = proposal.time_ms;
        return Err(BlockError::TimeTooFar { got, latest });
    }
    Ok(())
}

/// The block of an executed proposal, unless a list is longer than any block's may be.
pub(crate) fn build(
    chain_id: ChainId,
    epoch: Epoch,
    proposal: &VerifiedProposal,
    digests: &[Digest],
    receipts: &[Receipt],
    state_root: Digest,
) -> Result<Block, BlockError> {
    let misbehavior = &proposal.misbehavior;
    let header = Header {
        chain_id,
        height: proposal.height,
        epoch,
        time_ms: proposal.time_ms,
        parent: proposal.parent,
        transactions_root: transactions_root(digests, misbehavior, proposal.end_epoch),
        receipts_root: receipts_root(receipts),
        state_root,
        proposer: proposal.proposer,
    };
    let signed = proposal
        .transactions
        .iter()
        .map(|verified| (**verified).clone())
        .collect();
    let transactions = BoundedVec::new(signed).map_err(|long| BlockError::TooManyTransactions {
        got: long.got as u64,
        max: long.max as u64,
    })?;
    let misbehavior =
        BoundedVec::new(misbehavior.clone()).map_err(|long| BlockError::TooMuchEvidence {
            got: long.got,
            max: long.max,
        })?;
    Ok(Block {
        header,
        transactions,
        misbehavior,
        end_epoch: proposal.end_epoch,
    })
}

/// The head of a chain without blocks.
pub(crate) fn genesis(chain_id: ChainId, time_ms: TimestampMs, state_root: Digest) -> Head {
    let header = Header {
        chain_id,
        height: 0,
        epoch: Epoch(0),
        time_ms,
        parent: Digest([0; 32]),
        transactions_root: transactions_root(&[], &[], false),
        receipts_root: receipts_root(&[]),
        state_root,
        proposer: Address([0; 32]),
    };
    Head {
        header,
        digest: digest(&header),
    }
}
