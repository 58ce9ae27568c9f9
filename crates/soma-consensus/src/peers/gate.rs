//! Between the network and the engine: what comes in passes the [`Guard`] first.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use async_trait::async_trait;
use bytes::Bytes;
use malachite::app::engine::network::{Args, Msg, Network, State};
use malachite::app::types::PeerId;
use malachite::app::types::SignedConsensusMsg;
use malachite::app::types::codec::{Codec, HasEncodedLen};
use malachite::app::types::core::{Proposal as _, Validator as _, ValidatorSet as _, Vote as _};
use malachite::app::types::sync::Response;
use malachite_network::validator_proof::ProofVerificationResult;
use malachite_network::{Channel, Event};
use malachite_sync::{InboundRequestId, RawMessage, Status};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use soma_types::codec::DecodeError;
use soma_types::consensus::SignedRoundProposal;

use super::guard::{Admission, Fault, Guard, Source};
use crate::codec::{WireCodec, carries_transactions};
use crate::context::{Address, SomaContext};
use crate::engine::Histories;
use crate::signing::ChainVerifier;

type Message = Msg<SomaContext>;

/// Requests for blocks whose answers are awaited, at most.
const MAX_REQUESTS: usize = 4_096;

/// The engine's network with a guard in front of it.
pub(super) struct Gate {
    inner: Network<SomaContext, Attentive>,
    codec: Attentive,
    guard: Arc<Guard>,
    verifier: ChainVerifier,
    histories: Histories,
}

/// The network's state, and who waits for an answer.
pub(super) struct GateState {
    inner: State<SomaContext>,
    requests: HashMap<InboundRequestId, PeerId>,
}

impl Gate {
    pub(super) fn new(histories: Histories, guard: Arc<Guard>, verifier: ChainVerifier) -> Self {
        let codec = Attentive::default();
        Self {
            inner: Network::new(codec.clone(), tracing::Span::current()),
            codec,
            guard,
            verifier,
            histories,
        }
    }

    /// Whether a message may pass, and who is to blame should it not be decodable.
    async fn judge(
        &self,
        event: &Event,
        state: &mut GateState,
    ) -> Result<(bool, Option<PeerId>), ActorProcessingErr> {
        let now = Instant::now();
        let (admission, from, blamed) = match event {
            Event::ConsensusMessage(channel, from, publisher, data) => {
                let (from, publisher) = (*from, *publisher);
                let source = Source { from, publisher };
                let mut admission = self.guard.admit(now, source, data.len());
                if admission == Admission::Take && has_transactions(*channel, data) {
                    admission = self.guard.admit_transactions(now, source, data.len());
                }
                if admission == Admission::Take
                    && *channel == Channel::Consensus
                    && let Some(publisher) = publisher
                    && self.is_forged(data)
                {
                    self.guard.fault(now, publisher, Fault::Signature);
                    admission = Admission::Drop;
                }
                if admission == Admission::Take && *channel == Channel::Sync {
                    self.note(now, from, data);
                }
                (admission, from, publisher)
            }
            Event::LivenessMessage(_, from, data) => {
                let admission = self.guard.admit_liveness(now, *from, data.len());
                (admission, *from, None)
            }
            Event::ValidatorProofReceived {
                peer_id,
                proof_bytes,
            } => {
                let publisher = Some(*peer_id);
                let source = Source {
                    from: *peer_id,
                    publisher,
                };
                let admission = self.guard.admit(now, source, proof_bytes.len());
                (admission, *peer_id, publisher)
            }
            Event::Sync(RawMessage::Request {
                request_id, peer, ..
            }) => {
                let admission = self.guard.admit_request(now, *peer);
                if admission == Admission::Take {
                    let id = InboundRequestId::new(*request_id);
                    if state.requests.len() < MAX_REQUESTS {
                        state.requests.insert(id, *peer);
                    }
                } else if let State::Running { ctrl_handle, .. } = &mut state.inner {
                    ctrl_handle.sync_cancel_reply(*request_id).await?;
                }
                (admission, *peer, Some(*peer))
            }
            // This node asked for it.
            Event::Sync(RawMessage::Response { peer, .. }) => (Admission::Take, *peer, Some(*peer)),
            Event::PeerConnected(peer) => {
                let admission = match self.guard.connected(now, *peer) {
                    true => Admission::Take,
                    false => Admission::Disconnect,
                };
                (admission, *peer, None)
            }
            Event::PeerDisconnected(peer) => {
                self.guard.disconnected(peer);
                self.histories.forget(peer);
                state.requests.retain(|_, from| *from != *peer);
                return Ok((true, None));
            }
            Event::SyncInboundRequestFailed { request_id, .. } => {
                let id = InboundRequestId::new(*request_id);
                state.requests.remove(&id);
                return Ok((true, None));
            }
            _ => return Ok((true, None)),
        };
        if admission == Admission::Disconnect
            && let State::Running { ctrl_handle, .. } = &mut state.inner
        {
            // The network has no other word for it.
            let refuse = ProofVerificationResult::Invalid;
            ctrl_handle
                .validator_proof_verified(from, refuse, None)
                .await?;
        }
        Ok((admission == Admission::Take, blamed))
    }

    /// Notes what `from` says of its own blocks; what it says of others does not count.
    fn note(&self, now: Instant, from: PeerId, data: &Bytes) {
        let decoded: Result<Status<SomaContext>, _> = WireCodec.decode(data.clone());
        // What is not decodable is seen later.
        if let Ok(status) = decoded
            && status.peer_id == from
        {
            let (lowest, highest) = (status.history_min_height.0, status.tip_height.0);
            self.histories.note(now, from, lowest, highest);
        }
    }

    /// True for a vote or proposal of the height in work that its validator did not sign.
    fn is_forged(&self, data: &Bytes) -> bool {
        let decoded: Result<SignedConsensusMsg<SomaContext>, _> = WireCodec.decode(data.clone());
        // What is not decodable is seen later.
        let Ok(message) = decoded else {
            return false;
        };
        let Some(validators) = self.guard.committee(message.height().0) else {
            return false;
        };
        let key = |address: &Address| {
            let validator = validators.get_by_address(address);
            validator.map(|validator| *validator.public_key())
        };
        match &message {
            SignedConsensusMsg::Vote(vote) => key(vote.validator_address()).is_some_and(|key| {
                let (message, signature) = (&vote.message, &vote.signature);
                !self.verifier.is_signed_vote(message, signature, &key)
            }),
            SignedConsensusMsg::Proposal(signed) => {
                key(signed.validator_address()).is_some_and(|key| {
                    let signed = SignedRoundProposal {
                        proposal: signed.message.to_plain(),
                        signature: signed.signature,
                    };
                    !self.verifier.is_signed_proposal(&signed, &key)
                })
            }
        }
    }
}

fn has_transactions(channel: Channel, data: &[u8]) -> bool {
    channel == Channel::ProposalParts && carries_transactions(data)
}

#[async_trait]
impl Actor for Gate {
    type Msg = Message;
    type State = GateState;
    type Arguments = Args;

    async fn pre_start(
        &self,
        myself: ActorRef<Message>,
        args: Args,
    ) -> Result<GateState, ActorProcessingErr> {
        Ok(GateState {
            inner: self.inner.pre_start(myself, args).await?,
            requests: HashMap::new(),
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        state: &mut GateState,
    ) -> Result<(), ActorProcessingErr> {
        let mut blamed = None;
        let message = match message {
            Msg::NewEvent(event) => {
                let (passes, publisher) = self.judge(&event, state).await?;
                if !passes {
                    return Ok(());
                }
                blamed = publisher;
                Msg::NewEvent(event)
            }
            Msg::OutgoingResponse(id, response) => {
                if let Some(peer) = state.requests.remove(&id) {
                    let bytes = self.codec.encoded_len(&response).unwrap_or_default();
                    self.guard.answered(Instant::now(), peer, bytes);
                }
                Msg::OutgoingResponse(id, response)
            }
            Msg::CancelInboundRequest(id) => {
                state.requests.remove(&id);
                Msg::CancelInboundRequest(id)
            }
            other => other,
        };
        self.codec.failed.store(false, Ordering::Relaxed);
        self.inner.handle(myself, message, &mut state.inner).await?;
        if self.codec.failed.load(Ordering::Relaxed)
            && let Some(publisher) = blamed
        {
            self.guard
                .fault(Instant::now(), publisher, Fault::Undecodable);
        }
        Ok(())
    }

    async fn post_stop(
        &self,
        myself: ActorRef<Message>,
        state: &mut GateState,
    ) -> Result<(), ActorProcessingErr> {
        self.inner.post_stop(myself, &mut state.inner).await
    }
}

/// The codec of the network, which remembers whether something could not be decoded: the engine
/// only logs it. One message is handled at a time.
#[derive(Clone, Default)]
pub(super) struct Attentive {
    failed: Arc<AtomicBool>,
}

impl<T> Codec<T> for Attentive
where
    WireCodec: Codec<T, Error = DecodeError>,
{
    type Error = DecodeError;

    fn decode(&self, bytes: Bytes) -> Result<T, DecodeError> {
        let decoded = WireCodec.decode(bytes);
        if decoded.is_err() {
            self.failed.store(true, Ordering::Relaxed);
        }
        decoded
    }

    fn encode(&self, value: &T) -> Result<Bytes, DecodeError> {
        WireCodec.encode(value)
    }
}

impl HasEncodedLen<Response<SomaContext>> for Attentive {
    fn encoded_len(&self, response: &Response<SomaContext>) -> Result<usize, DecodeError> {
        WireCodec.encoded_len(response)
    }
}

#[cfg(test)]
mod tests {
    use soma_types::ChainId;

    use super::*;
    use crate::config::{Bans, Limits};
    use crate::context::Height;
    use crate::identity::somebody;

    #[test]
    fn a_peer_is_believed_about_its_own_blocks_only() {
        let histories = Histories::default();
        let guard = Arc::new(Guard::new(Limits::default(), Bans::default()));
        let verifier = ChainVerifier::new(ChainId([1; 32]));
        let gate = Gate::new(histories.clone(), guard, verifier);
        let (peer, now) = (somebody(), Instant::now());
        let status = Status {
            peer_id: peer,
            tip_height: Height(9),
            history_min_height: Height(1),
        };
        let data = WireCodec.encode(&status).unwrap();
        gate.note(now, somebody(), &data);
        assert_eq!(histories.len(), 0);
        gate.note(now, peer, &data);
        assert_eq!(histories.len(), 1);
    }
}
