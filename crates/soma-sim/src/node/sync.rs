//! Catching up: the engine's real sync state, driven step by step.
//!
//! That state picks peers by an unordered map and by measured times, which differ from run to run.
//! So it is told of one peer at a time, which the run's own dice pick; when that one does not
//! deliver, it is told that the peer has gone, and of another.

use std::collections::{BTreeMap, VecDeque};
use std::ops::RangeInclusive;
use std::time::Duration;

use malachite::app::consensus::PeerId;
use malachite::app::consensus::util::bounded_queue::BoundedQueue;
use malachite::app::types::core::ValueResponse as Decided;
use malachite_sync::{
    self as engine, Config, Effect, HeightStartType, InboundRequestId, Input, Metrics,
    OutboundRequestId, RawDecidedValue, Request, Response, Resumable as _, Resume, State, Status,
    ValueRequest, ValueResponse,
};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use soma_consensus::context::{Height, SomaContext};

use super::core::SyncMail;
use super::timers::Timer;
use crate::packet::Message;

type SyncError = engine::Error<SomaContext>;
type Inputs = VecDeque<Input<SomaContext>>;

/// Something that the node is to do.
pub(crate) enum Do {
    /// Give consensus a decided block.
    Process(u64, Decided<SomaContext>),
    /// Send to a peer.
    Send(PeerId, Message),
    /// Tell all how far this node is.
    Announce(Height),
    /// Look for blocks to answer a question with.
    Read(InboundRequestId, RangeInclusive<Height>),
    /// Set a timer.
    Set(Timer, Duration),
    /// Cancel one.
    Cancel(Timer),
}

/// A question that was sent.
struct Sent {
    id: OutboundRequestId,
    peer: PeerId,
    request: Request<SomaContext>,
}

/// What effects work with.
struct Shell {
    tasks: Vec<Do>,
    queue: BoundedQueue<Height, (u64, Decided<SomaContext>)>,
    inflight: BTreeMap<u64, Sent>,
    questions: BTreeMap<InboundRequestId, (PeerId, u64)>,
    sent: u64,
    timeout: Duration,
}

/// The catching-up side of a node.
pub(crate) struct Sync {
    state: State<SomaContext>,
    metrics: Metrics,
    shell: Shell,
    dice: ChaCha8Rng,
    /// What peers said last.
    statuses: BTreeMap<PeerId, Status<SomaContext>>,
    /// The peer that the state knows.
    peer: Option<PeerId>,
    attempts: BTreeMap<Height, u32>,
}

impl Sync {
    /// Asks again after `timeout`. Requests are numbered from `first_request` on.
    pub(crate) fn new(seed: u64, timeout: Duration, first_request: u64) -> Self {
        let config = Config::default()
            .with_request_timeout(timeout)
            // The limit counts real time, of which a run takes none worth counting.
            .with_max_inbound_requests_per_window(1_000_000);
        let capacity = config.read_ahead_window().saturating_mul(2);
        let dice = ChaCha8Rng::seed_from_u64(seed);
        Self {
            state: State::new(Box::new(dice.clone()), config),
            metrics: Metrics::default(),
            shell: Shell {
                tasks: Vec::new(),
                queue: BoundedQueue::new(capacity, capacity),
                inflight: BTreeMap::new(),
                questions: BTreeMap::new(),
                sent: first_request,
                timeout,
            },
            dice,
            statuses: BTreeMap::new(),
            peer: None,
            attempts: BTreeMap::new(),
        }
    }

    /// What is to be done since the last call.
    pub(crate) fn take_tasks(&mut self) -> Vec<Do> {
        std::mem::take(&mut self.shell.tasks)
    }

    /// Hears from consensus.
    pub(crate) fn hear(&mut self, mail: SyncMail) -> Result<(), SyncError> {
        match mail {
            SyncMail::Started(height) => {
                self.process(Input::StartedHeight(height, HeightStartType::Start))?;
                let ready: Vec<_> = self.shell.queue.shift_and_take(&height).collect();
                for (request, value) in ready {
                    self.shell.tasks.push(Do::Process(request, value));
                }
                Ok(())
            }
            SyncMail::Committed(height) => {
                self.attempts.retain(|of, _| *of > height);
                self.process(Input::Decided(height))
            }
            SyncMail::Fault(height, request) => {
                self.shell.queue.retain(|_, (of, _)| *of != request);
                let id = OutboundRequestId::new(request);
                if let Some(peer) = self.peer {
                    self.process(Input::PeerFault(peer, height, id))?;
                }
                self.change_peer()
            }
            SyncMail::Transient(height) => {
                let attempts = self.attempts.entry(height).or_default();
                *attempts += 1;
                let wait = 100u64 << (*attempts - 1).min(4);
                let wait = Duration::from_millis(wait.min(1_000));
                let again = Do::Set(Timer::Again(height.0), wait);
                self.shell.tasks.push(again);
                Ok(())
            }
        }
    }

    /// Hears from a peer. A status is the peer's word only.
    pub(crate) fn receive(&mut self, from: PeerId, message: Message) -> Result<(), SyncError> {
        match message {
            Message::Status(status) => {
                let status = Status {
                    peer_id: from,
                    ..status
                };
                self.statuses.insert(from, status.clone());
                match self.peer {
                    None => self.change_peer(),
                    Some(peer) if peer == from => self.process(Input::Status(status)),
                    Some(_) => Ok(()),
                }
            }
            Message::Request(number, Request::ValueRequest(request)) => {
                let id = InboundRequestId::new(format!("{from}/{number}"));
                self.shell.questions.insert(id.clone(), (from, number));
                self.process(Input::ValueRequest(id, from, request))
            }
            Message::Response(number, Response::ValueResponse(response)) => {
                let is_its = |sent: &Sent| sent.peer == from;
                if !self.shell.inflight.get(&number).is_some_and(is_its) {
                    return Ok(());
                }
                self.shell.inflight.remove(&number);
                self.shell.tasks.push(Do::Cancel(Timer::Request(number)));
                let id = OutboundRequestId::new(number);
                let is_bad = response.values.is_empty();
                self.process(Input::ValueResponse(id, from, Some(response)))?;
                match is_bad {
                    true => self.change_peer(),
                    false => Ok(()),
                }
            }
            Message::Consensus(_) | Message::Liveness(_) | Message::Part(_) => Ok(()),
        }
    }

    /// The blocks for a question.
    pub(crate) fn answer(
        &mut self,
        id: InboundRequestId,
        range: RangeInclusive<Height>,
        values: Vec<RawDecidedValue<SomaContext>>,
    ) -> Result<(), SyncError> {
        self.process(Input::GotDecidedValues(id, range, values))
    }

    /// A timer of this side has fired.
    pub(crate) fn fire(&mut self, timer: Timer) -> Result<(), SyncError> {
        match timer {
            Timer::Status => self.process(Input::SendStatusUpdate),
            Timer::Retry => {
                self.change_peer()?;
                self.process(Input::TryRequestValues)
            }
            Timer::Request(number) => {
                let Some(sent) = self.shell.inflight.remove(&number) else {
                    return Ok(());
                };
                let timed_out = Input::SyncRequestTimedOut(sent.id, sent.peer, sent.request);
                self.process(timed_out)?;
                self.change_peer()
            }
            Timer::Again(height) => self.process(Input::LocalTransientError(Height(height))),
            Timer::Round(..) | Timer::GoOn => Ok(()),
        }
    }

    /// Turns to a random peer that says it has what this node lacks.
    fn change_peer(&mut self) -> Result<(), SyncError> {
        let own = self.state.tip_height;
        let useful: Vec<_> = self
            .statuses
            .values()
            .filter(|status| status.tip_height > own || self.peer.is_none())
            .cloned()
            .collect();
        if useful.is_empty() {
            return Ok(());
        }
        let status = useful[self.dice.gen_range(0..useful.len())].clone();
        if let Some(old) = self.peer.replace(status.peer_id)
            && old != status.peer_id
        {
            self.shell.inflight.retain(|_, sent| sent.peer != old);
            self.process(Input::PeerDisconnected(old))?;
        }
        self.process(Input::Status(status))
    }

    fn process(&mut self, input: Input<SomaContext>) -> Result<(), SyncError> {
        let mut inputs = Inputs::from([input]);
        while let Some(input) = inputs.pop_front() {
            self.step(input)?;
        }
        Ok(())
    }

    fn step(&mut self, input: Input<SomaContext>) -> Result<(), SyncError> {
        let consensus = self.state.consensus_height;
        let shell = &mut self.shell;
        let state = &mut self.state;
        engine::process!(
            input: input,
            state: state,
            metrics: &self.metrics,
            with: effect => Ok::<_, SyncError>(shell.handle(effect, consensus))
        )
    }
}

impl Shell {
    fn handle(&mut self, effect: Effect<SomaContext>, consensus: Height) -> Resume<SomaContext> {
        match effect {
            Effect::BroadcastStatus(height, r) => {
                self.tasks.push(Do::Announce(height));
                r.resume_with(())
            }
            Effect::SendValueRequest(peer, request, r) => {
                let id = self.ask(peer, request);
                r.resume_with(Some(id))
            }
            Effect::SendValueResponse(id, response, r) => {
                if let Some((peer, number)) = self.questions.remove(&id) {
                    let response = Response::ValueResponse(response);
                    let answer = Message::Response(number, response);
                    self.tasks.push(Do::Send(peer, answer));
                }
                r.resume_with(())
            }
            Effect::GetDecidedValues(id, range, r) => {
                self.tasks.push(Do::Read(id, range));
                r.resume_with(())
            }
            Effect::ProcessValueResponse(peer, id, response, r) => {
                self.take(peer, &id, response, consensus);
                r.resume_with(())
            }
            Effect::CancelValueRequest(id, r) => {
                let of = |sent: &Sent| sent.id == id;
                let number = self.inflight.iter().find(|(_, sent)| of(sent));
                if let Some(number) = number.map(|(number, _)| *number) {
                    self.inflight.remove(&number);
                    self.tasks.push(Do::Cancel(Timer::Request(number)));
                }
                r.resume_with(())
            }
        }
    }

    fn ask(&mut self, peer: PeerId, request: ValueRequest<SomaContext>) -> OutboundRequestId {
        self.sent += 1;
        let (number, request) = (self.sent, Request::ValueRequest(request));
        let id = OutboundRequestId::new(number);
        let message = Message::Request(number, request.clone());
        self.tasks.push(Do::Send(peer, message));
        self.tasks
            .push(Do::Set(Timer::Request(number), self.timeout));
        let sent = Sent {
            id: id.clone(),
            peer,
            request,
        };
        self.inflight.insert(number, sent);
        id
    }

    /// Blocks of the height in work go to consensus, later ones wait.
    fn take(
        &mut self,
        peer: PeerId,
        id: &OutboundRequestId,
        response: ValueResponse<SomaContext>,
        consensus: Height,
    ) {
        let number = id.to_string().parse().unwrap_or_default();
        for value in response.values {
            let height = value.height();
            let value = value.to_core(peer);
            if height == consensus {
                self.tasks.push(Do::Process(number, value));
            } else if height > consensus {
                self.queue.push(height, (number, value));
            }
        }
    }
}
