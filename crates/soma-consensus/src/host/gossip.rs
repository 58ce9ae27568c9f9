//! Transactions on the engine's channel for blocks.
//!
//! The engine has no channel for an application's own messages, but the one for blocks carries a
//! type of ours, to all nodes, whatever height they are at. So transactions travel there, as
//! messages of their own: the network forwards each once, and the engine only hands them on.

use malachite::app::streaming::{StreamContent, StreamId, StreamMessage};
use soma_types::SignedTransaction;
use soma_types::bounded::BoundedVec;
use soma_types::codec::encode;

use crate::context::{MAX_GOSSIPED_TRANSACTIONS, MAX_PART_BYTES, Part};

/// Messages that carry `transactions`, each small enough for the network.
pub(super) fn messages(
    transactions: Vec<SignedTransaction>,
    mut stream: impl FnMut() -> StreamId,
) -> Vec<StreamMessage<Part>> {
    let mut batches = Vec::new();
    let mut batch = Vec::new();
    let mut bytes = 0;
    for transaction in transactions {
        let size = encode(&transaction).len();
        let is_full = bytes + size > MAX_PART_BYTES || batch.len() >= MAX_GOSSIPED_TRANSACTIONS;
        if is_full && !batch.is_empty() {
            batches.push(std::mem::take(&mut batch));
            bytes = 0;
        }
        bytes += size;
        batch.push(transaction);
    }
    if !batch.is_empty() {
        batches.push(batch);
    }
    let message = |batch| {
        let part = Part::Transactions(BoundedVec::new(batch).unwrap_or_default());
        StreamMessage::new(stream(), 0, StreamContent::Data(part))
    };
    batches.into_iter().map(message).collect()
}
