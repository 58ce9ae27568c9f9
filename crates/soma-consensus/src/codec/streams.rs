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
