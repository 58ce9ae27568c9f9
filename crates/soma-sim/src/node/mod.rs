//! A node: our real code and the engine's real consensus, one event at a time.

pub(crate) mod core;
mod shell;
mod sync;
pub(crate) mod timers;
mod wal;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use malachite::app::consensus::{Input, LivenessMsg, PeerId, SignedConsensusMsg};
use malachite::app::types::core::ValueOrigin;
use malachite_sync::Status;
use soma_chain::{Chain, ChainConfig};
use soma_consensus::signing::ChainVerifier;
use soma_consensus::{
    Application as _, ChainApplication, ChainRules, ConsensusConfig, Host, LogPlace, ValidatorKeys,
};
use soma_types::{Address, Genesis, SignedTransaction, TimestampMs};

use self::core::{App, Core, Mail, Note, Stop};
use self::sync::{Do, Sync};
use self::timers::Timer;
use self::wal::Wal;
use crate::disk::{Disk, VirtualStore};
use crate::mempool::{Checked, Mempool};
use crate::packet::{Message, Outgoing, To, peer_of};
use crate::time::{Clock, Micros};

/// What all nodes of a run have in common.
#[derive(Clone)]
pub(crate) struct Common {
    pub(crate) genesis: Genesis,
    pub(crate) config: ConsensusConfig,
    pub(crate) rules: ChainRules,
    pub(crate) request_timeout: Duration,
    pub(crate) clock: Clock,
    pub(crate) checked: Checked,
    /// It remembers what was checked, by any node.
    pub(crate) verifier: ChainVerifier,
    /// Accounts that send transactions.
    pub(crate) users: Vec<Address>,
}

/// What makes a node this one, also after a crash.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) keys: Option<ValidatorKeys>,
    /// Its wall clock at the start of the run.
    pub(crate) start_ms: TimestampMs,
    pub(crate) seed: u64,
}

/// Something that happens to a node.
pub(crate) enum Event {
    /// A message arrives.
    Message(usize, Message),
    /// A timer fires.
    Timer(Timer, u64),
    /// A client sends transactions.
    Client(Vec<SignedTransaction>),
}

/// What came of it.
#[derive(Default)]
pub(crate) struct Effects {
    pub(crate) outgoing: Vec<Outgoing>,
    pub(crate) timers: Vec<(Timer, u64, Micros)>,
    pub(crate) notes: Vec<Note>,
}

/// A running node.
pub(crate) struct Node {
    core: Core,
    sync: Sync,
    mempool: Arc<Mempool>,
    chain: Arc<Chain<VirtualStore>>,
    config: ConsensusConfig,
    request_timeout: Duration,
}

impl Node {
    /// Starts the node on its disk; `life` counts its starts.
    pub(crate) fn start(
        common: &Common,
        identity: &Identity,
        disk: &Disk,
        life: u64,
    ) -> Result<Self, Stop> {
        let config = ChainConfig::default();
        let chain = Chain::open(disk.chain.clone(), &common.genesis, config);
        let failed = |error| soma_consensus::ConsensusError::Chain { height: 0, error };
        let chain = Arc::new(chain.map_err(failed)?);
        let mut next = BTreeMap::new();
        for user in &common.users {
            let account = chain.reader().account(user).map_err(failed)?;
            next.insert(*user, account.nonce);
        }
        let (clock, checked) = (common.clock.clone(), common.checked.clone());
        let mempool = Arc::new(Mempool::new(clock, identity.start_ms, checked, next));
        let nobody = Address([0; 32]);
        let keys = identity.keys.as_ref();
        let application: App = ChainApplication::new(
            Arc::clone(&chain),
            Arc::clone(&mempool),
            keys.map_or(nobody, |keys| keys.address),
            common.rules,
        );
        // No two lives number their streams or questions alike.
        let first = life << 32;
        let host = Host::open(
            &common.config,
            Arc::new(application),
            keys,
            common.verifier.clone(),
            LogPlace::File(Box::new(disk.undecided.clone())),
            first,
        )?;
        let wal = Wal::open(disk.wal.clone())?;
        let (verifier, clock) = (common.verifier.clone(), common.clock.clone());
        let core = Core::new(host, wal, verifier, clock);
        let seed = identity.seed.wrapping_add(life);
        let mut node = Self {
            core,
            sync: Sync::new(seed, common.request_timeout, first),
            mempool,
            chain,
            config: common.config.clone(),
            request_timeout: common.request_timeout,
        };
        if let Some(start) = node.core.shell.host.ready()? {
            let mail = Mail::Start(Box::new(start));
            node.core.shell.mailbox.push_back(mail);
        }
        node.arm_status();
        node.arm_retry();
        node.settle()?;
        Ok(node)
    }

    /// The chain.
    pub(crate) fn chain(&self) -> &Arc<Chain<VirtualStore>> {
        &self.chain
    }

    /// The waiting transactions.
    pub(crate) fn mempool(&self) -> &Mempool {
        &self.mempool
    }

    /// Its side of agreement.
    pub(crate) fn host(&self) -> &Host<App> {
        &self.core.shell.host
    }

    /// Takes an event, and does all that follows from it.
    pub(crate) fn handle(&mut self, event: Event) -> Result<(), Stop> {
        match event {
            Event::Message(from, message) => {
                if let Some(peer) = peer_of(from) {
                    self.receive(peer, message)?;
                }
            }
            Event::Timer(timer, number) => self.fire(timer, number)?,
            Event::Client(transactions) => {
                self.mempool.take(transactions.clone());
                for part in self.core.shell.host.gossip(transactions) {
                    self.core.shell.publish(Message::Part(part));
                }
            }
        }
        self.settle()
    }

    /// What came of the last events.
    pub(crate) fn take_effects(&mut self) -> Effects {
        let shell = &mut self.core.shell;
        Effects {
            outgoing: std::mem::take(&mut shell.outbox),
            timers: shell.timers.take_fresh(),
            notes: std::mem::take(&mut shell.notes),
        }
    }

    fn receive(&mut self, peer: PeerId, message: Message) -> Result<(), Stop> {
        match message {
            Message::Consensus(message) => {
                self.core.shell.host.hear(&message);
                self.core.process(match message {
                    SignedConsensusMsg::Vote(vote) => Input::Vote(vote),
                    SignedConsensusMsg::Proposal(proposal) => Input::Proposal(proposal),
                })
            }
            Message::Liveness(LivenessMsg::Vote(vote)) => {
                let message = SignedConsensusMsg::Vote(vote.clone());
                self.core.shell.host.hear(&message);
                self.core.process(Input::Vote(vote))
            }
            Message::Liveness(LivenessMsg::PolkaCertificate(certificate)) => {
                self.core.process(Input::PolkaCertificate(certificate))
            }
            Message::Liveness(LivenessMsg::SkipRoundCertificate(certificate)) => {
                self.core.process(Input::RoundCertificate(certificate))
            }
            Message::Part(part) => {
                let host = &mut self.core.shell.host;
                if let Some(complete) = host.receive(peer, part)
                    && let Some(value) = host.judge(&complete)?
                {
                    let mail = Mail::Proposed(value, ValueOrigin::Consensus);
                    self.core.shell.mailbox.push_back(mail);
                }
                Ok(())
            }
            other => sync_result(self.sync.receive(peer, other)),
        }
    }

    fn fire(&mut self, timer: Timer, number: u64) -> Result<(), Stop> {
        let Some(armed) = self.core.shell.timers.fire(timer, number) else {
            return Ok(());
        };
        match timer {
            Timer::Round(..) => match armed.timeout {
                Some(timeout) => self.core.process(Input::TimeoutElapsed(timeout)),
                None => Ok(()),
            },
            // What is due is looked at after every event.
            Timer::GoOn => Ok(()),
            Timer::Status => {
                self.arm_status();
                sync_result(self.sync.fire(timer))
            }
            Timer::Retry => {
                self.arm_retry();
                sync_result(self.sync.fire(timer))
            }
            Timer::Request(_) | Timer::Again(_) => sync_result(self.sync.fire(timer)),
        }
    }

    /// Works until nothing waits, then looks when the next height is due.
    fn settle(&mut self) -> Result<(), Stop> {
        loop {
            self.run_mailbox()?;
            let shell = &mut self.core.shell;
            let Some(due) = shell.host.due() else {
                shell.timers.cancel(Timer::GoOn);
                return Ok(());
            };
            if due > shell.host.application().now() {
                let wait = due.saturating_duration_since(shell.host.application().now());
                let at = shell.after(wait + Duration::from_micros(1));
                if shell.timers.at(Timer::GoOn) != Some(at) {
                    shell.timers.set(Timer::GoOn, at, None);
                }
                return Ok(());
            }
            if let Some(start) = shell.host.go_on() {
                shell.mailbox.push_back(Mail::Start(Box::new(start)));
            }
        }
    }

    fn run_mailbox(&mut self) -> Result<(), Stop> {
        loop {
            self.run_tasks()?;
            let Some(mail) = self.core.shell.mailbox.pop_front() else {
                return Ok(());
            };
            match mail {
                Mail::Start(start) => self.core.start(*start)?,
                Mail::Propose(value) => self.core.process(Input::Propose(value))?,
                Mail::Proposed(value, origin) => {
                    self.core.process(Input::ProposedValue(value, origin))?;
                }
                Mail::Synced(request, value) => self.core.process_synced(request, value)?,
                Mail::Sync(mail) => sync_result(self.sync.hear(mail))?,
            }
        }
    }

    /// Does what the catching-up side asked for.
    fn run_tasks(&mut self) -> Result<(), Stop> {
        loop {
            let tasks = self.sync.take_tasks();
            if tasks.is_empty() {
                return Ok(());
            }
            for task in tasks {
                self.run_task(task)?;
            }
        }
    }

    fn run_task(&mut self, task: Do) -> Result<(), Stop> {
        let shell = &mut self.core.shell;
        match task {
            Do::Process(request, value) => {
                shell.mailbox.push_back(Mail::Synced(request, value));
            }
            Do::Send(peer, message) => {
                let to = To::Some(place_of(&peer).into_iter().collect());
                shell.outbox.push(Outgoing { to, message });
            }
            Do::Announce(tip_height) => {
                let history_min_height = shell.host.earliest()?;
                // The receiver knows the sender; who signs it does not matter.
                if let Some(peer_id) = peer_of(0) {
                    shell.publish(Message::Status(Status {
                        peer_id,
                        tip_height,
                        history_min_height,
                    }));
                }
            }
            Do::Read(id, range) => {
                let values = shell.host.decided_values(range.clone())?;
                sync_result(self.sync.answer(id, range, values))?;
            }
            Do::Set(timer, wait) => {
                let at = shell.after(wait);
                shell.timers.set(timer, at, None);
            }
            Do::Cancel(timer) => shell.timers.cancel(timer),
        }
        Ok(())
    }

    fn arm_status(&mut self) {
        let wait = Duration::from_millis(self.config.sync_interval_ms);
        let at = self.core.shell.after(wait);
        self.core.shell.timers.set(Timer::Status, at, None);
    }

    fn arm_retry(&mut self) {
        let at = self.core.shell.after(self.request_timeout);
        self.core.shell.timers.set(Timer::Retry, at, None);
    }
}

fn sync_result(
    result: Result<(), malachite_sync::Error<soma_consensus::context::SomaContext>>,
) -> Result<(), Stop> {
    result.map_err(|error| Stop::Engine(error.to_string()))
}

/// The place of a node by its network identity.
fn place_of(peer: &PeerId) -> Option<usize> {
    let bytes = peer.to_bytes();
    let (_, place) = bytes.split_last_chunk::<8>()?;
    usize::try_from(u64::from_be_bytes(*place)).ok()
}
