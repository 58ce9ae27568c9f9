//! Validators that break the rules: an honest node's messages, changed on their way out.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::executor::block_on;
use malachite::app::consensus::SignedConsensusMsg;
use malachite::app::streaming::{StreamContent, StreamId, StreamMessage};
use malachite::app::types::core::SignedMessage;
use malachite_signing::Signer as _;
use malachite_sync::{Response, Status};
use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use soma_chain::VerifiedProposal;
use soma_consensus::Payload;
use soma_consensus::context::{Height, Part, SomaContext, Vote};
use soma_consensus::parts::split;
use soma_consensus::signing::ChainSigner;
use soma_crypto::SecretKey;
use soma_crypto::transaction::sign;
use soma_types::bounded::BoundedVec;
use soma_types::consensus::{RoundProposal, SignedRoundProposal, Vote as PlainVote, VoteKind};
use soma_types::{Address, Digest, Shannons, Transaction, TransactionKind};

use crate::node::Node;
use crate::packet::{Channel, Message, Outgoing, Packet, To};
use crate::plan::Habits;

type PartMessage = StreamMessage<Part>;
/// The two blocks of a round, by height and round.
pub(crate) type Pairs = BTreeMap<(u64, u32), (Digest, Digest)>;

/// What all byzantine validators of a run know: they act in concert.
#[derive(Debug, Default)]
pub(crate) struct Concert {
    /// Nodes that are told the one thing, and those that are told the other.
    pub(crate) sides: [Vec<usize>; 2],
    pub(crate) pairs: Pairs,
    /// Deeds, for the report.
    pub(crate) deeds: u64,
}

/// A packet and whom it is for.
pub(crate) type Sent = (To, Packet);

/// Changes what one validator sends.
pub(crate) struct Byzantine<'a> {
    pub(crate) habits: Habits,
    pub(crate) dice: &'a mut ChaCha8Rng,
    pub(crate) node: &'a Node,
    pub(crate) concert: &'a mut Concert,
    /// Proposals to be announced in place of the engine's.
    pub(crate) replaced: &'a mut BTreeMap<(u64, u32), Vec<(To, SignedRoundProposal)>>,
}

impl Byzantine<'_> {
    fn dares(&mut self, thousandths: u32) -> bool {
        let dares = self.dice.gen_range(0..1_000) < thousandths;
        self.concert.deeds += u64::from(dares);
        dares
    }

    fn signer(&self) -> Option<ChainSigner> {
        self.node.host().signer().cloned()
    }

    fn own_address(&self) -> Option<Address> {
        self.node.host().validator()
    }

    fn one_side(&mut self) -> To {
        To::Some(self.concert.sides[self.dice.gen_range(0..2)].clone())
    }

    /// What is sent instead of `outgoing`.
    pub(crate) fn corrupt(&mut self, outgoing: Vec<Outgoing>) -> Vec<Sent> {
        let mut sent = Vec::new();
        let mut outgoing = outgoing.into_iter().peekable();
        while let Some(Outgoing { to, message }) = outgoing.next() {
            match message {
                Message::Part(part) => {
                    let mut stream = vec![part];
                    while let Some(next) = outgoing.next_if(|next| {
                        matches!(&next.message, Message::Part(part)
                            if part.stream_id == stream[0].stream_id)
                    }) {
                        if let Message::Part(part) = next.message {
                            stream.push(part);
                        }
                    }
                    self.corrupt_stream(stream, &mut sent);
                }
                Message::Consensus(SignedConsensusMsg::Vote(vote)) => {
                    self.corrupt_vote(&vote, &mut sent);
                }
                Message::Consensus(SignedConsensusMsg::Proposal(proposal)) => {
                    let plain = proposal.message.to_plain();
                    match self.replaced.remove(&(plain.height, plain.round)) {
                        Some(instead) => {
                            for (to, signed) in instead {
                                let proposal = signed.proposal.into();
                                let signed = SignedMessage::new(proposal, signed.signature);
                                let message = SignedConsensusMsg::Proposal(signed);
                                push(&mut sent, to, &Message::Consensus(message));
                            }
                        }
                        None => {
                            let message = SignedConsensusMsg::Proposal(proposal);
                            push(&mut sent, to, &Message::Consensus(message));
                        }
                    }
                }
                Message::Response(id, response) => {
                    let response = self.corrupt_answer(response);
                    push(&mut sent, to, &Message::Response(id, response));
                }
                Message::Status(status) => {
                    let lies = self.dares(self.habits.lies);
                    let more = u64::from(lies) * self.dice.gen_range(0..50);
                    let tip_height = Height(status.tip_height.0 + more);
                    let status = Status {
                        tip_height,
                        ..status
                    };
                    push(&mut sent, to, &Message::Status(status));
                }
                other => push(&mut sent, to, &other),
            }
        }
        let mute = self.habits.mute;
        sent.retain(|_| !self.dares(mute));
        sent
    }

    fn corrupt_stream(&mut self, stream: Vec<PartMessage>, sent: &mut Vec<Sent>) {
        let own = self.own_proposal(&stream);
        if let Some((proposal, payload)) = own {
            if self.dares(self.habits.equivocates)
                && let Some(other) = self.other_block(&payload)
            {
                return self.propose_both(stream, proposal, &other, sent);
            }
            if self.dares(self.habits.invalid_blocks) {
                let mut bad = payload;
                self.dice.fill(&mut bad.block.header.state_root.0);
                return self.propose_instead(proposal, &bad, sent);
            }
        }
        let withholds = self.dares(self.habits.withholds);
        let lost = self.dice.gen_range(0..stream.len());
        let lucky = self.one_side();
        for (index, part) in stream.into_iter().enumerate() {
            let to = match withholds && index == lost {
                true => lucky.clone(),
                false => To::All,
            };
            push(sent, to, &Message::Part(part));
        }
    }

    /// The proposal and block of a whole stream that begins a round of this validator's.
    fn own_proposal(&self, stream: &[PartMessage]) -> Option<(RoundProposal, Payload)> {
        let own = self.own_address()?;
        let mut bytes = Vec::new();
        let mut head = None;
        for part in stream {
            match &part.content {
                StreamContent::Data(Part::Head(found)) => head = Some(found.proposal.proposal),
                StreamContent::Data(Part::Data(chunk)) => bytes.extend_from_slice(chunk),
                StreamContent::Data(Part::Transactions(_)) => return None,
                StreamContent::Fin => {}
            }
        }
        let proposal = head.filter(|head| head.proposer == own && head.valid_round.is_none())?;
        Some((proposal, Payload::decode(&bytes).ok()?))
    }

    /// Another valid block for the place of `payload`.
    fn other_block(&self, payload: &Payload) -> Option<Payload> {
        let header = &payload.block.header;
        let executed = self.node.chain().execute(&VerifiedProposal {
            height: header.height,
            time_ms: header.time_ms + 1,
            parent: header.parent,
            proposer: header.proposer,
            transactions: Vec::new(),
            misbehavior: payload.block.misbehavior.to_vec(),
            end_epoch: payload.block.end_epoch,
        });
        Some(Payload {
            block: executed.ok()?.block,
            evidence: payload.evidence.clone(),
        })
    }

    fn propose_both(
        &mut self,
        stream: Vec<PartMessage>,
        proposal: RoundProposal,
        other: &Payload,
        sent: &mut Vec<Sent>,
    ) {
        let Some(signer) = self.signer() else {
            return;
        };
        let place = (proposal.height, proposal.round);
        let second = RoundProposal {
            block: other.id().0,
            ..proposal
        };
        let pair = (proposal.block, second.block);
        self.concert.pairs.insert(place, pair);
        let [left, right] = self.concert.sides.clone().map(To::Some);
        let first = signer.sign_round_proposal(proposal);
        let second = signer.sign_round_proposal(second);
        for part in stream {
            push(sent, left.clone(), &Message::Part(part));
        }
        for part in self.parts(second, &other.encode()) {
            push(sent, right.clone(), &Message::Part(part));
        }
        // Now and then both are shown to all, which is proof.
        let is_open = self.dice.gen_bool(0.3);
        let (left, right) = if is_open {
            (To::All, To::All)
        } else {
            (left, right)
        };
        let both = vec![(left, first), (right, second)];
        self.replaced.insert(place, both);
    }

    fn propose_instead(&mut self, proposal: RoundProposal, bad: &Payload, sent: &mut Vec<Sent>) {
        let Some(signer) = self.signer() else {
            return;
        };
        let signed = signer.sign_round_proposal(RoundProposal {
            block: bad.id().0,
            ..proposal
        });
        for part in self.parts(signed, &bad.encode()) {
            push(sent, To::All, &Message::Part(part));
        }
        let place = (proposal.height, proposal.round);
        self.replaced.insert(place, vec![(To::All, signed)]);
    }

    fn parts(&mut self, signed: SignedRoundProposal, payload: &Bytes) -> Vec<PartMessage> {
        let id: [u8; 16] = self.dice.r#gen();
        split(StreamId::new(id.to_vec().into()), signed, payload)
    }

    fn corrupt_vote(&mut self, vote: &SignedMessage<SomaContext, Vote>, sent: &mut Vec<Sent>) {
        let plain = vote.message.to_plain();
        let pair = self
            .concert
            .pairs
            .get(&(plain.height, plain.round))
            .copied();
        if let Some((first, second)) = pair.filter(|_| plain.block.is_some()) {
            let [left, right] = self.concert.sides.clone().map(To::Some);
            self.vote(plain, Some(first), left, sent);
            self.vote(plain, Some(second), right, sent);
            self.concert.deeds += 1;
            return;
        }
        let message = SignedConsensusMsg::Vote(vote.clone());
        push(sent, To::All, &Message::Consensus(message));
        if self.dares(self.habits.equivocates) {
            let other = match plain.block {
                Some(_) => None,
                None => Some(Digest(self.dice.r#gen())),
            };
            let to = match self.dice.gen_bool(0.5) {
                true => To::All,
                false => self.one_side(),
            };
            self.vote(plain, other, to, sent);
        }
    }

    fn vote(&self, plain: PlainVote, block: Option<Digest>, to: To, sent: &mut Vec<Sent>) {
        let Some(signer) = self.signer() else {
            return;
        };
        let vote = Vote::from(PlainVote { block, ..plain });
        if let Ok(signed) = block_on(signer.sign_vote(vote)) {
            let message = SignedConsensusMsg::Vote(signed);
            push(sent, to, &Message::Consensus(message));
        }
    }

    fn corrupt_answer(&mut self, response: Response<SomaContext>) -> Response<SomaContext> {
        let Response::ValueResponse(mut response) = response;
        if self.dares(self.habits.lies) && !response.values.is_empty() {
            let place = self.dice.gen_range(0..response.values.len());
            let value = &mut response.values[place];
            match self.dice.gen_range(0..4) {
                0 => {
                    let length = self.dice.gen_range(0..value.value_bytes.len().max(1));
                    value.value_bytes.truncate(length);
                }
                1 => value.certificate.value_id.0 = Digest(self.dice.r#gen()),
                2 => value.certificate.commit_signatures.truncate(1),
                _ => response.values.clear(),
            }
        }
        Response::ValueResponse(response)
    }

    /// A part of no block, or a transaction that its sender did not sign.
    fn bad_part(&mut self) -> PartMessage {
        let id: [u8; 16] = self.dice.r#gen();
        let id = StreamId::new(id.to_vec().into());
        let key = SecretKey::from_bytes(&self.dice.r#gen());
        let (Some(sender), Ok(key), true) = (self.own_address(), key, self.dice.gen_bool(0.5))
        else {
            let sequence = self.dice.gen_range(1 << 40..u64::MAX);
            return StreamMessage::new(id, sequence, StreamContent::Fin);
        };
        let transaction = Transaction {
            chain_id: self.node.chain().chain_id(),
            sender,
            nonce: 0,
            expiry_height: u64::MAX,
            kind: TransactionKind::Transfer {
                recipient: key.address(),
                amount: Shannons(1),
            },
        };
        let forged = sign(transaction, &key);
        let part = Part::Transactions(BoundedVec::new(vec![forged]).unwrap_or_default());
        StreamMessage::new(id, 0, StreamContent::Data(part))
    }

    /// Something without sense, now and then.
    pub(crate) fn babble(&mut self) -> Vec<Sent> {
        let mut sent = Vec::new();
        if !self.dares(self.habits.garbage) {
            return sent;
        }
        let kind = self.dice.gen_range(0..4);
        if kind == 0 {
            let channels = [
                Channel::Consensus,
                Channel::Liveness,
                Channel::Parts,
                Channel::Status,
                Channel::Request,
                Channel::Response,
            ];
            let mut bytes = vec![0; self.dice.gen_range(0..200)];
            self.dice.fill(bytes.as_mut_slice());
            let packet = Packet {
                channel: channels
                    .choose(self.dice)
                    .copied()
                    .unwrap_or(Channel::Parts),
                bytes: bytes.into(),
                request: self.dice.gen_range(0..10),
            };
            sent.push((To::All, packet));
        } else if kind == 1 {
            let part = self.bad_part();
            push(&mut sent, To::All, &Message::Part(part));
        } else if let Some(validator) = self.own_address() {
            // Signed well, for a place far from here.
            let height = self.node.host().height();
            let vote = PlainVote {
                kind: VoteKind::Precommit,
                height: height.saturating_add(self.dice.gen_range(0..100)),
                round: self.dice.gen_range(0..1 << 20),
                block: self.dice.gen_bool(0.5).then(|| Digest(self.dice.r#gen())),
                validator,
            };
            self.vote(vote, vote.block, To::All, &mut sent);
        }
        sent
    }
}

fn push(sent: &mut Vec<Sent>, to: To, message: &Message) {
    if let Some(packet) = message.encode() {
        sent.push((to, packet));
    }
}
