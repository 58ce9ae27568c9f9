//! The chain that a run begins with.

use soma_crypto::{Domain, SecretKey, hash};
use soma_types::genesis::ChainName;
use soma_types::validator::MetadataText;
use soma_types::{
    Address, Bps, Genesis, GenesisAccount, GenesisValidator, Shannons, TimestampMs,
    ValidatorMetadata,
};

use crate::error::SimError;
use crate::plan::Plan;

/// The true time at the start of every run.
pub(crate) const START_MS: TimestampMs = 1_700_000_000_000;
/// Accounts of clients.
const USERS: u64 = 4;
/// Balance of every account in SOMA.
const BALANCE: u64 = 10_000;
/// Numbers of clients' keys, and of validators' consensus keys, begin here.
const USER_KEYS: u64 = 1_000;
const CONSENSUS_KEYS: u64 = 2_000;

/// The actors of a run.
pub(crate) struct Cast {
    pub(crate) genesis: Genesis,
    /// Accounts and consensus keys of validators, by place.
    pub(crate) validators: Vec<(Address, SecretKey)>,
    /// Keys of clients.
    pub(crate) users: Vec<(Address, SecretKey)>,
}

/// Key number `number` of all runs.
fn key(number: u64) -> Result<SecretKey, SimError> {
    let bytes = hash(Domain::StateKey, number.to_le_bytes());
    SecretKey::from_bytes(&bytes).map_err(SimError::setup)
}

fn metadata(place: u64, consensus: &SecretKey) -> Result<ValidatorMetadata, SimError> {
    let text = |text: String| MetadataText::new(text).map_err(SimError::setup);
    Ok(ValidatorMetadata {
        name: text(format!("validator-{place}"))?,
        consensus_key: consensus.public_key(),
        p2p_address: text(format!("/ip4/127.0.0.1/tcp/{}", 20_000 + place))?,
        rpc_address: text(String::new())?,
        proxy_address: text(String::new())?,
    })
}

impl Cast {
    /// The actors of a plan.
    pub(crate) fn new(plan: &Plan) -> Result<Self, SimError> {
        let soma = |amount| {
            let shannons = Shannons::from_soma(amount);
            shannons.ok_or_else(|| SimError::setup("more SOMA than there are"))
        };
        let balance = soma(BALANCE)?;
        let mut validators = Vec::new();
        let mut users = Vec::new();
        let mut accounts = Vec::new();
        let mut members = Vec::new();
        for (place, stake) in (0u64..).zip(&plan.stakes) {
            let (address, consensus) = (key(place)?.address(), key(CONSENSUS_KEYS + place)?);
            accounts.push(GenesisAccount { address, balance });
            members.push(GenesisValidator {
                address,
                metadata: metadata(place, &consensus)?,
                commission: Bps::ZERO,
                stake: soma(*stake)?,
            });
            validators.push((address, consensus));
        }
        for number in 0..USERS {
            let key = key(USER_KEYS + number)?;
            let address = key.address();
            accounts.push(GenesisAccount { address, balance });
            users.push((address, key));
        }
        accounts.sort_by_key(|account| account.address);
        members.sort_by_key(|member| member.address);
        let parameters = [
            ("target_embedding_dim", 8),
            ("epoch_duration_ms", plan.epoch_ms),
        ];
        let genesis = Genesis {
            chain: ChainName::new("simulation").map_err(SimError::setup)?,
            protocol_version: 1,
            parameters: parameters
                .map(|(name, value)| (name.to_owned(), value))
                .into(),
            time_ms: START_MS,
            emission_per_epoch: soma(1_370)?,
            allow_forced_epochs: plan.force_every.is_some(),
            full_emission_on_forced_epochs: false,
            accounts,
            validators: members,
            models: Vec::new(),
        };
        Ok(Self {
            genesis,
            validators,
            users,
        })
    }
}
