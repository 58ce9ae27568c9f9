//! What travels for a block: the block, and proofs of the misbehaviour that it names.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use soma_crypto::consensus::header_digest;
use soma_types::block::MAX_BLOCK_EVIDENCE;
use soma_types::bounded::BoundedVec;
use soma_types::codec::{DecodeError, decode, encode};
use soma_types::{Block, Evidence};

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
    /// [`DecodeError`] for other bytes, and for evidence that does not match the block.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        const WHAT: &str = "a block's payload";
        let payload: Self = decode(WHAT, bytes)?;
        let accused = payload.evidence.iter().map(Evidence::accusation);
        if !accused.eq(payload.block.misbehavior.iter().copied()) {
            return Err(DecodeError {
                what: WHAT,
                reason: "its evidence is not for the misbehaviour that it names".to_owned(),
            });
        }
        Ok(payload)
    }
}
