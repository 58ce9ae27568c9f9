//! Crashes, restarts, partitions, and their end.

use rand::Rng;

use super::{BLOCKS_AFTER, Happening, World};
use crate::node::Node;
use crate::packet::peer_of;
use crate::plan::Weather;
use crate::time::{MS, Micros, SECOND};
use crate::violation::Violation;

/// The longest that a node is down.
const LONGEST_DOWN: Micros = 5 * SECOND;

impl World {
    /// Starts a node, for the first time or after a crash.
    pub(super) fn start(&mut self, place: usize) {
        if self.seats[place].node.is_some() {
            return;
        }
        let now = self.now();
        let seat = &mut self.seats[place];
        seat.life += 1;
        let life = seat.life;
        // A node may crash while it comes up, also for the first time.
        let may_crash = self.plan.crash_every.is_some() && seat.habits.is_none();
        if may_crash && self.goal.is_none() && self.dice.gen_bool(0.2) {
            seat.disk.fail_after(self.dice.gen_range(0..10));
        }
        self.trace
            .add(now, format_args!("node {place} starts, life {life}"));
        match Node::start(&self.common, &seat.identity, &seat.disk, life) {
            Ok(node) => {
                if seat.habits.is_none() {
                    self.checker.restarted(place, node.chain());
                }
                seat.node = Some(node);
                self.follow(place, Ok(()));
            }
            Err(_) if seat.disk.has_failed() => self.crash(place),
            Err(stop) => self.stopped(place, &stop),
        }
    }

    /// Some honest node is to crash: now, or in the middle of some work soon.
    pub(super) fn crash_someone(&mut self) {
        let place = self.dice.gen_range(0..self.seats.len());
        let seat = &self.seats[place];
        if seat.habits.is_none() && seat.node.is_some() {
            match self.dice.gen_bool(0.3) {
                true => self.crash(place),
                false => seat.disk.fail_after(self.dice.gen_range(0..60)),
            }
        }
        if let (Some(every), None) = (self.plan.crash_every, self.goal) {
            self.plan_soon(every, Happening::Crash);
        }
    }

    /// A node crashes and comes back later.
    pub(super) fn crash(&mut self, place: usize) {
        let now = self.now();
        self.trace.add(now, format_args!("node {place} crashes"));
        self.tally.crashes += 1;
        self.check_bans(place);
        self.checker.crashed(place);
        let seat = &mut self.seats[place];
        seat.node = None;
        // What was set for this life is void.
        seat.life += 1;
        seat.disk.crash(&mut self.dice);
        let down = self.dice.gen_range(50 * MS..=LONGEST_DOWN);
        self.plan(now + down, Happening::Restart(place));
    }

    /// No honest node is banned by another, while bans last longer than runs.
    pub(super) fn check_bans(&mut self, node: usize) {
        let now = self.common.clock.instant();
        let seat = &self.seats[node];
        let Some(running) = seat.node.as_ref().filter(|_| seat.habits.is_none()) else {
            return;
        };
        let guard = running.host().guard();
        self.tally.bans += guard.counts().bans;
        let is_banned =
            |place: usize| peer_of(place).is_some_and(|peer| guard.is_banned(now, &peer));
        let honest = (0..self.seats.len()).filter(|place| self.seats[*place].habits.is_none());
        let banned: Vec<usize> = honest.filter(|place| is_banned(*place)).collect();
        for banned in banned {
            self.checker
                .report(Violation::HonestBanned { node, banned });
        }
    }

    /// The network falls into two parts for a while.
    pub(super) fn split(&mut self) {
        if let (Some(every), None) = (self.plan.split_every, self.goal) {
            for island in &mut self.island {
                *island = self.dice.gen_range(0..2);
            }
            let now = self.now();
            self.trace
                .add(now, format_args!("partition {:?}", self.island));
            self.tally.partitions += 1;
            self.plan_soon(every / 2, Happening::Rejoin);
            self.plan_soon(every, Happening::Split);
        }
    }

    /// The network is one again.
    pub(super) fn rejoin(&mut self) {
        self.island.fill(0);
        let now = self.now();
        self.trace.add(now, format_args!("one network"));
    }

    /// All faults but the byzantine ones are over: from now on there must be progress.
    pub(super) fn calm(&mut self) {
        let now = self.now();
        self.trace.add(now, format_args!("calm"));
        self.rejoin();
        self.weather = Weather::CALM;
        self.goal = Some(self.checker.height() + BLOCKS_AFTER);
        for place in 0..self.seats.len() {
            self.seats[place].disk.stay_on();
            self.start(place);
        }
    }
}
