//! What a seed decides: the network, its weather, its faults.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde::Serialize;
use soma_consensus::{Bans, ConsensusConfig, Limits, Timeouts};

use crate::disk::Honesty;
use crate::time::{MS, Micros, SECOND};

/// What kind of world a run is in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scenario {
    /// Faults that nodes must survive.
    #[default]
    Survivable,
    /// Disks lose what they said was synced. No node is safe there: the checker must see it.
    LyingDisks,
    /// Validators with more than two fifths of the power contradict themselves in concert. No chain
    /// is safe then: the checker must see it.
    ByzantineMajority,
}

/// How messages travel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weather {
    pub(crate) least_delay: Micros,
    pub(crate) most_delay: Micros,
    /// Messages of a thousand that come seconds late.
    pub(crate) late: u32,
    /// Messages of a thousand that never come.
    pub(crate) lost: u32,
    /// Messages of a thousand that come twice.
    pub(crate) doubled: u32,
}

impl Weather {
    /// After the faults.
    pub(crate) const CALM: Self = Self {
        least_delay: MS,
        most_delay: 40 * MS,
        late: 0,
        lost: 0,
        doubled: 0,
    };
}

/// What byzantine validators do, each in thousandths of the occasions.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Habits {
    /// Two blocks for one round, two votes where one is due.
    pub(crate) equivocates: u32,
    /// Blocks whose state root is wrong.
    pub(crate) invalid_blocks: u32,
    /// Parts of a block that some do not get.
    pub(crate) withholds: u32,
    /// Bytes and messages without sense.
    pub(crate) garbage: u32,
    /// Wrong answers to who catches up.
    pub(crate) lies: u32,
    /// Messages that are not sent.
    pub(crate) mute: u32,
}

/// A run's plan.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    /// Stake of each validator in SOMA.
    pub(crate) stakes: Vec<u64>,
    /// Byzantine validators and what they do.
    pub(crate) byzantine: BTreeMap<usize, Habits>,
    /// Nodes: the validators, and perhaps one that only follows.
    pub(crate) nodes: usize,
    /// How far each node's wall clock is ahead of the true time.
    pub(crate) ahead_ms: Vec<u64>,
    pub(crate) epoch_ms: u64,
    pub(crate) idle: Duration,
    pub(crate) config: ConsensusConfig,
    pub(crate) request_timeout: Duration,
    pub(crate) weather: Weather,
    /// When faults end.
    pub(crate) calm_at: Micros,
    /// Mean time between crashes, partitions, transactions; none where there are none.
    pub(crate) crash_every: Option<Micros>,
    pub(crate) split_every: Option<Micros>,
    pub(crate) send_every: Micros,
    /// Mean time between two wishes to end an epoch before its time; none on chains that do not
    /// allow it.
    pub(crate) force_every: Option<Micros>,
    pub(crate) honesty: Honesty,
}

/// The most power of byzantine validators, in hundredths of the stake: a third, less what stakes and
/// rewards may move.
const SAFE_SHARE: u64 = 30;

impl Plan {
    /// The plan of a seed.
    pub(crate) fn new(seed: u64, scenario: Scenario) -> Self {
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        let dice = &mut dice;
        let most = if scenario == Scenario::ByzantineMajority {
            5..=7
        } else {
            3..=7
        };
        let validators: usize = dice.gen_range(most);
        let equal = dice.gen_bool(0.3) || scenario == Scenario::ByzantineMajority;
        let stake = |dice: &mut ChaCha8Rng| match equal {
            true => 1_000,
            false => dice.gen_range(4..=20) * 100,
        };
        let stakes: Vec<u64> = (0..validators).map(|_| stake(dice)).collect();
        let byzantine = match scenario {
            Scenario::ByzantineMajority => traitors(dice, &stakes, 45..=70),
            Scenario::LyingDisks => BTreeSet::new(),
            Scenario::Survivable if dice.gen_bool(0.5) => traitors(dice, &stakes, 0..=SAFE_SHARE),
            Scenario::Survivable => BTreeSet::new(),
        };
        let habits = |dice: &mut ChaCha8Rng| habits(dice, scenario);
        let byzantine = byzantine.into_iter().map(|place| (place, habits(dice)));
        let byzantine = byzantine.collect();
        let follower = usize::from(dice.gen_bool(0.2));
        let nodes = validators + follower;
        // A stream of its own: what is drawn here changes nothing of the rest.
        let mut extra = ChaCha8Rng::seed_from_u64(seed);
        extra.set_stream(2);
        let is_quiet = scenario == Scenario::ByzantineMajority;
        let often = |dice: &mut ChaCha8Rng, least: u64, most: u64| {
            let some = !is_quiet && dice.gen_bool(0.7);
            some.then(|| dice.gen_range(least..=most) * 100 * MS)
        };
        let crash_every = match scenario {
            Scenario::LyingDisks => Some(SECOND),
            _ => often(dice, 8, 40),
        };
        Self {
            seed,
            stakes,
            byzantine,
            nodes,
            ahead_ms: (0..nodes).map(|_| dice.gen_range(0..=1_500)).collect(),
            epoch_ms: dice.gen_range(15..=50) * 100,
            idle: Duration::from_millis(dice.gen_range(500..=2_000)),
            config: config(dice, &mut extra),
            request_timeout: Duration::from_millis(dice.gen_range(800..=3_000)),
            weather: weather(dice, is_quiet),
            calm_at: dice.gen_range(40..=90) * 100 * MS,
            crash_every,
            split_every: often(dice, 10, 50),
            send_every: dice.gen_range(1..=8) * 100 * MS,
            force_every: extra
                .gen_bool(0.4)
                .then(|| extra.gen_range(5..=20) * 100 * MS),
            honesty: match scenario {
                Scenario::LyingDisks => Honesty::Lies,
                _ => Honesty::Keeps,
            },
        }
    }
}

/// Validators, never all, with a share of the stake in hundredths within `share`.
fn traitors(
    dice: &mut ChaCha8Rng,
    stakes: &[u64],
    share: std::ops::RangeInclusive<u64>,
) -> BTreeSet<usize> {
    let total: u64 = stakes.iter().sum();
    let mut places: Vec<usize> = (0..stakes.len()).collect();
    places.shuffle(dice);
    let mut chosen = BTreeSet::new();
    let mut power = 0;
    for place in places {
        let with = power + stakes[place];
        if with * 100 <= share.end() * total && chosen.len() + 2 < stakes.len().max(3) {
            power = with;
            chosen.insert(place);
        }
        if power * 100 >= share.start() * total && *share.start() > 0 {
            break;
        }
    }
    chosen
}

fn habits(dice: &mut ChaCha8Rng, scenario: Scenario) -> Habits {
    if scenario == Scenario::ByzantineMajority {
        return Habits {
            equivocates: 1_000,
            ..Habits::default()
        };
    }
    let mut some = |most: u32| match dice.gen_bool(0.5) {
        true => dice.gen_range(0..=most),
        false => 0,
    };
    Habits {
        equivocates: some(800),
        invalid_blocks: some(400),
        withholds: some(400),
        garbage: some(500),
        lies: some(700),
        mute: some(300),
    }
}

fn weather(dice: &mut ChaCha8Rng, is_quiet: bool) -> Weather {
    if is_quiet {
        return Weather::CALM;
    }
    let least_delay = dice.gen_range(1..=20) * MS;
    let mut some = |most: u32| match dice.gen_bool(0.5) {
        true => dice.gen_range(0..=most),
        false => 0,
    };
    Weather {
        late: some(20),
        lost: some(80),
        doubled: some(80),
        least_delay,
        most_delay: least_delay + dice.gen_range(1..=100) * MS,
    }
}

fn config(dice: &mut ChaCha8Rng, extra: &mut ChaCha8Rng) -> ConsensusConfig {
    // Where the first fault bans, an honest node that is ever blamed is found.
    let max_faults = match extra.gen_bool(0.5) {
        true => 1,
        false => 1_000_000,
    };
    ConsensusConfig {
        bans: Bans {
            max_faults,
            ..Bans::default()
        },
        // Only the newest block is at hand: others that are decided come from the disk.
        limits: Limits {
            undecided_bytes: 0,
            ..Limits::default()
        },
        min_interval_ms: dice.gen_range(150..=400),
        sync_interval_ms: dice.gen_range(300..=1_000),
        timeouts: Timeouts {
            propose_ms: dice.gen_range(300..=600),
            rebroadcast_ms: dice.gen_range(500..=1_000),
            ..Timeouts::default()
        },
        ..ConsensusConfig::default()
    }
}
