//! The decision: a block now, or wait how long? A pure function of the situation.

use std::time::Duration;

use soma_types::TimestampMs;

use super::ProducerConfig;

/// What the decision depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Situation {
    /// The wall clock.
    pub clock_ms: TimestampMs,
    /// When the epoch is over by time.
    pub epoch_end_ms: TimestampMs,
    /// Time since the last block of this node.
    pub since_block: Duration,
    /// Transactions could be executed.
    pub has_transactions: bool,
    /// The epoch was asked to end.
    pub is_epoch_to_end: bool,
    /// Targets wait to be drawn, and there are models for them.
    pub can_draw: bool,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Make a block.
    Produce,
    /// Look again after this time, or when something happens.
    Wait(Duration),
}

/// Decides.
pub fn plan(situation: &Situation, config: &ProducerConfig) -> Plan {
    let min = Duration::from_millis(config.min_block_interval_ms);
    let idle = Duration::from_millis(config.idle_block_interval_ms);
    let until_epoch_end = situation.epoch_end_ms.saturating_sub(situation.clock_ms);
    let is_wanted = situation.has_transactions
        || situation.is_epoch_to_end
        || situation.can_draw
        || until_epoch_end == 0
        || situation.since_block >= idle;
    let until_allowed = min.saturating_sub(situation.since_block);
    match (is_wanted, until_allowed.is_zero()) {
        (true, true) => Plan::Produce,
        (true, false) => Plan::Wait(until_allowed),
        (false, _) => {
            let until_idle = idle.saturating_sub(situation.since_block);
            Plan::Wait(until_idle.min(Duration::from_millis(until_epoch_end)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: ProducerConfig = ProducerConfig {
        min_block_interval_ms: 20,
        idle_block_interval_ms: 10_000,
    };

    const QUIET: Situation = Situation {
        clock_ms: 1_000_000,
        epoch_end_ms: 9_000_000,
        since_block: Duration::from_millis(100),
        has_transactions: false,
        is_epoch_to_end: false,
        can_draw: false,
    };

    #[test]
    fn a_quiet_chain_waits_for_its_heartbeat() {
        let wait = Plan::Wait(Duration::from_millis(9_900));
        assert_eq!(plan(&QUIET, &CONFIG), wait);
        let late = Situation {
            since_block: Duration::from_secs(10),
            ..QUIET
        };
        assert_eq!(plan(&late, &CONFIG), Plan::Produce);
    }

    #[test]
    fn work_is_done_at_once_but_not_faster_than_allowed() {
        for wanted in [
            Situation {
                has_transactions: true,
                ..QUIET
            },
            Situation {
                is_epoch_to_end: true,
                ..QUIET
            },
            Situation {
                can_draw: true,
                ..QUIET
            },
            Situation {
                epoch_end_ms: QUIET.clock_ms,
                ..QUIET
            },
        ] {
            assert_eq!(plan(&wanted, &CONFIG), Plan::Produce);
            let soon = Situation {
                since_block: Duration::from_millis(5),
                ..wanted
            };
            let wait = Plan::Wait(Duration::from_millis(15));
            assert_eq!(plan(&soon, &CONFIG), wait);
        }
    }

    #[test]
    fn the_end_of_the_epoch_is_not_overslept() {
        let near = Situation {
            epoch_end_ms: QUIET.clock_ms + 300,
            ..QUIET
        };
        let wait = Plan::Wait(Duration::from_millis(300));
        assert_eq!(plan(&near, &CONFIG), wait);
    }
}
