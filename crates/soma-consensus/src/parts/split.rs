//! A block as the messages of a stream.

use bytes::Bytes;
use malachite::app::streaming::{StreamContent, StreamId, StreamMessage};
use soma_types::consensus::SignedRoundProposal;

use crate::context::{Chunk, MAX_PART_BYTES, Part, StreamHead};

/// The messages that carry `payload` for `proposal`: a head, parts of at most
/// [`MAX_PART_BYTES`], an end.
pub fn split(
    stream: StreamId,
    proposal: SignedRoundProposal,
    payload: &Bytes,
) -> Vec<StreamMessage<Part>> {
    let head = StreamHead {
        proposal,
        bytes: u32::try_from(payload.len()).unwrap_or(u32::MAX),
    };
    let starts = (0..payload.len()).step_by(MAX_PART_BYTES);
    let chunks = starts.filter_map(|start| {
        let end = payload.len().min(start + MAX_PART_BYTES);
        Chunk::new(payload.slice(start..end)).map(Part::Data)
    });
    let contents = std::iter::once(Part::Head(head))
        .chain(chunks)
        .map(StreamContent::Data)
        .chain(std::iter::once(StreamContent::Fin));
    (0u64..)
        .zip(contents)
        .map(|(sequence, content)| StreamMessage::new(stream.clone(), sequence, content))
        .collect()
}
