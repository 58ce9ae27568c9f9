//! The world of a run: nodes, what travels between them, and what happens to them.

mod actors;
mod faults;
mod network;

use std::collections::{BTreeMap, BTreeSet};

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use soma_chain::chain_id;
use soma_consensus::signing::ChainVerifier;
use soma_consensus::{ChainRules, ValidatorKeys};
use soma_crypto::SecretKey;
use soma_types::Address;
use soma_types::consensus::SignedRoundProposal;

use crate::byzantine::Concert;
use crate::checker::Checker;
use crate::disk::Disk;
use crate::error::SimError;
use crate::genesis::{Cast, START_MS};
use crate::node::core::{Note, Stop};
use crate::node::timers::Timer;
use crate::node::{Common, Event, Identity, Node};
use crate::packet::{Packet, To};
use crate::plan::{Habits, Plan, Weather};
use crate::report::{Report, Tally};
use crate::time::{Clock, MS, Micros, SECOND};
use crate::trace::Trace;
use crate::violation::Violation;

/// After the faults every node must pass the highest height of then by this many.
const BLOCKS_AFTER: u64 = 3;
/// How long it may take.
const PATIENCE: Micros = 120 * SECOND;
/// Time between two occasions for byzantine validators to send what makes no sense.
const BABBLE_EVERY: Micros = 400 * MS;

/// Something that is going to happen.
enum Happening {
    Arrives {
        from: usize,
        to: usize,
        packet: Packet,
    },
    Fires {
        node: usize,
        life: u64,
        timer: Timer,
        number: u64,
    },
    Client,
    Babble,
    Force,
    Crash,
    Restart(usize),
    Split,
    Rejoin,
    Calm,
}

/// A node, up or down.
struct Seat {
    identity: Identity,
    address: Address,
    disk: Disk,
    node: Option<Node>,
    life: u64,
    habits: Option<Habits>,
    replaced: BTreeMap<(u64, u32), Vec<(To, SignedRoundProposal)>>,
}

/// A run in progress.
pub(crate) struct World {
    plan: Plan,
    common: Common,
    users: Vec<(Address, SecretKey)>,
    dice: ChaCha8Rng,
    /// What is going to happen, by time and order of planning.
    coming: BTreeMap<(Micros, u64), Happening>,
    planned: u64,
    seats: Vec<Seat>,
    /// The part of the network that each node is in.
    island: Vec<u8>,
    weather: Weather,
    /// What every honest node must reach, once the faults are over.
    goal: Option<u64>,
    concert: Concert,
    checker: Checker,
    trace: Trace,
    tally: Tally,
}

impl World {
    /// The world of a plan, before anything happens.
    pub(crate) fn new(plan: Plan, keeps_trace: bool) -> Result<Self, SimError> {
        let Cast {
            genesis,
            validators,
            users,
        } = Cast::new(&plan)?;
        let mut dice = ChaCha8Rng::seed_from_u64(plan.seed);
        // The plan was drawn from the first stream.
        dice.set_stream(1);
        let common = Common {
            config: plan.config.clone(),
            rules: ChainRules {
                idle_interval: plan.idle,
                ..ChainRules::default()
            },
            request_timeout: plan.request_timeout,
            clock: Clock::new(),
            checked: Default::default(),
            verifier: ChainVerifier::new(chain_id(&genesis)),
            users: users.iter().map(|(address, _)| *address).collect(),
            genesis,
        };
        let seat = |place: usize| {
            let keys = validators.get(place).map(|(address, key)| ValidatorKeys {
                address: *address,
                key: key.clone(),
                next: Vec::new(),
            });
            Seat {
                address: keys.as_ref().map_or(Address([0; 32]), |keys| keys.address),
                identity: Identity {
                    keys,
                    start_ms: START_MS + plan.ahead_ms[place],
                    seed: plan.seed.wrapping_mul(1_000).wrapping_add(place as u64),
                },
                disk: Disk::new(plan.honesty),
                node: None,
                life: 0,
                habits: plan.byzantine.get(&place).copied(),
                replaced: BTreeMap::new(),
            }
        };
        let seats: Vec<Seat> = (0..plan.nodes).map(seat).collect();
        let honest: Vec<usize> = (0..plan.nodes)
            .filter(|place| !plan.byzantine.contains_key(place))
            .collect();
        let traitors: BTreeSet<Address> = plan
            .byzantine
            .keys()
            .map(|place| seats[*place].address)
            .collect();
        // Each side has every second honest node; accomplices follow the first.
        let mut sides = [Vec::new(), Vec::new()];
        for (index, place) in honest.iter().enumerate() {
            sides[index % 2].push(*place);
        }
        sides[0].extend(plan.byzantine.keys());
        let concert = Concert {
            sides,
            ..Concert::default()
        };
        Ok(Self {
            island: vec![0; plan.nodes],
            weather: plan.weather,
            plan,
            users,
            dice,
            coming: BTreeMap::new(),
            planned: 0,
            seats,
            goal: None,
            concert,
            checker: Checker::new(traitors, common.verifier.clone()),
            common,
            trace: Trace::new(keeps_trace),
            tally: Tally::default(),
        })
    }

    fn now(&self) -> Micros {
        self.common.clock.now()
    }

    /// Plans a happening.
    fn plan(&mut self, at: Micros, what: Happening) {
        self.planned += 1;
        self.coming.insert((at, self.planned), what);
    }

    /// Plans the next of what happens every `mean` or so.
    fn plan_soon(&mut self, mean: Micros, what: Happening) {
        let wait = self.dice.gen_range(mean / 4..=mean * 7 / 4);
        self.plan(self.now() + wait, what);
    }

    /// Lets it run to its end, or to the first broken rule.
    pub(crate) fn run(mut self) -> Report {
        let who = format_args!(
            "{} nodes, byzantine: {:?}",
            self.plan.nodes,
            self.plan.byzantine.keys()
        )
        .to_string();
        self.trace.add(0, format_args!("{who}"));
        for place in 0..self.seats.len() {
            self.start(place);
        }
        self.plan_soon(self.plan.send_every, Happening::Client);
        self.plan(self.plan.calm_at, Happening::Calm);
        if let Some(every) = self.plan.crash_every {
            self.plan_soon(every, Happening::Crash);
        }
        if let Some(every) = self.plan.split_every {
            self.plan_soon(every, Happening::Split);
        }
        if !self.plan.byzantine.is_empty() {
            self.plan_soon(BABBLE_EVERY, Happening::Babble);
        }
        if let Some(every) = self.plan.force_every {
            self.plan_soon(every, Happening::Force);
        }
        while self.checker.violation.is_none() && !self.is_done() {
            let Some(((at, _), what)) = self.coming.pop_first() else {
                break;
            };
            self.common.clock.set(at);
            self.tally.events += 1;
            self.happen(what);
        }
        self.finish()
    }

    fn is_done(&mut self) -> bool {
        let Some(goal) = self.goal else {
            return false;
        };
        let waited = self.now().saturating_sub(self.plan.calm_at);
        for (node, seat) in self.seats.iter().enumerate() {
            let height = seat
                .node
                .as_ref()
                .map_or(0, |node| node.chain().head().header.height);
            if height < goal && seat.habits.is_none() {
                if waited > PATIENCE {
                    self.checker.report(Violation::NoProgress {
                        node,
                        height,
                        goal,
                        waited_ms: waited / MS,
                    });
                }
                return false;
            }
        }
        true
    }

    fn finish(mut self) -> Report {
        for place in 0..self.seats.len() {
            self.check_bans(place);
        }
        for (place, seat) in self.seats.iter().enumerate() {
            if let Some(node) = &seat.node
                && self.checker.violation.is_none()
            {
                self.checker.recount(place, node.chain());
            }
        }
        let violation = self.checker.violation.clone();
        if let Some(violation) = &violation {
            self.trace
                .add(self.common.clock.now(), format_args!("BROKEN: {violation}"));
        }
        self.tally.blocks = self.checker.height();
        self.tally.epochs = self.checker.epoch().0;
        self.tally.byzantine_acts = self.concert.deeds;
        self.tally.evidence_seen = self.checker.evidence_seen;
        self.tally.evidence_named = self.checker.accused();
        let (digest, trace) = self.trace.finish();
        Report {
            seed: self.plan.seed,
            digest,
            tally: self.tally,
            virtual_ms: self.common.clock.now() / MS,
            violation,
            trace,
        }
    }

    fn happen(&mut self, what: Happening) {
        match what {
            Happening::Arrives { from, to, packet } => self.arrive(from, to, packet),
            Happening::Fires {
                node,
                life,
                timer,
                number,
            } => {
                if self.seats[node].life == life {
                    self.give(node, Event::Timer(timer, number));
                }
            }
            Happening::Client => self.send_transaction(),
            Happening::Babble => self.babble(),
            Happening::Force => self.force_epoch(),
            Happening::Crash => self.crash_someone(),
            Happening::Restart(place) => self.start(place),
            Happening::Split => self.split(),
            Happening::Rejoin => self.rejoin(),
            Happening::Calm => self.calm(),
        }
    }

    /// Gives a node an event.
    fn give(&mut self, place: usize, event: Event) {
        let Some(node) = &mut self.seats[place].node else {
            return;
        };
        let result = node.handle(event);
        self.follow(place, result);
    }

    /// Does what came of a node's work.
    fn follow(&mut self, place: usize, result: Result<(), Stop>) {
        let Some(node) = &mut self.seats[place].node else {
            return;
        };
        let effects = node.take_effects();
        for note in effects.notes {
            self.note(place, note);
        }
        self.send(place, effects.outgoing);
        let life = self.seats[place].life;
        for (timer, number, at) in effects.timers {
            self.plan(
                at,
                Happening::Fires {
                    node: place,
                    life,
                    timer,
                    number,
                },
            );
        }
        if let Err(stop) = result {
            match self.seats[place].disk.has_failed() {
                true => self.crash(place),
                false => self.stopped(place, &stop),
            }
        }
    }

    fn stopped(&mut self, place: usize, stop: &Stop) {
        let (node, reason) = (place, stop.to_string());
        self.checker.report(Violation::Stopped { node, reason });
    }

    /// The checker hears of what a node did.
    fn note(&mut self, place: usize, note: Note) {
        let now = self.now();
        let Some(node) = &self.seats[place].node else {
            return;
        };
        if self.seats[place].habits.is_some() {
            return;
        }
        match note {
            Note::Synced => self.tally.synced += 1,
            Note::Committed(height) => {
                self.checker.committed(place, node.chain(), height);
                let header = match node.chain().reader().block(height) {
                    Ok(Some(block)) => block.header,
                    _ => return,
                };
                let (digest, epoch) = (header.state_root, header.epoch);
                self.trace.add(
                    now,
                    format_args!("node {place} commits height {height} epoch {epoch} {digest}"),
                );
                let proposer = self.seats.iter().position(|s| s.address == header.proposer);
                if let Some(proposer) = proposer.filter(|p| self.seats[*p].habits.is_none()) {
                    self.checker.check_evidence(proposer, &header);
                }
            }
            Note::Evidence(height, accused) => {
                self.trace.add(
                    now,
                    format_args!("node {place} saw contradictions at height {height}: {accused:?}"),
                );
                self.checker.saw(place, height, &accused);
            }
        }
    }
}
