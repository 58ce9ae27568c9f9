//! What travels for a block: the block, and proofs of the misbehaviour that it names.

use bytes::Bytes;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use soma_chain::header::transactions_root;
use soma_crypto::consensus::header_digest;
use soma_crypto::transaction::transaction_digest;
use soma_types::block::MAX_BLOCK_EVIDENCE;
use soma_types::bounded::BoundedVec;
use soma_types::codec::{DecodeError, decode, encode};
use soma_types::{Block, Digest, Evidence};

use crate::context::BlockId;

/// The most evidence that this node puts in a block.
pub const MAX_OWN_EVIDENCE: usize = 16;

/// A block with what its validators need to check it.
///
/// The block's id commits to all that it does. Signatures of its transactions and the evidence are
/// not part of the id: who receives a payload whose signatures or evidence do not hold has received
/// nothing, rather than an invalid block, so that no one can spoil an id with a bad copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payload {
    /// The block, executed by its proposer: the header has the roots after it.
    pub block: Block,
    /// One proof for each entry of `block.misbehavior`, in its order.
    pub evidence: BoundedVec<Evidence, MAX_BLOCK_EVIDENCE>,
}

impl Payload {
    /// The id that validators vote on.
    pub fn id(&self) -> BlockId {
        BlockId(header_digest(&self.block.header))
    }

    /// Its canonical encoding.
    pub fn encode(&self) -> Bytes {
        encode(self).into()
    }

    /// Reads a payload.
    ///
    /// # Errors
    /// [`DecodeError`] for other bytes, for contents that are not those of the block's header, and
    /// for evidence that does not match the block.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        const WHAT: &str = "a block's payload";
        let fail = |reason: &str| {
            Err(DecodeError {
                what: WHAT,
                reason: reason.to_owned(),
            })
        };
        let payload: Self = decode(WHAT, bytes)?;
        if !payload.is_whole() {
            return fail("its contents are not those that its header names");
        }
        let accused = payload.evidence.iter().map(Evidence::accusation);
        if !accused.eq(payload.block.misbehavior.iter().copied()) {
            return fail("its evidence is not for the misbehaviour that it names");
        }
        Ok(payload)
    }

    /// Whether the block has what its header, and so its id, stands for.
    fn is_whole(&self) -> bool {
        let block = &self.block;
        let transactions = block.transactions.par_iter();
        let digests: Vec<Digest> = transactions
            .map(|signed| transaction_digest(&signed.transaction))
            .collect();
        let root = transactions_root(&digests, &block.misbehavior, block.end_epoch);
        root == block.header.transactions_root
    }
}

#[cfg(test)]
mod tests {
    use soma_tests::world::World;
    use soma_types::{Shannons, TransactionKind};

    use super::*;

    #[test]
    fn a_block_without_what_its_header_names_is_no_block() {
        let mut world = World::new();
        let sender = world.validators[0];
        let kind = TransactionKind::Transfer {
            recipient: world.validators[1],
            amount: Shannons(5),
        };
        let transaction = world.sign(&sender, kind, 0);
        let good = Payload {
            block: world.block(vec![transaction]).block.clone(),
            evidence: BoundedVec::default(),
        };
        assert_eq!(Payload::decode(&good.encode()), Ok(good.clone()));
        let (mut emptied, mut ended) = (good.clone(), good);
        emptied.block.transactions = BoundedVec::default();
        ended.block.end_epoch = true;
        for bad in [emptied, ended] {
            let error = Payload::decode(&bad.encode()).unwrap_err();
            assert!(error.reason.contains("header"), "{error}");
        }
    }
}
