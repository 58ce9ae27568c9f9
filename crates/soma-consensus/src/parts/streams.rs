//! All streams, in bounded memory.
//!
//! A stream belongs to the peer that published it; its parts may come through any neighbour, in
//! any order. Publishers are authenticated by the network, so what one of them fills is its own
//! share. Of streams without a checked head the oldest gives way first when all is full.

use std::collections::BTreeMap;

use bytes::Bytes;
use malachite::app::streaming::{StreamContent, StreamId, StreamMessage};
use malachite::app::types::PeerId;
use soma_types::Height;

use super::stream::{Step, Stream};
use crate::context::{Part, StreamHead};

/// How much streams may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamLimits {
    /// Bytes of one block's encoding.
    pub block_bytes: usize,
    /// Bytes of all streams of one publisher.
    pub peer_bytes: usize,
    /// Streams of one publisher, complete and refused ones included.
    pub peer_streams: usize,
    /// Bytes of all streams.
    pub total_bytes: usize,
}

/// A block whose parts are all there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complete {
    /// Who published it.
    pub publisher: PeerId,
    /// The first message.
    pub head: StreamHead,
    /// The bytes; neither their hash nor their meaning is checked yet.
    pub payload: Bytes,
}

/// What a message did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Its stream is not complete, or over.
    Waits,
    /// It ended its stream: no honest node sends it.
    Refused,
    /// Its stream is complete.
    Complete(Box<Complete>),
}

type Key = (PeerId, StreamId);

/// The streams in work.
#[derive(Debug)]
pub struct Streams {
    limits: StreamLimits,
    streams: BTreeMap<Key, Stream>,
    messages: u64,
}

impl Streams {
    /// No streams.
    pub fn new(limits: StreamLimits) -> Self {
        Self {
            limits,
            streams: BTreeMap::new(),
            messages: 0,
        }
    }

    /// Takes a message that `publisher` sent. A head that is not `wanted`, by its height, proposer or
    /// signature, ends its stream; for other messages it says nothing.
    pub fn take(&mut self, publisher: PeerId, message: StreamMessage<Part>, wanted: bool) -> Taken {
        self.messages = self.messages.saturating_add(1);
        let key = (publisher, message.stream_id);
        let born = self.messages;
        let stream = self
            .streams
            .entry(key.clone())
            .or_insert_with(|| Stream::born_at(born));
        if stream.is_done {
            return Taken::Waits;
        }
        let is_head = matches!(message.content, StreamContent::Data(Part::Head(_)));
        let max = self.limits.block_bytes;
        let step = stream.take(message.sequence, message.content, max);
        let taken = if matches!(step, Step::Refuse) {
            stream.finish();
            Taken::Refused
        } else if is_head && !wanted {
            stream.finish();
            Taken::Waits
        } else if let Some((head, payload)) = stream.complete() {
            stream.finish();
            Taken::Complete(Box::new(Complete {
                publisher,
                head,
                payload,
            }))
        } else {
            Taken::Waits
        };
        self.make_room(&key);
        taken
    }

    /// Forgets streams of heights below `height`.
    pub fn forget_below(&mut self, height: Height) {
        self.streams.retain(|_, stream| {
            let known = stream.head().map(|head| head.proposal.proposal.height);
            known.is_none_or(|of| of >= height)
        });
    }

    /// Bytes that all streams hold.
    pub fn bytes(&self) -> usize {
        self.streams.values().map(Stream::bytes).sum()
    }

    /// Number of streams, complete and refused ones included.
    pub fn len(&self) -> usize {
        self.streams.len()
    }

    /// True without any stream.
    pub fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }

    /// Keeps the limits after a message for `key`, whose publisher pays first.
    fn make_room(&mut self, key: &Key) {
        let publisher = key.0;
        while self.of(&publisher).count() > self.limits.peer_streams {
            self.drop_oldest(|(peer, _), _| *peer == publisher);
        }
        loop {
            let bytes: usize = self.of(&publisher).map(Stream::bytes).sum();
            if bytes <= self.limits.peer_bytes {
                break;
            }
            self.drop_oldest(|(peer, _), stream| *peer == publisher && stream.bytes() > 0);
        }
        while self.bytes() > self.limits.total_bytes {
            if !self.drop_oldest(|_, stream| stream.bytes() > 0 && stream.head().is_none()) {
                self.drop_oldest(|_, stream| stream.bytes() > 0);
            }
        }
        // Peers come and go: what they left behind must not add up.
        while self.streams.len() > self.limits.peer_streams.saturating_mul(64) {
            if !self.drop_oldest(|_, stream| stream.is_done || stream.head().is_none()) {
                self.drop_oldest(|_, _| true);
            }
        }
    }

    fn of(&self, publisher: &PeerId) -> impl Iterator<Item = &Stream> {
        let streams = self.streams.iter();
        streams.filter_map(move |((peer, _), stream)| (peer == publisher).then_some(stream))
    }

    fn drop_oldest(&mut self, pick: impl Fn(&Key, &Stream) -> bool) -> bool {
        let candidates = self
            .streams
            .iter()
            .filter(|(key, stream)| pick(key, stream));
        let oldest = candidates.min_by_key(|(_, stream)| stream.born);
        let Some(key) = oldest.map(|(key, _)| key.clone()) else {
            return false;
        };
        self.streams.remove(&key).is_some()
    }
}

#[cfg(test)]
mod tests {
    use soma_tests::world;
    use soma_types::consensus::{RoundProposal, SignedRoundProposal};
    use soma_types::{Address, Digest};

    use super::*;
    use crate::context::{Chunk, MAX_PART_BYTES};
    use crate::identity::somebody;
    use crate::parts::split;

    fn proposal() -> SignedRoundProposal {
        SignedRoundProposal {
            proposal: RoundProposal {
                height: 1,
                round: 0,
                block: Digest([1; 32]),
                valid_round: None,
                proposer: Address([1; 32]),
            },
            signature: world::key(1).sign_digest(&[1; 32]),
        }
    }

    #[test]
    fn parts_of_nothing_by_many_publishers_do_not_push_out_a_block() {
        let mut streams = Streams::new(StreamLimits {
            block_bytes: 1 << 20,
            peer_bytes: 1 << 20,
            peer_streams: 2,
            total_bytes: 1 << 22,
        });
        let honest = somebody();
        let id = |number: u8| StreamId::new(vec![number].into());
        let payload = Bytes::from(vec![5; 2 * MAX_PART_BYTES]);
        let mut messages = split(id(1), proposal(), &payload).into_iter();
        let first = messages.next().unwrap();
        assert_eq!(streams.take(honest, first, true), Taken::Waits);
        for _ in 0..1_000 {
            let chunk = Chunk::new(Bytes::from_static(&[1])).unwrap();
            let content = StreamContent::Data(Part::Data(chunk));
            streams.take(somebody(), StreamMessage::new(id(2), 1, content), true);
        }
        assert!(streams.len() <= 128, "{}", streams.len());
        let last = messages
            .map(|message| streams.take(honest, message, true))
            .last();
        let Some(Taken::Complete(complete)) = last else {
            panic!("{last:?}");
        };
        assert_eq!(complete.payload, payload);
    }
}
