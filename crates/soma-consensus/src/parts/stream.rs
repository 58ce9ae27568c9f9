//! One stream: its messages in any order until all are there.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use malachite::app::streaming::StreamContent;

use crate::context::{Chunk, MAX_PART_BYTES, Part, StreamHead};

/// A stream in work.
#[derive(Debug, Default)]
pub(super) struct Stream {
    head: Option<StreamHead>,
    chunks: BTreeMap<u64, Chunk>,
    /// Number of the message that ends it.
    end: Option<u64>,
    bytes: usize,
    /// When it began, in messages of all streams.
    pub(super) born: u64,
    /// Refused or complete: what still comes of it is dropped.
    pub(super) is_done: bool,
}

/// What a message did to its stream.
pub(super) enum Step {
    /// More is needed.
    Wait,
    /// The message cannot belong to the stream of an honest node.
    Refuse,
}

impl Stream {
    /// A stream whose first message was the `born`th of all.
    pub(super) fn born_at(born: u64) -> Self {
        Self {
            born,
            ..Self::default()
        }
    }

    /// Bytes that it holds.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn head(&self) -> Option<&StreamHead> {
        self.head.as_ref()
    }

    /// Takes a message of a block of at most `max_bytes`.
    pub(super) fn take(
        &mut self,
        sequence: u64,
        content: StreamContent<Part>,
        max_bytes: usize,
    ) -> Step {
        let last = (max_bytes.div_ceil(MAX_PART_BYTES) as u64).saturating_add(1);
        match content {
            StreamContent::Data(Part::Head(head)) => {
                let size = head.bytes as usize;
                if sequence != 0 || size == 0 || size > max_bytes {
                    return Step::Refuse;
                }
                self.head.get_or_insert(head);
            }
            StreamContent::Data(Part::Data(chunk)) => {
                if !(1..=last).contains(&sequence) {
                    return Step::Refuse;
                }
                if !self.chunks.contains_key(&sequence) {
                    self.bytes = self.bytes.saturating_add(chunk.len());
                    self.chunks.insert(sequence, chunk);
                }
            }
            StreamContent::Data(Part::Transactions(_)) => return Step::Refuse,
            StreamContent::Fin => {
                if !(2..=last.saturating_add(1)).contains(&sequence) {
                    return Step::Refuse;
                }
                self.end.get_or_insert(sequence);
            }
        }
        let most = self.head.map_or(max_bytes, |head| head.bytes as usize);
        let beyond = self.chunks.last_key_value().map(|(last, _)| *last);
        if self.bytes > most || self.end.is_some_and(|end| beyond >= Some(end)) {
            return Step::Refuse;
        }
        Step::Wait
    }

    /// Head and bytes, once all messages are there.
    pub(super) fn complete(&self) -> Option<(StreamHead, Bytes)> {
        let (head, end) = (self.head?, self.end?);
        let count = end.checked_sub(1)?;
        if self.chunks.len() as u64 != count || self.bytes != head.bytes as usize {
            return None;
        }
        let mut bytes = BytesMut::with_capacity(self.bytes);
        for chunk in self.chunks.values() {
            bytes.extend_from_slice(chunk);
        }
        Some((head, bytes.freeze()))
    }

    /// Forgets all but that it was.
    pub(super) fn finish(&mut self) {
        self.chunks = BTreeMap::new();
        self.bytes = 0;
        self.is_done = true;
    }
}
