//! What the coordinator of a ceremony decides: `ceremony.toml`, and the models of the start.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use soma_chain::{ChainError, GenesisError};
use soma_types::genesis::ChainName;
use soma_types::{
    Address, Bps, Embedding, GenesisModel, ParameterOverrides, ParameterTable, Parameters,
    Shannons, TimestampMs, WeightsManifest,
};

use crate::error::CeremonyError;

/// An amount that is written as decimal SOMA, such as `"1.5"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Soma(pub Shannons);

impl Serialize for Soma {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.to_soma_string())
    }
}

impl<'de> Deserialize<'de> for Soma {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(serde::de::Error::custom)
    }
}

/// What the coordinator decides. Everything has a default but the chain's name and its time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    /// Name of the chain.
    pub chain: ChainName,
    /// Start of epoch 0, in milliseconds since 1970.
    pub time_ms: TimestampMs,
    /// Protocol version at the start. Default 1.
    #[serde(default = "first_version")]
    pub protocol_version: u64,
    /// Released at the end of each epoch of full length, in SOMA. Default 1,370.
    #[serde(default = "default_emission")]
    pub emission_per_epoch: Soma,
    /// Whether an epoch may be ended before its time. Default false.
    #[serde(default)]
    pub allow_forced_epochs: bool,
    /// Whether a forced epoch releases a whole emission. Default false.
    #[serde(default)]
    pub full_emission_on_forced_epochs: bool,
    /// Parameters that differ from the protocol version's, in this and every later version.
    #[serde(default)]
    pub parameters: ParameterOverrides,
    /// Funded accounts and what they hold, in SOMA. Stake of validators and models is beside it.
    #[serde(default)]
    pub accounts: BTreeMap<Address, Soma>,
}

const fn first_version() -> u64 {
    1
}

const fn default_emission() -> Soma {
    Soma(Shannons(1_370_000_000_000))
}

impl Draft {
    /// Refuses what no chain can start with, whatever else the folder holds.
    ///
    /// # Errors
    /// [`CeremonyError::ChainName`], or [`CeremonyError::Chain`] for the protocol version and
    /// parameters.
    pub(crate) fn check(&self) -> Result<(), CeremonyError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let name = self.chain.as_str();
        if name.is_empty() || !name.chars().all(allowed) {
            return Err(CeremonyError::ChainName(self.chain.clone()));
        }
        parameters(&self.parameters, self.protocol_version).map(|_| ())
    }

    /// The dimension of the embeddings of the chain's models.
    ///
    /// # Errors
    /// [`CeremonyError::Chain`] for the protocol version and parameters.
    pub(crate) fn embedding_dim(&self) -> Result<u64, CeremonyError> {
        let parameters = parameters(&self.parameters, self.protocol_version)?;
        Ok(parameters.target_embedding_dim)
    }

    /// A draft with defaults.
    pub fn new(chain: ChainName, time_ms: TimestampMs) -> Self {
        Self {
            chain,
            time_ms,
            protocol_version: first_version(),
            emission_per_epoch: default_emission(),
            allow_forced_epochs: false,
            full_emission_on_forced_epochs: false,
            parameters: ParameterOverrides::new(),
            accounts: BTreeMap::new(),
        }
    }
}

/// The parameters that a chain starts with.
pub(crate) fn parameters(
    overrides: &ParameterOverrides,
    version: u64,
) -> Result<Parameters, CeremonyError> {
    let table = ParameterTable::new(overrides.clone());
    let parameters = table.and_then(|table| table.at(version));
    parameters.map_err(|error| ChainError::from(GenesisError::from(error)).into())
}

/// A model that is active from the start, in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Its owner.
    pub owner: Address,
    /// Its commission in basis points. Default 0.
    #[serde(default)]
    pub commission_bps: Bps,
    /// The owner's stake, in SOMA.
    pub stake: Soma,
    /// Where it stands: components in Base64, as `soma` prints them, or a list of numbers.
    #[serde(deserialize_with = "embedding")]
    pub embedding: Embedding,
    /// Its weights.
    pub weights: WeightsManifest,
}

impl From<Model> for GenesisModel {
    fn from(model: Model) -> Self {
        Self {
            owner: model.owner,
            commission: model.commission_bps,
            stake: model.stake.0,
            weights: model.weights,
            embedding: model.embedding,
        }
    }
}

fn embedding<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Embedding, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Form {
        Fixed(Embedding),
        Numbers(Vec<f32>),
    }
    match Form::deserialize(deserializer)? {
        Form::Fixed(embedding) => Ok(embedding),
        Form::Numbers(numbers) => Embedding::from_f32(&numbers).map_err(serde::de::Error::custom),
    }
}
