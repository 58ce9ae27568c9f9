//! Messages on their way.

use rand::Rng;

use super::{Happening, World};
use crate::node::Event;
use crate::packet::{Outgoing, Packet, To};
use crate::time::{MS, Micros};

impl World {
    /// Sends a node's messages, as it means them, or as a byzantine one would.
    pub(super) fn send(&mut self, place: usize, outgoing: Vec<Outgoing>) {
        if outgoing.is_empty() {
            return;
        }
        let sent = match self.byzantine(place) {
            Some(mut byzantine) => byzantine.corrupt(outgoing),
            None => {
                let mut sent = Vec::with_capacity(outgoing.len());
                for Outgoing { to, message } in outgoing {
                    self.checker.published(&message);
                    sent.extend(message.encode().map(|packet| (to, packet)));
                }
                sent
            }
        };
        for (to, packet) in sent {
            self.dispatch(place, &to, packet);
        }
    }

    /// Sends a packet on its way to each of its receivers.
    pub(super) fn dispatch(&mut self, from: usize, to: &To, packet: Packet) {
        let everyone;
        let places = match to {
            To::All => {
                everyone = (0..self.seats.len()).collect::<Vec<_>>();
                &everyone
            }
            To::Some(places) => places,
        };
        for to in places {
            if *to < self.seats.len() && *to != from {
                self.carry(from, *to, packet.clone());
            }
        }
    }

    fn carry(&mut self, from: usize, to: usize, packet: Packet) {
        let mut in_a_thousand = |share: u32| share > 0 && self.dice.gen_range(0..1_000) < share;
        let is_lost = in_a_thousand(self.weather.lost);
        let is_doubled = in_a_thousand(self.weather.doubled);
        if is_lost || self.island[from] != self.island[to] {
            self.tally.lost += 1;
            return;
        }
        for _ in 0..=u8::from(is_doubled) {
            let at = self.now() + self.delay();
            let packet = packet.clone();
            self.plan(at, Happening::Arrives { from, to, packet });
        }
    }

    fn delay(&mut self) -> Micros {
        let weather = self.weather;
        let delay = self
            .dice
            .gen_range(weather.least_delay..=weather.most_delay);
        match weather.late > 0 && self.dice.gen_range(0..1_000) < weather.late {
            true => delay + self.dice.gen_range(0..=3_000) * MS,
            false => delay,
        }
    }

    /// A packet arrives, if its receiver is up; one without sense is dropped, as the engine's network
    /// does.
    pub(super) fn arrive(&mut self, from: usize, to: usize, packet: Packet) {
        if self.seats[to].node.is_none() || self.island[from] != self.island[to] {
            self.tally.lost += 1;
            return;
        }
        let (channel, size) = (packet.channel, packet.bytes.len());
        let now = self.now();
        let Some(message) = packet.decode() else {
            return;
        };
        self.trace
            .add(now, format_args!("{from} -> {to} {channel:?} {size}"));
        self.give(to, Event::Message(from, message));
    }
}
