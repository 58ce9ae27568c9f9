//! Protocol parameters: a table by version, with overrides from genesis.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why parameters are refused.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ParameterError {
    /// No such version in the table.
    #[error("protocol version {got} is not supported; this build supports 1 to {newest}")]
    UnknownVersion {
        /// The version asked for.
        got: u64,
        /// The newest of the table.
        newest: u64,
    },
    /// No such parameter.
    #[error("unknown protocol parameter `{0}`")]
    UnknownName(String),
    /// A value that would break the protocol.
    #[error("protocol parameter `{name}` is {got}, must be between {min} and {max}")]
    OutOfRange {
        /// The parameter.
        name: &'static str,
        /// Its value.
        got: u64,
        /// The least value.
        min: u64,
        /// The greatest value.
        max: u64,
    },
    /// Two values that contradict each other.
    #[error("protocol parameters contradict: {0}")]
    Contradiction(&'static str),
}

macro_rules! parameters {
    ($($(#[$doc:meta])* $name:ident = $v1:expr, $min:expr, $max:expr;)*) => {
        /// The numbers of the protocol. All are integers; units are in the names or the text.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        pub struct Parameters {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Parameters {
            /// Names of all parameters.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($name)),*];

            /// Version 1.
            pub const fn v1() -> Self {
                Self { $($name: $v1,)* }
            }

            /// Sets a parameter by name.
            ///
            /// # Errors
            /// [`ParameterError::UnknownName`].
            pub fn set(&mut self, name: &str, value: u64) -> Result<(), ParameterError> {
                match name {
                    $(stringify!($name) => self.$name = value,)*
                    _ => return Err(ParameterError::UnknownName(name.to_owned())),
                }
                Ok(())
            }

            /// The value of a parameter by name.
            pub fn get(&self, name: &str) -> Option<u64> {
                match name {
                    $(stringify!($name) => Some(self.$name),)*
                    _ => None,
                }
            }

            fn check_ranges(&self) -> Result<(), ParameterError> {
                $(if !($min..=$max).contains(&self.$name) {
                    return Err(ParameterError::OutOfRange {
                        name: stringify!($name), got: self.$name, min: $min, max: $max,
                    });
                })*
                Ok(())
            }
        }
    };
}

/// One, in the units of a distance: 2^30.
const ONE: u64 = 1 << 30;

parameters! {
    /// Largest transaction in bytes of its canonical encoding.
    max_transaction_bytes = 262_144, 1_024, 4_194_304;
    /// Most transactions in a block.
    max_block_transactions = 10_000, 1, 100_000;
    /// Most bytes of transactions in a block.
    max_block_bytes = 4_194_304, 262_144, 67_108_864;
    /// Length of an epoch in milliseconds.
    epoch_duration_ms = 86_400_000, 1, 31_536_000_000;
    /// Validators' share of an epoch's budget in basis points; targets get the rest.
    validator_reward_allocation_bps = 2_000, 0, 10_000;
    /// What a validator loses of its reward when a quorum reported it, in basis points.
    reward_slashing_rate_bps = 5_000, 0, 10_000;
    /// What a validator loses of its stake for proven misbehaviour, in basis points.
    validator_slash_rate_bps = 500, 0, 9_999;
    /// Least first stake of a model, and least stake to stay active, in shannons.
    model_min_stake = 1_000_000_000, 1, 10_000_000_000_000_000;
    /// Architecture of all models.
    model_architecture_version = 1, 1, 1_000;
    /// What a model loses of its stake when it does not commit or reveal in time, in basis points.
    model_reveal_slash_rate_bps = 5_000, 0, 9_999;
    /// What a model loses of its stake when a quorum reported it, in basis points.
    model_tally_slash_rate_bps = 9_500, 0, 9_999;
    /// Fee of every transaction in shannons.
    base_fee = 1_000, 0, 1_000_000_000;
    /// Fee for each object written in shannons.
    write_object_fee = 300, 0, 1_000_000_000;
    /// Value fee at genesis in parts per million.
    initial_value_fee_ppm = 1_000, 0, 1_000_000;
    /// Least value fee in parts per million.
    min_value_fee_ppm = 100, 0, 1_000_000;
    /// Greatest value fee in parts per million.
    max_value_fee_ppm = 5_000, 0, 1_000_000;
    /// Greatest move of the value fee in an epoch, in basis points of itself.
    fee_adjustment_rate_bps = 1_250, 0, 10_000;
    /// Part of the circulating supply that fees should burn in a year, in basis points.
    annual_burn_bps = 500, 0, 10_000;
    /// Models assigned to a target.
    target_models_per_target = 3, 1, 16;
    /// Components of an embedding.
    target_embedding_dim = 2_048, 1, 65_536;
    /// Distance threshold at genesis in units of 2^-30.
    target_initial_distance_threshold = ONE + ONE / 20, 1, 2 * ONE;
    /// Fills per epoch that difficulty steers to.
    target_hits_per_epoch = 86_400, 1, 1_000_000_000;
    /// Targets that the budget pays for, as a multiple of `target_hits_per_epoch`.
    target_supply_factor = 2, 2, 1_000;
    /// Weight of the past in the average of hits, in basis points.
    target_hits_ema_decay_bps = 9_000, 0, 9_999;
    /// Targets open at a time: drawn at the start of an epoch and replaced when filled.
    target_initial_targets_per_epoch = 100, 1, 10_000;
    /// Submitter's share of a target's reward in basis points; the model's pool gets the rest.
    target_submitter_reward_share_bps = 5_000, 0, 10_000;
    /// Share of a claimer who is neither submitter nor the model's owner, in basis points.
    target_claimer_incentive_bps = 50, 0, 10_000;
    /// Epochs for which targets stay readable after their end: claimed, expired, fraud or void.
    target_retention_epochs = 14, 0, 100_000;
    /// Bond of a submission in shannons for each byte.
    submission_bond_per_byte = 65, 1, 1_000_000_000;
    /// Largest submission in bytes.
    max_submission_data_size = 1_048_576, 1, 1_073_741_824;
    /// Blocks after which a sealed submission lapses.
    submission_commitment_blocks = 100, 1, 1_000_000;
    /// Full epochs between asking for stake back and its payout.
    unbonding_epochs = 1, 1, 365;
    /// Stake that an application to validate brings, and least stake of a candidate, in shannons.
    min_candidate_stake = 1_000_000_000, 1, 10_000_000_000_000_000;
    /// Voting power from which a candidate joins (of 10,000).
    validator_join_power = 12, 1, 10_000;
    /// Voting power under which a validator is at risk (of 10,000).
    validator_low_stake_power = 8, 0, 10_000;
    /// Voting power under which a validator is removed at once (of 10,000).
    validator_very_low_stake_power = 4, 0, 10_000;
    /// Epochs for which a validator may stay at risk, and a candidate may wait.
    validator_low_stake_grace_epochs = 7, 0, 10_000;
    /// Greatest voting power of one validator where enough validators exist.
    voting_power_cap = 1_000, 1, 10_000;
    /// Validators needed for the cap to apply.
    voting_power_cap_min_validators = 10, 1, 10_000;
    /// Power beyond a quorum that a protocol upgrade needs, in basis points of the rest.
    upgrade_buffer_bps = 5_000, 0, 10_000;
}

impl Parameters {
    /// Checks every range and that values fit each other.
    ///
    /// # Errors
    /// The first parameter that is out of its range, or a contradiction.
    pub fn check(&self) -> Result<(), ParameterError> {
        self.check_ranges()?;
        let contradiction = |broken: bool, text| match broken {
            true => Err(ParameterError::Contradiction(text)),
            false => Ok(()),
        };
        contradiction(
            self.min_value_fee_ppm > self.max_value_fee_ppm,
            "min_value_fee_ppm is above max_value_fee_ppm",
        )?;
        contradiction(
            self.max_block_bytes < self.max_transaction_bytes,
            "max_block_bytes is below max_transaction_bytes",
        )?;
        contradiction(
            self.validator_very_low_stake_power > self.validator_low_stake_power,
            "validator_very_low_stake_power is above validator_low_stake_power",
        )?;
        contradiction(
            self.voting_power_cap * self.voting_power_cap_min_validators < 10_000,
            "voting_power_cap times voting_power_cap_min_validators is below 10,000",
        )
    }
}

/// Genesis overrides: parameters by name. They hold in every version.
pub type ParameterOverrides = BTreeMap<String, u64>;

/// Parameters of all protocol versions that a build knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParameterTable {
    versions: Vec<Parameters>,
    overrides: ParameterOverrides,
}

impl ParameterTable {
    /// The table of this build, with the overrides of a genesis.
    ///
    /// # Errors
    /// An override that is unknown or breaks the protocol.
    pub fn new(overrides: ParameterOverrides) -> Result<Self, ParameterError> {
        Self::with_versions(vec![Parameters::v1()], overrides)
    }

    /// A table with other versions; the first is version 1. For networks of one's own and tests.
    ///
    /// # Errors
    /// An override that is unknown or breaks the protocol in any version.
    pub fn with_versions(
        versions: Vec<Parameters>,
        overrides: ParameterOverrides,
    ) -> Result<Self, ParameterError> {
        let table = Self {
            versions,
            overrides,
        };
        for version in 1..=table.newest_version() {
            table.at(version)?;
        }
        Ok(table)
    }

    /// The newest version of the table.
    pub fn newest_version(&self) -> u64 {
        self.versions.len() as u64
    }

    /// The parameters of `version`, genesis overrides applied.
    ///
    /// # Errors
    /// An unknown version; a bad override.
    pub fn at(&self, version: u64) -> Result<Parameters, ParameterError> {
        let unknown = ParameterError::UnknownVersion {
            got: version,
            newest: self.newest_version(),
        };
        let index = version
            .checked_sub(1)
            .and_then(|index| usize::try_from(index).ok());
        let mut parameters = index
            .and_then(|index| self.versions.get(index))
            .cloned()
            .ok_or(unknown)?;
        for (name, value) in &self.overrides {
            parameters.set(name, *value)?;
        }
        parameters.check()?;
        Ok(parameters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_one_is_sound() {
        Parameters::v1().check().unwrap();
    }

    #[test]
    fn overrides_hold_in_every_version() {
        let mut second = Parameters::v1();
        second.base_fee = 2_000;
        let overrides = BTreeMap::from([("target_embedding_dim".to_owned(), 16)]);
        let table =
            ParameterTable::with_versions(vec![Parameters::v1(), second], overrides).unwrap();
        assert_eq!(table.at(1).unwrap().target_embedding_dim, 16);
        let upgraded = table.at(2).unwrap();
        assert_eq!(
            (upgraded.target_embedding_dim, upgraded.base_fee),
            (16, 2_000)
        );
        assert_eq!(
            table.at(3),
            Err(ParameterError::UnknownVersion { got: 3, newest: 2 })
        );
        assert!(table.at(0).is_err());
    }

    #[test]
    fn bad_overrides_are_refused_by_name() {
        let table = |name: &str, value| {
            ParameterTable::new(BTreeMap::from([(name.to_owned(), value)])).unwrap_err()
        };
        assert_eq!(
            table("colour", 1),
            ParameterError::UnknownName("colour".into())
        );
        assert_eq!(
            table("submission_bond_per_byte", 0).to_string(),
            "protocol parameter `submission_bond_per_byte` is 0, must be between 1 and 1000000000"
        );
        assert!(matches!(
            table("min_value_fee_ppm", 9_000),
            ParameterError::Contradiction(_)
        ));
    }
}
