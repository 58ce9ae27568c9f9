//! The genesis of a localnet.

use std::collections::BTreeMap;

use soma_types::bounded::BoundedText;
use soma_types::embedding::EMBEDDING_ONE;
use soma_types::validator::MetadataText;
use soma_types::{
    Address, Bps, Distance, Genesis, GenesisAccount, GenesisValidator, ParameterOverrides,
    Parameters, Shannons, ValidatorMetadata,
};

use super::config::SMALL_MODEL_DIM;
use super::{Addresses, LocalnetAccount, LocalnetConfig, LocalnetKeys};
use crate::application::wall_clock_ms;

/// What the faucet starts with: 1,500,000 SOMA.
const FAUCET_BALANCE: Shannons = Shannons(1_500_000_000_000_000);

/// What a validator holds beside its stake, for bonds and fees, at most: 300,000 SOMA.
const VALIDATOR_BALANCE: Shannons = Shannons(300_000_000_000_000);

/// Each validator's stake: 20,000 SOMA.
const VALIDATOR_STAKE: Shannons = Shannons(20_000_000_000_000);

/// Each validator's commission in basis points.
const VALIDATOR_COMMISSION_BPS: u64 = 200;

/// Released at the end of each epoch: 1,370 SOMA.
const EMISSION_PER_EPOCH: Shannons = Shannons(1_370_000_000_000);

/// Fills per epoch that difficulty steers to: a person tries a handful, not tens of thousands,
/// and the budget of an epoch then pays visible rewards.
const HITS_PER_EPOCH: u64 = 100;

/// The genesis of a new localnet, starting now. Each validator listens on a port that is free now;
/// without any it has no address, and [`Addresses::usable`] says why.
pub fn localnet_genesis(config: &LocalnetConfig, keys: &LocalnetKeys) -> Genesis {
    let mut balances: BTreeMap<Address, Shannons> = BTreeMap::new();
    let rich = keys.accounts.iter().map(|account| account.address);
    for address in rich.chain(config.fund.iter().copied()) {
        balances.insert(address, config.account_balance);
    }
    for validator in &keys.validators {
        balances.insert(
            validator.address,
            config.account_balance.min(VALIDATOR_BALANCE),
        );
    }
    balances.insert(keys.faucet.secret_key.address(), FAUCET_BALANCE);
    Genesis {
        chain: short("localnet"),
        protocol_version: 1,
        parameters: parameters(config),
        time_ms: wall_clock_ms(),
        emission_per_epoch: EMISSION_PER_EPOCH,
        allow_forced_epochs: true,
        full_emission_on_forced_epochs: true,
        accounts: balances
            .into_iter()
            .map(|(address, balance)| GenesisAccount { address, balance })
            .collect(),
        validators: validators(config, keys),
        models: Vec::new(),
    }
}

fn short<const MAX: usize>(text: &str) -> BoundedText<MAX> {
    BoundedText::new(text).unwrap_or_default()
}

fn parameters(config: &LocalnetConfig) -> ParameterOverrides {
    let mut overrides = ParameterOverrides::new();
    let mut set = |name: &str, value| overrides.insert(name.to_owned(), value);
    set("target_hits_per_epoch", HITS_PER_EPOCH);
    if config.small_model {
        set("target_embedding_dim", SMALL_MODEL_DIM);
    }
    if let Some(duration) = config.epoch_duration_ms {
        set("epoch_duration_ms", duration);
    }
    overrides.extend(config.parameters.clone());
    if let Some(dim) = overrides.get("target_embedding_dim") {
        let threshold = initial_threshold(*dim);
        let name = "target_initial_distance_threshold".to_owned();
        overrides.entry(name).or_insert(threshold);
    }
    overrides
}

/// The threshold that as many random directions of `dim` components hit as hit that of V1. Their
/// distances spread by 1 / sqrt(dim) around 1: what is wide for many components is narrow for few.
fn initial_threshold(dim: u64) -> u64 {
    let v1 = Parameters::v1();
    let above = v1.target_initial_distance_threshold as f64 / EMBEDDING_ONE as f64 - 1.0;
    let spread = (v1.target_embedding_dim as f64 / dim.max(1) as f64).sqrt();
    let threshold = Distance::from_f64((1.0 + above * spread).min(2.0));
    threshold.map_or(v1.target_initial_distance_threshold, |threshold| {
        u64::from(threshold.0)
    })
}

fn validators(config: &LocalnetConfig, keys: &LocalnetKeys) -> Vec<GenesisValidator> {
    let commission = Bps::try_from(VALIDATOR_COMMISSION_BPS).unwrap_or(Bps::ZERO);
    let addresses = Addresses::choose(keys.validators.len()).ok();
    let address = |index| addresses.as_ref().and_then(|all| all.get(index));
    let one = |(number, account): (usize, &LocalnetAccount)| GenesisValidator {
        address: account.address,
        metadata: ValidatorMetadata {
            name: short(&format!("localnet validator {number}")),
            consensus_key: account.secret_key.public_key(),
            p2p_address: short(address(number - 1).unwrap_or_default()),
            // Only the first has an API where clients know to look.
            rpc_address: match number {
                1 => short(&super::url(config.node.rpc.address)),
                _ => MetadataText::default(),
            },
            proxy_address: MetadataText::default(),
        },
        commission,
        stake: VALIDATOR_STAKE,
    };
    let mut validators: Vec<_> = (1..).zip(&keys.validators).map(one).collect();
    validators.sort_by_key(|validator| validator.address);
    validators
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_localnet_starts_with_its_accounts_funded() {
        let config = LocalnetConfig {
            fund: vec![Address([9; 32])],
            ..LocalnetConfig::for_tests()
        };
        let keys = LocalnetKeys::generate(2, 3);
        let genesis = localnet_genesis(&config, &keys);
        assert_eq!(genesis.accounts.len(), 7);
        assert_eq!(genesis.validators.len(), 2);
        soma_chain::genesis::check(&genesis).unwrap();
        assert_eq!(genesis.parameters["target_embedding_dim"], 16);
        let threshold = genesis.parameters["target_initial_distance_threshold"];
        // 1 + 0.05 * sqrt(2048 / 16)
        let threshold = Distance(threshold as u32).to_f64();
        assert!((threshold - 1.565_685).abs() < 1e-6, "{threshold}");
    }

    #[test]
    fn the_genesis_says_where_each_validator_listens() {
        let keys = LocalnetKeys::generate(4, 1);
        let genesis = localnet_genesis(&LocalnetConfig::for_tests(), &keys);
        let addresses = Addresses::listed(&genesis, &keys);
        for (index, account) in keys.validators.iter().enumerate() {
            let at = addresses.get(index).unwrap();
            let mut here = genesis.validators.iter();
            let found = here.find(|validator| validator.metadata.p2p_address.as_str() == at);
            assert_eq!(found.unwrap().address, account.address);
        }
    }
}
