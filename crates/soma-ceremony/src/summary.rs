//! What a genesis gives: found by starting its chain, in memory.

use std::path::Path;

use serde::Serialize;
use soma_chain::{Chain, ChainConfig, MemoryStore};
use soma_types::{
    Address, Bps, ChainId, Digest, Epoch, Genesis, MAX_SUPPLY, ModelId, ParameterOverrides,
    PublicKey, Shannons, Supply, TimestampMs,
};

use crate::draft::parameters;
use crate::error::CeremonyError;

/// What a genesis gives. Amounts are shannons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Name of the chain.
    pub chain: String,
    /// Its id: the digest of the genesis.
    pub chain_id: ChainId,
    /// Root of the state that it starts from.
    pub state_root: Digest,
    /// Start of epoch 0, in milliseconds since 1970.
    pub time_ms: TimestampMs,
    /// Protocol version at the start.
    pub protocol_version: u64,
    /// Length of an epoch in milliseconds.
    pub epoch_duration_ms: u64,
    /// Released at the end of each epoch.
    pub emission_per_epoch: Shannons,
    /// Whether an epoch may be ended before its time.
    pub allow_forced_epochs: bool,
    /// Parameters that differ from the protocol version's.
    pub parameters: ParameterOverrides,
    /// Funded accounts.
    pub accounts: usize,
    /// The first committee, in order of address.
    pub validators: Vec<ValidatorSummary>,
    /// Models that are active from the start.
    pub models: Vec<ModelSummary>,
    /// Where all SOMA are at the start.
    pub supply: Supply,
    /// Their sum: 10,000,000 SOMA.
    pub total: Shannons,
}

/// A validator of the first committee.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ValidatorSummary {
    /// Its account.
    pub address: Address,
    /// Its name.
    pub name: String,
    /// Its own stake.
    pub stake: Shannons,
    /// Its voting power, of 10,000.
    pub voting_power: u64,
    /// Its commission in basis points.
    pub commission_bps: Bps,
    /// The key of its votes.
    pub consensus_key: PublicKey,
    /// Where other validators connect.
    pub p2p_address: String,
}

/// A model that is active from the start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ModelSummary {
    /// Its id.
    pub id: ModelId,
    /// Its owner.
    pub owner: Address,
    /// The owner's stake.
    pub stake: Shannons,
    /// Where its weights lie.
    pub url: String,
}

impl Summary {
    /// Starts the chain of `genesis` in memory and looks at it.
    ///
    /// # Errors
    /// [`CeremonyError::Chain`] when it cannot start, [`CeremonyError::Supply`].
    pub fn of(genesis: &Genesis) -> Result<Self, CeremonyError> {
        let chain = Chain::open(MemoryStore::new(), genesis, ChainConfig::default())?;
        let reader = chain.reader();
        // Counted anew from every entry, not read from the sum that the chain keeps.
        let supply = reader.recount_supply()?;
        let total = supply.total().unwrap_or(Shannons(u64::MAX));
        if total != MAX_SUPPLY {
            return Err(CeremonyError::Supply(total));
        }
        let committee = reader.committee(Epoch(0))?;
        let power = |address: &Address| committee.as_ref().map_or(0, |all| all.power(address));
        let validators = genesis.validators.iter().map(|listed| ValidatorSummary {
            address: listed.address,
            name: listed.metadata.name.to_string(),
            stake: listed.stake,
            voting_power: power(&listed.address),
            commission_bps: listed.commission,
            consensus_key: listed.metadata.consensus_key,
            p2p_address: listed.metadata.p2p_address.to_string(),
        });
        let mut models = Vec::new();
        for model in reader.models(None, usize::MAX)? {
            let pool = reader.pool(&model.pool)?;
            models.push(ModelSummary {
                id: model.id,
                owner: model.owner,
                stake: pool.map_or(Shannons::ZERO, |pool| pool.soma),
                url: model
                    .weights
                    .map_or_else(String::new, |w| w.url.to_string()),
            });
        }
        let parameters = parameters(&genesis.parameters, genesis.protocol_version)?;
        Ok(Self {
            chain: genesis.chain.to_string(),
            chain_id: soma_chain::chain_id(genesis),
            state_root: reader.head().header.state_root,
            time_ms: genesis.time_ms,
            protocol_version: genesis.protocol_version,
            epoch_duration_ms: parameters.epoch_duration_ms,
            emission_per_epoch: genesis.emission_per_epoch,
            allow_forced_epochs: genesis.allow_forced_epochs,
            parameters: genesis.parameters.clone(),
            accounts: genesis.accounts.len(),
            validators: validators.collect(),
            models,
            supply,
            total,
        })
    }
}

/// Reads a genesis document.
///
/// # Errors
/// A file that cannot be read, or is no genesis.
pub fn read_genesis(path: &Path) -> Result<Genesis, CeremonyError> {
    let text = std::fs::read_to_string(path).map_err(CeremonyError::file(path))?;
    serde_json::from_str(&text)
        .map_err(|error| CeremonyError::content(path, format!("not a genesis document: {error}")))
}

/// The one text of a genesis document.
///
/// # Errors
/// None for what can be a genesis.
pub fn genesis_json(genesis: &Genesis) -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(genesis).map(|text| text + "\n")
}
