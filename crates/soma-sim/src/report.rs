//! What a run found.

use std::ops::AddAssign;

use serde::Serialize;

use crate::violation::Violation;

/// How much happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Events: messages that arrived, timers, faults.
    pub events: u64,
    /// Heights that were decided.
    pub blocks: u64,
    /// Epochs that ended.
    pub epochs: u64,
    /// Transactions that clients sent.
    pub transactions: u64,
    /// Nodes that crashed.
    pub crashes: u64,
    /// Partitions of the network.
    pub partitions: u64,
    /// Messages that were lost on the way.
    pub lost: u64,
    /// Deeds of byzantine validators.
    pub byzantine_acts: u64,
    /// Contradictions that honest nodes saw.
    pub evidence_seen: u64,
    /// Accusations in blocks.
    pub evidence_named: u64,
    /// Blocks that nodes took from others' stores.
    pub synced: u64,
    /// Wishes to end an epoch before its time.
    pub forced: u64,
    /// Peers that honest nodes banned.
    pub bans: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.events += other.events;
        self.blocks += other.blocks;
        self.epochs += other.epochs;
        self.transactions += other.transactions;
        self.crashes += other.crashes;
        self.partitions += other.partitions;
        self.lost += other.lost;
        self.byzantine_acts += other.byzantine_acts;
        self.evidence_seen += other.evidence_seen;
        self.evidence_named += other.evidence_named;
        self.synced += other.synced;
        self.forced += other.forced;
        self.bans += other.bans;
    }
}

/// What a run of one seed found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The seed: the same one gives the same run.
    pub seed: u64,
    /// Digest of the trace, in hex digits.
    pub digest: String,
    /// How much happened.
    pub tally: Tally,
    /// Virtual time that passed in milliseconds.
    pub virtual_ms: u64,
    /// The first rule that was broken, if any.
    pub violation: Option<Violation>,
    /// The trace, when it was asked for.
    #[serde(skip)]
    pub trace: Vec<String>,
}
