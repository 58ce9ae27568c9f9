//! What came of the game, as data.

use serde::{Deserialize, Serialize};
use soma_types::{Address, Epoch, ModelId, Shannons};

/// What came of the game. Money is in shannons.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// Size of the models.
    pub model_size: String,
    /// Seed of the game.
    pub seed: u64,
    /// The data.
    pub domains: Vec<DomainOutcome>,
    /// The specialists, in the order of their domains.
    pub models: Vec<ModelOutcome>,
    /// Who looked for data that hits.
    pub submitters: Vec<SubmitterOutcome>,
    /// Who staked with others.
    pub delegators: Vec<DelegatorOutcome>,
    /// Who tried to cheat.
    pub cheats: Vec<CheatOutcome>,
    /// Epochs played.
    pub epochs: u64,
    /// Blocks made.
    pub blocks: u64,
    /// Targets by how they ended.
    pub targets: TargetCounts,
    /// Supply at the end of each epoch.
    pub supply: Vec<SupplyOutcome>,
    /// What had to hold.
    pub checks: Vec<Check>,
    /// Time of training in seconds.
    pub training_seconds: f64,
    /// Time of all in seconds.
    pub seconds: f64,
    /// Most memory of this process, in bytes; 0 where the system does not say.
    pub peak_memory_bytes: u64,
}

impl Outcome {
    /// True when everything that had to hold does.
    pub fn passed(&self) -> bool {
        self.checks.iter().all(|check| check.holds)
    }

    pub(crate) fn check(&mut self, name: &str, holds: bool, detail: impl Into<String>) {
        self.checks.push(Check {
            name: name.to_owned(),
            holds,
            detail: detail.into(),
        });
    }
}

/// A kind of data.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DomainOutcome {
    /// Its name.
    pub name: String,
    /// Files that were trained on.
    pub training_files: usize,
    /// Their bytes.
    pub training_bytes: u64,
    /// Files that no model saw in training.
    pub held_out_files: usize,
}

/// A specialist.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ModelOutcome {
    /// The domain that it was trained on.
    pub domain: String,
    /// Its owner.
    pub owner: Address,
    /// Its id.
    pub id: ModelId,
    /// Optimizer steps.
    pub steps: u64,
    /// Tokens trained on.
    pub tokens: u64,
    /// Time of training in seconds.
    pub seconds: f64,
    /// Loss in bits per byte at each evaluation: step and value.
    pub curve: Vec<(u64, f64)>,
    /// Bits per byte on held-out files of each domain, in the order of the domains.
    pub bits_per_byte: Vec<f64>,
    /// Targets that it won and that were claimed.
    pub won: u64,
    /// What the owner earned: commission.
    pub owner_earned: Shannons,
    /// Its stake at the end.
    pub stake: Shannons,
}

/// A submitter.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SubmitterOutcome {
    /// The domain of its files.
    pub domain: String,
    /// Its account.
    pub address: Address,
    /// Files scored.
    pub scored: u64,
    /// Targets filled.
    pub filled: u64,
    /// Targets claimed.
    pub claimed: u64,
    /// Its rewards, bonds not counted.
    pub earned: Shannons,
}

/// Somebody who staked with a model or a validator.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DelegatorOutcome {
    /// With whom.
    pub staked_with: String,
    /// Its account.
    pub address: Address,
    /// What was staked.
    pub staked: Shannons,
    /// What that is worth at the end.
    pub value: Shannons,
}

/// A try to cheat.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CheatOutcome {
    /// What was tried.
    pub kind: String,
    /// Who tried.
    pub address: Address,
    /// What had to become of it: `refused: NAME` or `slashed: REASON`.
    pub expected: String,
    /// What became of it: `refused: NAME`, `slashed: REASON` or `undetected`.
    pub result: String,
    /// Money lost, fees not counted.
    pub lost: Shannons,
    /// True when it did not pay.
    pub caught: bool,
}

/// Targets by how they ended.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct TargetCounts {
    /// Filled.
    pub filled: u64,
    /// Claimed.
    pub claimed: u64,
    /// Proven a fraud.
    pub fraud: u64,
    /// Not to be judged.
    #[serde(default)]
    pub void: u64,
    /// Not filled in time.
    pub expired: u64,
}

/// All SOMA at the end of an epoch.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct SupplyOutcome {
    /// The epoch.
    pub epoch: Epoch,
    /// The sum over all pools.
    pub total: Shannons,
    /// True when it is what it must be.
    pub ok: bool,
}

/// Something that had to hold.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Check {
    /// What.
    pub name: String,
    /// Whether it does.
    pub holds: bool,
    /// The numbers.
    pub detail: String,
}
