//! What a submitter tells while it works, and the sums of it.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use soma_types::{Checksum, Distance, Epoch, Shannons, TargetId};

use crate::journal::LostReason;
use crate::run::Wanting;
use crate::scan::Near;

/// Told to who watches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum SubmitterEvent {
    /// The open targets were read for the first time in an epoch.
    Epoch {
        /// The epoch.
        epoch: Epoch,
        /// Open targets.
        targets: u64,
        /// Distinct sets of models that they ask for.
        model_sets: u64,
    },
    /// A pass over all candidates begins.
    PassBegan {
        /// Candidates of the sources.
        candidates: u64,
        /// Files left out as too large.
        too_large: u64,
    },
    /// Candidates were scored with all models.
    Scanned {
        /// How many.
        candidates: u64,
        /// How many of them hit no target.
        misses: u64,
        /// The nearest of the misses.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nearest: Option<Near>,
    },
    /// Candidates were passed over: spent, or the same data as others.
    Skipped {
        /// How many.
        candidates: u64,
    },
    /// A candidate cannot be scored or read.
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The pass is over.
    PassEnded {
        /// Candidates looked at.
        candidates: u64,
    },
    /// A candidate would fill a target.
    Hit {
        /// The target.
        target: TargetId,
        /// The data.
        checksum: Checksum,
        /// The file.
        path: PathBuf,
        /// Distance to the target in units of 2^-30.
        distance: Distance,
        /// What the target allows, in units of 2^-30.
        threshold: Distance,
        /// The bond.
        bond: Shannons,
        /// What the submitter gets two epochs later.
        reward: Shannons,
    },
    /// A submission came a step further, and the journal says so.
    Step {
        /// The target.
        target: TargetId,
        /// The data.
        checksum: Checksum,
        /// `prepared`, `uploaded`, `committed`, `opened`, `claimable`, `claimed` or `lost`.
        state: String,
        /// The bond, once it is paid.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bond: Option<Shannons>,
        /// What was paid, once it is claimed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reward: Option<Shannons>,
        /// Why, when it is lost.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lost: Option<LostReason>,
    },
    /// A transaction of a submission is signed and kept, and is sent next.
    Signed {
        /// The target.
        target: TargetId,
        /// The state that it goes on from.
        state: String,
    },
    /// A commitment lapsed unopened; a new one takes its place.
    Lapsed {
        /// The target.
        target: TargetId,
    },
    /// The reward of a target that this journal does not know was claimed.
    ClaimedOther {
        /// The target.
        target: TargetId,
        /// What was paid.
        reward: Shannons,
    },
    /// There are hits, and not enough money for their bonds and fees.
    WaitingForMoney(Wanting),
    /// The scorer cannot load models that are assigned to open targets; these are passed over.
    UnreadableModels {
        /// Which model, and why.
        error: String,
    },
    /// Something failed and is tried again.
    Retrying {
        /// What.
        what: String,
        /// Why it failed.
        error: String,
        /// The pause before the next try, in milliseconds.
        pause_ms: u64,
    },
}

/// Told what happens.
pub type Observer = Arc<dyn Fn(&SubmitterEvent) + Send + Sync>;

/// The sums of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    /// The newest epoch.
    pub epoch: Epoch,
    /// Candidates scored.
    pub scanned: u64,
    /// Candidates passed over.
    pub skipped: u64,
    /// Candidates that cannot be scored or read.
    pub unusable: u64,
    /// Pairs of a candidate and a target that fit.
    pub hits: u64,
    /// Candidates that hit no target.
    pub misses: u64,
    /// The nearest of the misses.
    pub nearest: Option<Near>,
    /// Targets filled.
    pub filled: u64,
    /// Bonds that are out now.
    pub bonds_out: Shannons,
    /// Targets claimed.
    pub claimed: u64,
    /// Rewards paid.
    pub rewards: Shannons,
    /// Targets that somebody else filled first.
    pub lost_races: u64,
    /// Submissions that came to nothing for another reason.
    pub lost: u64,
}

impl Stats {
    /// Takes an event into the sums.
    pub fn add(&mut self, event: &SubmitterEvent) {
        match event {
            SubmitterEvent::Epoch { epoch, .. } => self.epoch = *epoch,
            SubmitterEvent::Scanned {
                candidates,
                misses,
                nearest,
            } => {
                self.scanned += candidates;
                self.misses += misses;
                let best = [self.nearest, *nearest].into_iter().flatten();
                self.nearest = best.min_by_key(Near::excess);
            }
            SubmitterEvent::Skipped { candidates } => self.skipped += candidates,
            SubmitterEvent::Unusable { .. } => self.unusable += 1,
            SubmitterEvent::Hit { .. } => self.hits += 1,
            SubmitterEvent::Step {
                state,
                bond,
                reward,
                lost,
                ..
            } => self.add_step(state, *bond, *reward, lost.as_ref()),
            SubmitterEvent::ClaimedOther { reward, .. } => {
                self.claimed += 1;
                self.rewards = self.rewards.saturating_add(*reward);
            }
            _ => {}
        }
    }

    fn add_step(
        &mut self,
        state: &str,
        bond: Option<Shannons>,
        reward: Option<Shannons>,
        lost: Option<&LostReason>,
    ) {
        let bond = bond.unwrap_or_default();
        match state {
            "opened" => {
                self.filled += 1;
                self.bonds_out = self.bonds_out.saturating_add(bond);
            }
            "claimed" => {
                self.claimed += 1;
                self.rewards = self.rewards.saturating_add(reward.unwrap_or_default());
                self.bonds_out = self.bonds_out.saturating_sub(bond);
            }
            "lost" => {
                self.bonds_out = self.bonds_out.saturating_sub(bond);
                match lost {
                    Some(LostReason::Taken) => self.lost_races += 1,
                    _ => self.lost += 1,
                }
            }
            _ => {}
        }
    }
}
