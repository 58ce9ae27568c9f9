//! What a run came to.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use soma_types::{Checksum, Distance, ModelId, Shannons, TargetId};

use crate::events::Stats;
use crate::scan::Near;

/// A submission that a dry run would have made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Planned {
    /// The target.
    pub target: TargetId,
    /// The data.
    pub checksum: Checksum,
    /// The file.
    pub path: PathBuf,
    /// The winning model.
    pub model: ModelId,
    /// Its loss in nats.
    pub loss: f64,
    /// Distance to the target in units of 2^-30.
    pub distance: Distance,
    /// What the target allows, in units of 2^-30.
    pub threshold: Distance,
    /// The bond.
    pub bond: Shannons,
    /// What the submitter would get two epochs later.
    pub reward: Shannons,
}

/// Money that was not enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanting {
    /// What the next submission takes, bond and fees.
    pub needed: Shannons,
    /// What there is for it; at the bound on bonds, what that leaves.
    pub available: Shannons,
    /// True when the bound on bonds is what is in the way.
    pub at_max_bonds: bool,
}

/// What a run came to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The sums.
    pub stats: Stats,
    /// Open targets at the last look.
    pub targets: u64,
    /// Of them, those that some active model is assigned to.
    pub winnable: u64,
    /// Candidates of the sources.
    pub candidates: u64,
    /// The one target that was to be filled, where one was named.
    pub only: Option<TargetId>,
    /// The next submission, when money was not enough for it.
    pub wanting: Option<Wanting>,
    /// Why models could not be loaded, the last time; targets that need them were passed over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreadable_models: Option<String>,
    /// Candidates that hit targets with data that was submitted before; each is one of the lost.
    #[serde(default)]
    pub duplicates: u64,
    /// What a dry run would have submitted.
    pub planned: Vec<Planned>,
}

/// Why nothing was submitted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Nothing {
    /// No target is open.
    NoTargets,
    /// The target that was named is filled, or of an epoch that is over.
    TargetNotOpen {
        /// That target.
        target: TargetId,
    },
    /// Open targets have no active model.
    NoModels,
    /// The sources hold no candidate.
    NoCandidates,
    /// All candidates are spent or cannot be scored.
    NothingToScore,
    /// No candidate hit a target.
    NoHit {
        /// The nearest.
        nearest: Option<Near>,
    },
    /// No candidate hit a target whose models can all be loaded; others were passed over.
    UnreadableModels {
        /// Which model, and why.
        error: String,
    },
    /// There were hits, and no money for them.
    NotAffordable {
        /// What the next submission needs.
        needed: Shannons,
        /// What there is.
        available: Shannons,
    },
    /// The bond of the next submission is more than the bound on bonds leaves.
    MaxBondsReached {
        /// What the next submission takes, bond and fees.
        needed: Shannons,
        /// What the bound leaves for bonds.
        available: Shannons,
    },
    /// All that hit was submitted before.
    DuplicateData,
    /// Somebody else was faster.
    AllLost,
}

impl Nothing {
    /// The reason as one word.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::NoTargets => "NoTargets",
            Self::TargetNotOpen { .. } => "TargetNotOpen",
            Self::NoModels => "NoModels",
            Self::NoCandidates => "NoCandidates",
            Self::NothingToScore => "NothingToScore",
            Self::NoHit { .. } => "NoHit",
            Self::UnreadableModels { .. } => "UnreadableModels",
            Self::NotAffordable { .. } => "NotAffordable",
            Self::MaxBondsReached { .. } => "MaxBondsReached",
            Self::DuplicateData => "DuplicateData",
            Self::AllLost => "AllLost",
        }
    }
}

impl fmt::Display for Nothing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTargets => f.write_str("no target is open"),
            Self::TargetNotOpen { target } => write!(
                f,
                "target {target} is not open: it is filled, or its epoch is over"
            ),
            Self::NoModels => f.write_str("no active model is assigned to the open targets"),
            Self::NoCandidates => f.write_str("the sources hold no file that can be submitted"),
            Self::NothingToScore => {
                f.write_str("every candidate was submitted before, or cannot be scored")
            }
            Self::NoHit { nearest: None } => f.write_str("no candidate hit a target"),
            Self::NoHit {
                nearest: Some(near),
            } => write!(
                f,
                "no candidate hit a target; the nearest lies at distance {}, its target allows {}",
                near.distance, near.threshold
            ),
            Self::UnreadableModels { error } => write!(
                f,
                "the scorer cannot load all models of the open targets, and without one of them \
                 nobody knows who wins: {error}"
            ),
            Self::NotAffordable { needed, available } => write!(
                f,
                "the next submission needs {needed} for bond and fees, and there are {available}"
            ),
            Self::MaxBondsReached { needed, available } => write!(
                f,
                "the next submission needs {needed} for bond and fees, and the most allowed in \
                 bonds leaves {available}"
            ),
            Self::DuplicateData => f.write_str(
                "every candidate that hit a target holds data that was submitted before, in an \
                 earlier epoch or by somebody else; the chain takes data once",
            ),
            Self::AllLost => f.write_str("every submission came too late or was refused"),
        }
    }
}

impl Report {
    /// Why nothing was submitted; `None` when something was, or in a dry run would have been.
    pub fn nothing(&self) -> Option<Nothing> {
        let stats = &self.stats;
        let lost = stats.lost_races + stats.lost;
        if stats.filled > 0 || !self.planned.is_empty() {
            return None;
        }
        Some(if self.targets == 0 {
            match self.only {
                Some(target) => Nothing::TargetNotOpen { target },
                None => Nothing::NoTargets,
            }
        } else if self.winnable == 0 {
            Nothing::NoModels
        } else if self.candidates == 0 {
            Nothing::NoCandidates
        } else if let Some(wanting) = self.wanting {
            let Wanting {
                needed, available, ..
            } = wanting;
            match wanting.at_max_bonds {
                true => Nothing::MaxBondsReached { needed, available },
                false => Nothing::NotAffordable { needed, available },
            }
        } else if lost > 0 {
            match lost <= self.duplicates {
                true => Nothing::DuplicateData,
                false => Nothing::AllLost,
            }
        } else if let Some(error) = &self.unreadable_models {
            let error = error.clone();
            Nothing::UnreadableModels { error }
        } else if stats.scanned == 0 {
            Nothing::NothingToScore
        } else {
            Nothing::NoHit {
                nearest: stats.nearest,
            }
        })
    }
}
