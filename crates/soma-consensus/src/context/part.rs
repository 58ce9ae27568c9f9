//! What travels on the engine's channel for blocks: their parts, and transactions.

use std::fmt;

use bytes::Bytes;
use malachite::app::types::core;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use soma_types::SignedTransaction;
use soma_types::bounded::BoundedVec;
use soma_types::consensus::SignedRoundProposal;

use super::SomaContext;

/// The most bytes of a block in one part.
pub const MAX_PART_BYTES: usize = 256 * 1024;

/// The most transactions in one message.
pub const MAX_GOSSIPED_TRANSACTIONS: usize = 4_096;

/// The start of a stream that carries a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamHead {
    /// The proposal that the block belongs to. Its signature is checked before anything else of
    /// the stream is used, so only the proposer of a round can make others execute a block.
    pub proposal: SignedRoundProposal,
    /// Length of the block's encoding.
    pub bytes: u32,
}

/// One message on the channel for blocks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Part {
    /// The first of a stream.
    Head(StreamHead),
    /// The next bytes of the block's encoding.
    Data(Chunk),
    /// Transactions for the mempools of all nodes; belongs to no block.
    Transactions(BoundedVec<SignedTransaction, MAX_GOSSIPED_TRANSACTIONS>),
}

impl core::ProposalPart<SomaContext> for Part {
    fn is_first(&self) -> bool {
        matches!(self, Self::Head(_))
    }

    /// The end of a stream is a message of its own.
    fn is_last(&self) -> bool {
        false
    }
}

/// Between 1 and [`MAX_PART_BYTES`] bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk(Bytes);

impl Chunk {
    /// Takes `bytes`; none when they are no bytes or too many.
    pub fn new(bytes: Bytes) -> Option<Self> {
        (1..=MAX_PART_BYTES)
            .contains(&bytes.len())
            .then_some(Self(bytes))
    }
}

impl std::ops::Deref for Chunk {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl Serialize for Chunk {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Chunk {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ChunkVisitor;
        impl Visitor<'_> for ChunkVisitor {
            type Value = Chunk;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "1 to {MAX_PART_BYTES} bytes")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Chunk, E> {
                // The length is checked before the copy.
                match bytes.len() {
                    1..=MAX_PART_BYTES => Ok(Chunk(Bytes::copy_from_slice(bytes))),
                    other => Err(E::invalid_length(other, &self)),
                }
            }
        }
        deserializer.deserialize_bytes(ChunkVisitor)
    }
}
