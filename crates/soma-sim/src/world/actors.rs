//! Clients, and byzantine validators that act on their own.

use rand::Rng;
use soma_crypto::transaction::sign;
use soma_types::{Shannons, Transaction, TransactionKind};

use super::{BABBLE_EVERY, Happening, World};
use crate::byzantine::Byzantine;
use crate::node::Event;

impl World {
    /// A client sends one more transaction to a random node.
    pub(super) fn send_transaction(&mut self) {
        let place = self.dice.gen_range(0..self.seats.len());
        let user = self.dice.gen_range(0..self.users.len());
        let other = self.dice.gen_range(0..self.users.len());
        let amount = Shannons(self.dice.gen_range(1..=3_000_000_000));
        let stakes = self.dice.gen_bool(0.2);
        let validator = self.dice.gen_range(0..self.plan.stakes.len());
        if let Some(node) = &self.seats[place].node {
            let (sender, key) = &self.users[user];
            let kind = match stakes {
                true => TransactionKind::Stake {
                    validator: self.seats[validator].address,
                    amount: Shannons(amount.0 + 1_000_000_000),
                },
                false => TransactionKind::Transfer {
                    recipient: self.users[other].0,
                    amount,
                },
            };
            let transaction = Transaction {
                chain_id: node.chain().chain_id(),
                sender: *sender,
                nonce: node.mempool().next_nonce(sender),
                expiry_height: u64::MAX,
                kind,
            };
            let signed = sign(transaction, key);
            self.tally.transactions += 1;
            self.give(place, Event::Client(vec![signed]));
        }
        self.plan_soon(self.plan.send_every, Happening::Client);
    }

    /// Somebody asks a random node to end the epoch.
    pub(super) fn force_epoch(&mut self) {
        let place = self.dice.gen_range(0..self.seats.len());
        if let Some(node) = &self.seats[place].node {
            node.mempool().force_epoch();
            self.tally.forced += 1;
        }
        if let (Some(every), None) = (self.plan.force_every, self.goal) {
            self.plan_soon(every, Happening::Force);
        }
    }

    pub(super) fn babble(&mut self) {
        let traitors: Vec<usize> = self.plan.byzantine.keys().copied().collect();
        for place in traitors {
            let sent = match self.byzantine(place) {
                Some(mut byzantine) => byzantine.babble(),
                None => continue,
            };
            for (to, packet) in sent {
                self.dispatch(place, &to, packet);
            }
        }
        self.plan_soon(BABBLE_EVERY, Happening::Babble);
    }

    pub(super) fn byzantine(&mut self, place: usize) -> Option<Byzantine<'_>> {
        let seat = &mut self.seats[place];
        Some(Byzantine {
            habits: seat.habits?,
            dice: &mut self.dice,
            node: seat.node.as_ref()?,
            concert: &mut self.concert,
            replaced: &mut seat.replaced,
        })
    }
}
