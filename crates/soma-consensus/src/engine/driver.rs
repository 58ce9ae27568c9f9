//! The loop over the engine's channels.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use malachite::app::consensus::{Role, VoteExtensionError};
use malachite::app::engine::host::{HeightParams, Next, SyncedValueOutcome};
use malachite::app::engine::util::events::Event;
use malachite::app::streaming::{StreamContent, StreamId, StreamMessage};
use malachite::app::types::core::{
    LinearTimeouts, Proposal as _, Round, Validator as _, ValidatorSet as _, Vote as _,
};
use malachite::app::types::{LocallyProposedValue, PeerId, ProposedValue, SignedConsensusMsg};
use malachite::{AppMsg, Channels, NetworkMsg, Reply};
use soma_types::consensus::SignedRoundProposal;
use soma_types::{Height as PlainHeight, SignedTransaction};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::desk::{Desk, Own, Proposer, Synced};
use super::gossip::{Meter, messages};
use super::handle::Status;
use super::pace::Pace;
use crate::application::Application;
use crate::codec::commit_certificate;
use crate::config::ConsensusConfig;
use crate::context::{
    Address, BlockId, Height, Part, SomaContext, StreamHead, ValidatorSet, Value, defined,
};
use crate::error::ConsensusError;
use crate::evidence::EvidencePool;
use crate::parts::{Complete, Streams, split};
use crate::proposer::proposer;
use crate::signing::ChainVerifier;

/// Heights after the one in work whose blocks are kept for later.
const HEIGHTS_AHEAD: u64 = 8;
/// Rounds after the one in work whose blocks are taken.
const ROUNDS_AHEAD: u32 = 3;
/// Blocks of later heights that are kept.
const MAX_LATER: usize = 16;

type Message = AppMsg<SomaContext>;

/// Everything that the loop works with.
pub(super) struct Driver<A> {
    desk: Arc<Desk<A>>,
    verifier: ChainVerifier,
    proposer: Option<Proposer>,
    timeouts: LinearTimeouts,
    streams: Streams,
    /// Blocks of later heights, complete but not judged.
    later: Vec<Complete>,
    later_bytes: usize,
    max_later_bytes: usize,
    evidence: EvidencePool,
    meter: Meter,
    pace: Pace,
    /// The validators of the height in work.
    validators: Option<ValidatorSet>,
    round: u32,
    /// The engine's question whether to go on.
    waiting: Option<Reply<Next<SomaContext>>>,
    status: watch::Sender<Status>,
    stream_count: u64,
}

impl<A: Application> Driver<A> {
    pub(super) fn new(
        config: &ConsensusConfig,
        desk: Desk<A>,
        verifier: ChainVerifier,
        proposer: Option<Proposer>,
        status: watch::Sender<Status>,
    ) -> Self {
        let limits = &config.limits;
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
        let stream_count = since_epoch.map_or(0, |time| time.as_nanos() as u64);
        Self {
            desk: Arc::new(desk),
            verifier,
            proposer,
            timeouts: config.timeouts.to_engine(),
            streams: Streams::new(limits.streams()),
            later: Vec::new(),
            later_bytes: 0,
            max_later_bytes: limits.total_bytes,
            evidence: EvidencePool::default(),
            meter: Meter::new(limits.gossip_bytes_per_second),
            pace: Pace::new(Duration::from_millis(config.min_interval_ms)),
            validators: None,
            round: 0,
            waiting: None,
            status,
            stream_count,
        }
    }

    /// Answers the engine until it ends, or `stop`.
    pub(super) async fn run(
        mut self,
        mut channels: Channels<SomaContext>,
        mut outbox: mpsc::Receiver<Vec<SignedTransaction>>,
        stop: CancellationToken,
    ) -> Result<(), ConsensusError> {
        let mut events = channels.events.subscribe();
        let wake = self.desk.application().wake();
        let network = channels.network.clone();
        loop {
            let due = self.due();
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                message = channels.consensus.recv() => match message {
                    Some(message) => self.answer(message, &network).await?,
                    None if stop.is_cancelled() => return Ok(()),
                    None => return Err(ConsensusError::Stopped { height: self.desk.height() }),
                },
                () = until(due) => self.go_on(),
                () = wake.notified(), if self.waiting.is_some() => {}
                event = events.recv() => self.hear(event),
                Some(transactions) = outbox.recv() => self.send(transactions, &network).await,
            }
        }
    }

    /// Listens whether the others have gone on: to signed messages of heights not started here.
    fn hear(&mut self, event: Result<Event<SomaContext>, RecvError>) {
        let Ok(Event::Received(message)) = event else {
            return;
        };
        let next = self.desk.height();
        let first = next + u64::from(self.waiting.is_none());
        let height = message.height().0;
        let is_news = height > self.pace.heard();
        if is_news
            && (first..=next.saturating_add(HEIGHTS_AHEAD)).contains(&height)
            && self.is_signed(&message)
        {
            self.pace.hear(height);
        }
    }

    fn is_signed(&self, message: &SignedConsensusMsg<SomaContext>) -> bool {
        let Some(validators) = &self.validators else {
            return false;
        };
        let key = |address: &Address| validators.get_by_address(address).map(|v| *v.public_key());
        match message {
            SignedConsensusMsg::Vote(vote) => key(vote.validator_address()).is_some_and(|key| {
                self.verifier
                    .is_signed_vote(&vote.message, &vote.signature, &key)
            }),
            SignedConsensusMsg::Proposal(signed) => {
                key(signed.validator_address()).is_some_and(|key| {
                    let signed = SignedRoundProposal {
                        proposal: signed.message.to_plain(),
                        signature: signed.signature,
                    };
                    self.verifier.is_signed_proposal(&signed, &key)
                })
            }
        }
    }

    async fn answer(
        &mut self,
        message: Message,
        network: &mpsc::Sender<NetworkMsg<SomaContext>>,
    ) -> Result<(), ConsensusError> {
        match message {
            AppMsg::ConsensusReady { reply } => {
                self.prepare().await?;
                if let Some(start) = self.start_height() {
                    send(reply, start);
                }
            }
            AppMsg::StartedRound {
                height,
                round,
                role,
                reply_value,
                ..
            } => {
                let known = self.started(height, round, role).await?;
                send(reply_value, known);
            }
            AppMsg::GetValue {
                height,
                round,
                timeout,
                reply,
            } => self.propose(height, round, timeout, reply, network).await?,
            AppMsg::ExtendVote { reply, .. } => send(reply, None),
            AppMsg::VerifyVoteExtensions {
                extensions, reply, ..
            } => {
                let refuse = |(address, ())| (address, Err(REFUSED));
                send(reply, extensions.into_iter().map(refuse).collect());
            }
            AppMsg::RestreamProposal {
                round,
                valid_round,
                address,
                value_id,
                ..
            } => {
                self.restream(round, valid_round, address, value_id, network)
                    .await?;
            }
            AppMsg::GetHistoryMinHeight { reply } => {
                let earliest = self.blocking(|desk| desk.application().earliest()).await?;
                send(reply, Height(earliest));
            }
            AppMsg::ReceivedProposalPart {
                from,
                published_by,
                part,
                reply,
            } => {
                let publisher = published_by.unwrap_or(from);
                let value = self.receive(publisher, part).await?;
                send(reply, value);
            }
            AppMsg::Decided {
                certificate, reply, ..
            } => {
                let certificate = commit_certificate(&certificate);
                let decide = move |desk: &Desk<A>| desk.decide(&certificate);
                if let Some(decided) = self.blocking(decide).await? {
                    self.evidence.settle(&decided.payload.block.misbehavior);
                    self.pace.set_behind(decided.by_sync);
                    self.prepare().await?;
                }
                send(reply, ());
            }
            AppMsg::Finalized {
                evidence, reply, ..
            } => {
                self.evidence.collect(&evidence);
                self.waiting = Some(reply);
            }
            AppMsg::GetDecidedValues { range, reply } => {
                let range = range.start().0..=range.end().0;
                let found = self.blocking(move |desk| desk.decided(range)).await?;
                send(reply, found);
            }
            AppMsg::ProcessSyncedValue {
                height,
                round,
                proposer,
                value_bytes,
                reply,
            } => {
                self.pace.hear(self.desk.height().min(height.0));
                let sync = move |desk: &Desk<A>| {
                    desk.sync(height.0, defined(round), proposer.0, &value_bytes)
                };
                let outcome = match self.blocking(sync).await? {
                    Synced::Judged(value) => SyncedValueOutcome::Verdict(value),
                    Synced::Busy => SyncedValueOutcome::LocalTransientError,
                    Synced::Bad(reason) => {
                        tracing::error!(height = height.0, %reason, "a peer's block is of no use");
                        SyncedValueOutcome::PeerFault
                    }
                };
                send(reply, outcome);
            }
        }
        Ok(())
    }

    /// Runs what blocks on a thread of its own.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Desk<A>) -> Result<T, ConsensusError> + Send + 'static,
    ) -> Result<T, ConsensusError> {
        let desk = Arc::clone(&self.desk);
        let done = tokio::task::spawn_blocking(move || work(&desk)).await;
        done.map_err(|error| ConsensusError::Panicked(error.to_string()))?
    }

    /// When to go on, while the engine waits.
    fn due(&self) -> Option<Instant> {
        self.waiting.as_ref()?;
        let demand = self.desk.application().demand();
        Some(self.pace.due(Instant::now(), self.desk.height(), demand))
    }

    /// Tells the engine to go on.
    fn go_on(&mut self) {
        if let Some(reply) = self.waiting.take()
            && let Some((height, parameters)) = self.start_height()
        {
            send(reply, Next::Start(height, parameters));
        }
    }

    /// Reads the validators of the next height; the key that this node signs with follows them.
    async fn prepare(&mut self) -> Result<(), ConsensusError> {
        let height = self.desk.height();
        let committee = self
            .blocking(move |desk| desk.application().committee(height))
            .await?;
        let validators = ValidatorSet::new(committee)?;
        if let Some(own) = &self.proposer
            && let Some(member) = validators.committee().member(&own.address)
            && !own.signer.activate(&member.consensus_key)
        {
            return Err(ConsensusError::MissingKey {
                validator: own.address,
                expected: member.consensus_key,
                height,
            });
        }
        self.validators = Some(validators);
        self.round = 0;
        Ok(())
    }

    fn start_height(&mut self) -> Option<(Height, HeightParams<SomaContext>)> {
        let validators = self.validators.clone()?;
        self.pace.start(Instant::now());
        let parameters = HeightParams::new(validators, self.timeouts, None);
        Some((Height(self.desk.height()), parameters))
    }

    async fn started(
        &mut self,
        height: Height,
        round: Round,
        role: Role,
    ) -> Result<Vec<ProposedValue<SomaContext>>, ConsensusError> {
        self.round = defined(round);
        self.status.send_replace(Status {
            height: height.0,
            round: self.round,
            is_validator: role != Role::None,
        });
        self.streams.forget_below(height.0);
        let later = std::mem::take(&mut self.later);
        let (now, later): (Vec<_>, Vec<_>) = later
            .into_iter()
            .filter(|complete| height_of(&complete.head) >= height.0)
            .partition(|complete| height_of(&complete.head) == height.0);
        self.later_bytes = later.iter().map(|complete| complete.payload.len()).sum();
        self.later = later;
        for complete in now {
            if self.is_wanted(&complete.head) {
                self.blocking(move |desk| desk.receive(&complete)).await?;
            }
        }
        let known = self.blocking(move |desk| Ok(desk.proposed(height.0, round)));
        known.await
    }

    async fn propose(
        &mut self,
        height: Height,
        round: Round,
        timeout: Duration,
        reply: Reply<LocallyProposedValue<SomaContext>>,
        network: &mpsc::Sender<NetworkMsg<SomaContext>>,
    ) -> Result<(), ConsensusError> {
        let evidence = self.evidence.pending();
        let number = defined(round);
        let build = move |desk: &Desk<A>| desk.propose(height.0, number, timeout, evidence);
        // Without an answer the round times out.
        if let Some(own) = self.blocking(build).await? {
            let value = Value(BlockId(own.signed.proposal.block));
            send(reply, LocallyProposedValue::new(height, round, value));
            self.publish(own, network).await;
        }
        Ok(())
    }

    async fn restream(
        &mut self,
        round: Round,
        valid_round: Round,
        address: Address,
        id: BlockId,
        network: &mpsc::Sender<NetworkMsg<SomaContext>>,
    ) -> Result<(), ConsensusError> {
        let again =
            move |desk: &Desk<A>| desk.restream(defined(round), valid_round, address.0, id.0);
        if let Some(own) = self.blocking(again).await? {
            self.publish(own, network).await;
        }
        Ok(())
    }

    async fn publish(&mut self, own: Own, network: &mpsc::Sender<NetworkMsg<SomaContext>>) {
        let stream = self.stream();
        for message in split(stream, own.signed, &own.payload) {
            // The engine has ended when this fails; the loop will see it.
            let _ = network.send(NetworkMsg::PublishProposalPart(message)).await;
        }
    }

    async fn send(
        &mut self,
        transactions: Vec<SignedTransaction>,
        network: &mpsc::Sender<NetworkMsg<SomaContext>>,
    ) {
        for message in messages(transactions, || self.stream()) {
            let _ = network.send(NetworkMsg::PublishProposalPart(message)).await;
        }
    }

    /// An id that no other stream of this node has, also not before a restart.
    fn stream(&mut self) -> StreamId {
        self.stream_count = self.stream_count.wrapping_add(1);
        StreamId::new(self.stream_count.to_be_bytes().to_vec().into())
    }

    async fn receive(
        &mut self,
        publisher: PeerId,
        message: StreamMessage<Part>,
    ) -> Result<Option<ProposedValue<SomaContext>>, ConsensusError> {
        if let StreamContent::Data(Part::Transactions(transactions)) = message.content {
            let size = soma_types::codec::encode(&transactions).len();
            if self.meter.allows(publisher, size) {
                let transactions = transactions.into_vec();
                self.desk.application().receive(transactions);
            }
            return Ok(None);
        }
        let wanted = match &message.content {
            StreamContent::Data(Part::Head(head)) => self.is_wanted(head),
            _ => true,
        };
        let complete = self.streams.take(publisher, message, wanted);
        let Some(complete) = complete else {
            return Ok(None);
        };
        let height = self.desk.height();
        if height_of(&complete.head) > height {
            self.keep_for_later(complete);
            return Ok(None);
        }
        self.pace.hear(height);
        self.blocking(move |desk| desk.receive(&complete)).await
    }

    fn keep_for_later(&mut self, complete: Complete) {
        let bytes = self.later_bytes.saturating_add(complete.payload.len());
        let is_known = self.later.iter().any(|one| one.head == complete.head);
        if !is_known && self.later.len() < MAX_LATER && bytes <= self.max_later_bytes {
            self.later_bytes = bytes;
            self.later.push(complete);
        }
    }

    /// True when a stream with this head may bring a block that this node needs, and its proposer
    /// signed it.
    fn is_wanted(&self, head: &StreamHead) -> bool {
        let signed = &head.proposal;
        let proposal = &signed.proposal;
        let height = self.desk.height();
        let Some(validators) = &self.validators else {
            return false;
        };
        let by = if proposal.height == height {
            if proposal.round > self.round.saturating_add(ROUNDS_AHEAD) || self.desk.has(proposal) {
                return false;
            }
            proposer(validators, Height(height), proposal.round)
        } else if (height..=height.saturating_add(HEIGHTS_AHEAD)).contains(&proposal.height) {
            // The committee may change on the way; then the block comes again, or by sync.
            proposer(validators, Height(proposal.height), proposal.round)
        } else {
            return false;
        };
        by.address().0 == proposal.proposer
            && self.verifier.is_signed_proposal(signed, by.public_key())
    }
}

const REFUSED: VoteExtensionError = VoteExtensionError::InvalidVoteExtension;

fn height_of(head: &StreamHead) -> PlainHeight {
    head.proposal.proposal.height
}

/// Answers the engine. When it does not listen any more it is ending, and the loop will see it.
fn send<T>(reply: Reply<T>, answer: T) {
    let _ = reply.send(answer);
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}
