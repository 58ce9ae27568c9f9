//! The loop over the engine's channels: each question goes to the [`Host`].

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use malachite::app::consensus::VoteExtensionError;
use malachite::app::engine::host::Next;
use malachite::app::engine::util::events::Event;
use malachite::app::streaming::StreamMessage;
use malachite::{AppMsg, Channels, NetworkMsg, Reply};
use soma_types::SignedTransaction;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::application::Application;
use crate::context::{Part, SomaContext};
use crate::error::ConsensusError;
use crate::host::{HeightStart, Host, Status};

type Message = AppMsg<SomaContext>;
type Network = mpsc::Sender<NetworkMsg<SomaContext>>;

/// Everything that the loop works with.
pub(super) struct Driver<A> {
    /// Locked by one at a time: by the loop, or by the blocking work that it waits for.
    host: Arc<Mutex<Host<A>>>,
    /// The engine's question where to start, and when the chain begins.
    starting: Option<(Instant, Reply<HeightStart>)>,
    /// The engine's question whether to go on.
    waiting: Option<Reply<Next<SomaContext>>>,
    status: watch::Sender<Status>,
}

impl<A: Application> Driver<A> {
    pub(super) fn new(host: Host<A>, status: watch::Sender<Status>) -> Self {
        Self {
            host: Arc::new(Mutex::new(host)),
            starting: None,
            waiting: None,
            status,
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
        let wake = self.host().application().wake();
        let network = channels.network.clone();
        loop {
            let due = self.host().due();
            let start = self.starting.as_ref().map(|(at, _)| *at);
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                message = channels.consensus.recv() => match message {
                    Some(message) => self.answer(message, &network).await?,
                    None if stop.is_cancelled() => return Ok(()),
                    None => {
                        let height = self.host().height();
                        return Err(ConsensusError::Stopped { height });
                    }
                },
                () = until(start) => self.start().await?,
                () = until(due) => self.go_on(),
                () = wake.notified(), if self.waiting.is_some() => {}
                event = events.recv() => self.hear(event),
                Some(transactions) = outbox.recv() => {
                    let messages = self.host().gossip(transactions);
                    publish(messages, &network).await;
                }
            }
        }
    }

    fn host(&self) -> MutexGuard<'_, Host<A>> {
        self.host.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hear(&mut self, event: Result<Event<SomaContext>, RecvError>) {
        if let Ok(Event::Received(message)) = event {
            self.host().hear(&message);
        }
    }

    async fn answer(&mut self, message: Message, network: &Network) -> Result<(), ConsensusError> {
        match message {
            AppMsg::ConsensusReady { reply } => {
                let wait = self.host().application().begins_in();
                if !wait.is_zero() {
                    let seconds = wait.as_secs();
                    tracing::info!(
                        seconds,
                        "the chain has not begun; this node waits for its start"
                    );
                }
                self.starting = Instant::now().checked_add(wait).map(|at| (at, reply));
            }
            AppMsg::StartedRound {
                height,
                round,
                role,
                reply_value,
                ..
            } => {
                let known = self.blocking(move |host| host.started(height, round));
                let known = known.await?;
                let status = self.host().status(height, role);
                self.status.send_replace(status);
                send(reply_value, known);
            }
            AppMsg::GetValue {
                height,
                round,
                timeout,
                reply,
            } => {
                let propose = move |host: &mut Host<A>| host.propose(height, round, timeout);
                if let Some(own) = self.blocking(propose).await? {
                    send(reply, own.value);
                    publish(own.parts, network).await;
                }
            }
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
                let again =
                    move |host: &mut Host<A>| host.restream(round, valid_round, address, value_id);
                let parts = self.blocking(again).await?;
                publish(parts, network).await;
            }
            AppMsg::GetHistoryMinHeight { reply } => {
                let earliest = self.blocking(|host| host.earliest()).await?;
                send(reply, earliest);
            }
            AppMsg::ReceivedProposalPart {
                from,
                published_by,
                part,
                reply,
            } => {
                let complete = self.host().receive(published_by.unwrap_or(from), part);
                let value = match complete {
                    Some(complete) => self.blocking(move |host| host.judge(&complete)).await?,
                    None => None,
                };
                send(reply, value);
            }
            AppMsg::Decided {
                certificate, reply, ..
            } => {
                self.blocking(move |host| host.decided(&certificate))
                    .await?;
                send(reply, ());
            }
            AppMsg::Finalized {
                evidence, reply, ..
            } => {
                self.host().finalized(&evidence);
                self.waiting = Some(reply);
            }
            AppMsg::GetDecidedValues { range, reply } => {
                let found = self.blocking(move |host| host.decided_values(range));
                send(reply, found.await?);
            }
            AppMsg::ProcessSyncedValue {
                height,
                round,
                proposer,
                value_bytes,
                reply,
            } => {
                let sync =
                    move |host: &mut Host<A>| host.synced(height, round, proposer, &value_bytes);
                send(reply, self.blocking(sync).await?);
            }
        }
        Ok(())
    }

    /// Runs what waits for the disk on a thread of its own.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Host<A>) -> Result<T, ConsensusError> + Send + 'static,
    ) -> Result<T, ConsensusError> {
        let host = Arc::clone(&self.host);
        let done = tokio::task::spawn_blocking(move || {
            work(&mut host.lock().unwrap_or_else(PoisonError::into_inner))
        });
        done.await
            .map_err(|error| ConsensusError::Panicked(error.to_string()))?
    }

    /// Tells the engine where to start.
    async fn start(&mut self) -> Result<(), ConsensusError> {
        let Some((_, reply)) = self.starting.take() else {
            return Ok(());
        };
        if let Some(start) = self.blocking(Host::ready).await? {
            send(reply, start);
        }
        Ok(())
    }

    /// Tells the engine to go on.
    fn go_on(&mut self) {
        let start = self.host().go_on();
        if let Some(reply) = self.waiting.take()
            && let Some((height, parameters)) = start
        {
            send(reply, Next::Start(height, parameters));
        }
    }
}

const REFUSED: VoteExtensionError = VoteExtensionError::InvalidVoteExtension;

async fn publish(messages: Vec<StreamMessage<Part>>, network: &Network) {
    for message in messages {
        // The engine has ended when this fails; the loop will see it.
        let _ = network.send(NetworkMsg::PublishProposalPart(message)).await;
    }
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
