//! Parts of blocks, alone and in streams.

use malachite::app::streaming::{StreamContent, StreamId, StreamMessage};
use serde::{Deserialize, Serialize};
use soma_types::bounded::BoundedVec;
use soma_types::codec::DecodeError;

use super::{Wire, checked_round};
use crate::context::Part;

/// The most bytes of a stream's id.
pub(crate) const MAX_STREAM_ID_BYTES: usize = 64;

impl Wire for Part {
    type Form = Part;
    const WHAT: &'static str = "a part of a block";

    fn to_form(&self) -> Part {
        self.clone()
    }

    fn from_form(part: Part) -> Result<Self, DecodeError> {
        if let Part::Head(head) = &part {
            let proposal = &head.proposal.proposal;
            checked_round(Self::WHAT, proposal.round)?;
            checked_round(Self::WHAT, proposal.valid_round.unwrap_or_default())?;
        }
        Ok(part)
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct StreamForm {
    stream: BoundedVec<u8, MAX_STREAM_ID_BYTES>,
    sequence: u64,
    /// None ends the stream.
    part: Option<Part>,
}

/// True for the encoding of a stream's message that carries transactions, told by its first bytes:
/// most messages are dropped or passed on before they are decoded.
pub(crate) fn carries_transactions(message: &[u8]) -> bool {
    // The stream's id with its length in one byte, the sequence, then a part, and which.
    let id = message.first().copied().unwrap_or_default();
    let part = 1 + usize::from(id) + size_of::<u64>();
    message.get(part..part + 2) == Some(&[1, 2])
}

impl Wire for StreamMessage<Part> {
    type Form = StreamForm;
    const WHAT: &'static str = "a message of a stream";

    fn to_form(&self) -> StreamForm {
        let id = self.stream_id.to_bytes().to_vec();
        StreamForm {
            stream: BoundedVec::new(id).unwrap_or_default(),
            sequence: self.sequence,
            part: self.content.as_data().cloned(),
        }
    }

    fn from_form(form: StreamForm) -> Result<Self, DecodeError> {
        let content = match form.part {
            Some(part) => StreamContent::Data(Part::from_form(part)?),
            None => StreamContent::Fin,
        };
        let id = StreamId::new(form.stream.into_vec().into());
        Ok(Self::new(id, form.sequence, content))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use malachite::app::types::codec::Codec as _;

    use super::*;
    use crate::codec::WireCodec;
    use crate::context::Chunk;

    #[test]
    fn transactions_are_told_from_parts_of_blocks() {
        let chunk = Chunk::new(Bytes::from_static(&[2; 40])).unwrap();
        let contents = [
            (
                StreamContent::Data(Part::Transactions(BoundedVec::default())),
                true,
            ),
            (StreamContent::Data(Part::Data(chunk)), false),
            (StreamContent::Fin, false),
        ];
        for id in [0, 1, MAX_STREAM_ID_BYTES] {
            for (content, expected) in &contents {
                let id = StreamId::new(vec![7; id].into());
                let message = StreamMessage::new(id, 9, content.clone());
                let encoded = WireCodec.encode(&message).unwrap();
                assert_eq!(carries_transactions(&encoded), *expected);
            }
        }
        assert!(!carries_transactions(&[]) && !carries_transactions(&[200, 1]));
    }
}
