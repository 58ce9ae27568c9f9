//! What travels between nodes: bytes on the engine's channels, written by the real codec.

use bytes::Bytes;
use malachite::app::consensus::{LivenessMsg, PeerId, SignedConsensusMsg};
use malachite::app::streaming::StreamMessage;
use malachite::app::types::codec::Codec;
use malachite_sync::{Request, Response, Status};
use soma_consensus::codec::WireCodec;
use soma_consensus::context::{Part, SomaContext};

/// The channels of the engine's network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Channel {
    /// Votes and proposals.
    Consensus,
    /// What helps a round on.
    Liveness,
    /// Blocks in parts, transactions.
    Parts,
    /// How far nodes are.
    Status,
    /// Questions for decided blocks.
    Request,
    /// Answers to them.
    Response,
}

/// Bytes on a channel.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    pub(crate) channel: Channel,
    pub(crate) bytes: Bytes,
    /// The question that a question or answer belongs to; 0 elsewhere.
    pub(crate) request: u64,
}

/// What a packet says.
#[derive(Clone, Debug)]
pub(crate) enum Message {
    Consensus(SignedConsensusMsg<SomaContext>),
    Liveness(LivenessMsg<SomaContext>),
    Part(StreamMessage<Part>),
    Status(Status<SomaContext>),
    Request(u64, Request<SomaContext>),
    Response(u64, Response<SomaContext>),
}

/// Whom a message is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum To {
    /// All other nodes.
    All,
    /// Nodes by place.
    Some(Vec<usize>),
}

/// A message on its way out of a node.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    pub(crate) to: To,
    pub(crate) message: Message,
}

impl Message {
    /// The bytes; none for what the codec refuses.
    pub(crate) fn encode(&self) -> Option<Packet> {
        let codec = WireCodec;
        let (channel, request, bytes) = match self {
            Self::Consensus(message) => (Channel::Consensus, 0, codec.encode(message)),
            Self::Liveness(message) => (Channel::Liveness, 0, codec.encode(message)),
            Self::Part(message) => (Channel::Parts, 0, codec.encode(message)),
            Self::Status(message) => (Channel::Status, 0, codec.encode(message)),
            Self::Request(id, message) => (Channel::Request, *id, codec.encode(message)),
            Self::Response(id, message) => (Channel::Response, *id, codec.encode(message)),
        };
        Some(Packet {
            channel,
            bytes: bytes.ok()?,
            request,
        })
    }
}

impl Packet {
    /// What it says; none for bytes that the codec refuses.
    pub(crate) fn decode(self) -> Option<Message> {
        let (codec, request, bytes) = (WireCodec, self.request, self.bytes);
        Some(match self.channel {
            Channel::Consensus => Message::Consensus(codec.decode(bytes).ok()?),
            Channel::Liveness => Message::Liveness(codec.decode(bytes).ok()?),
            Channel::Parts => Message::Part(codec.decode(bytes).ok()?),
            Channel::Status => Message::Status(codec.decode(bytes).ok()?),
            Channel::Request => Message::Request(request, codec.decode(bytes).ok()?),
            Channel::Response => Message::Response(request, codec.decode(bytes).ok()?),
        })
    }
}

/// The network identity of the node at `place`.
pub(crate) fn peer_of(place: usize) -> Option<PeerId> {
    // The form of an Ed25519 key's identity: a header, and 32 bytes that only need to differ.
    let mut bytes = vec![0x00, 0x24, 0x08, 0x01, 0x12, 0x20];
    bytes.extend([0; 24]);
    bytes.extend((place as u64).to_be_bytes());
    PeerId::from_bytes(&bytes).ok()
}
