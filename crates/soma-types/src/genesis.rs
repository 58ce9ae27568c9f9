//! Genesis: the document that a chain starts from. Its digest is the chain id.

use serde::{Deserialize, Serialize};

use crate::bounded::BoundedText;
use crate::embedding::Embedding;
use crate::id::Address;
use crate::manifest::WeightsManifest;
use crate::money::{Bps, Shannons};
use crate::parameters::ParameterOverrides;
use crate::time::TimestampMs;
use crate::validator::ValidatorMetadata;

/// Name of a chain, such as `localnet`.
pub type ChainName = BoundedText<32>;

/// The document that a chain starts from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Genesis {
    /// Name of the chain.
    pub chain: ChainName,
    /// Protocol version at the start.
    pub protocol_version: u64,
    /// Parameters that differ from the version's, in this and every later version.
    pub parameters: ParameterOverrides,
    /// Start of epoch 0.
    pub time_ms: TimestampMs,
    /// Released at the end of each full-length epoch.
    pub emission_per_epoch: Shannons,
    /// Whether an epoch may be ended before its time. For localnets.
    pub allow_forced_epochs: bool,
    /// Whether a forced epoch releases a whole emission instead of its pro-rata part.
    pub full_emission_on_forced_epochs: bool,
    /// Funded accounts, in order of address.
    #[serde(deserialize_with = "crate::bounded::unreserved")]
    pub accounts: Vec<GenesisAccount>,
    /// The first committee, in order of address.
    #[serde(deserialize_with = "crate::bounded::unreserved")]
    pub validators: Vec<GenesisValidator>,
    /// Models that are active from the start.
    #[serde(deserialize_with = "crate::bounded::unreserved")]
    pub models: Vec<GenesisModel>,
}

/// A funded account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GenesisAccount {
    /// Whose it is.
    pub address: Address,
    /// What it holds.
    pub balance: Shannons,
}

/// A validator of the first committee.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GenesisValidator {
    /// Its account.
    pub address: Address,
    /// What it tells about itself.
    pub metadata: ValidatorMetadata,
    /// Its commission.
    pub commission: Bps,
    /// Its own stake.
    pub stake: Shannons,
}

/// A model that is active from the start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GenesisModel {
    /// Its owner.
    pub owner: Address,
    /// Its commission.
    pub commission: Bps,
    /// The owner's stake.
    pub stake: Shannons,
    /// Its weights.
    pub weights: WeightsManifest,
    /// Where it stands.
    pub embedding: Embedding,
}
