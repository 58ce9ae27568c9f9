//! A node's timers: set and cancelled at once, fired by the world later.

use std::collections::BTreeMap;

use malachite::app::types::core::{Timeout, TimeoutKind};

use crate::time::Micros;

/// What a timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// A step of a round: kind and round.
    Round(u8, i64),
    /// The next height is due.
    GoOn,
    /// A status is due.
    Status,
    /// A look at whether blocks are missing is due.
    Retry,
    /// A question was not answered.
    Request(u64),
    /// A block that could not be taken is asked for again.
    Again(u64),
}

/// The timer of an engine's timeout.
pub(crate) fn of_timeout(timeout: &Timeout) -> Timer {
    let kind = match timeout.kind {
        TimeoutKind::Propose => 0,
        TimeoutKind::Prevote => 1,
        TimeoutKind::Precommit => 2,
        TimeoutKind::Rebroadcast => 3,
        TimeoutKind::FinalizeHeight(_) => 4,
    };
    Timer::Round(kind, timeout.round.as_i64())
}

/// A timer that was set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Armed {
    /// Tells it from earlier ones of the same kind.
    pub(crate) number: u64,
    pub(crate) at: Micros,
    /// The engine's timeout, where it is one.
    pub(crate) timeout: Option<Timeout>,
}

/// A node's timers.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    armed: BTreeMap<Timer, Armed>,
    count: u64,
    /// Set since the world last looked.
    fresh: Vec<(Timer, u64, Micros)>,
}

impl Timers {
    /// Sets a timer; an earlier one of the same kind is void.
    pub(crate) fn set(&mut self, timer: Timer, at: Micros, timeout: Option<Timeout>) {
        self.count += 1;
        let number = self.count;
        let armed = Armed {
            number,
            at,
            timeout,
        };
        self.armed.insert(timer, armed);
        self.fresh.push((timer, number, at));
    }

    /// When a timer is to fire.
    pub(crate) fn at(&self, timer: Timer) -> Option<Micros> {
        self.armed.get(&timer).map(|armed| armed.at)
    }

    /// Makes a timer void.
    pub(crate) fn cancel(&mut self, timer: Timer) {
        self.armed.remove(&timer);
    }

    /// Makes all timers of rounds void.
    pub(crate) fn cancel_rounds(&mut self) {
        let is_round = |timer: &Timer| matches!(timer, Timer::Round(..));
        self.armed.retain(|timer, _| !is_round(timer));
    }

    /// A timer fires: what was set, unless it is void by now.
    pub(crate) fn fire(&mut self, timer: Timer, number: u64) -> Option<Armed> {
        let is_it = self.armed.get(&timer)?.number == number;
        is_it.then(|| self.armed.remove(&timer)).flatten()
    }

    /// What was set since the last call.
    pub(crate) fn take_fresh(&mut self) -> Vec<(Timer, u64, Micros)> {
        std::mem::take(&mut self.fresh)
    }
}
