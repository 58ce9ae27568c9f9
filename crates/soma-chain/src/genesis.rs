//! Genesis: the state that a chain starts from.

use soma_crypto::{Domain, Hasher, hash};
use soma_types::codec::encode;
use soma_types::money::MAX_SUPPLY;
use soma_types::{
    Account, Address, ChainId, DifficultyState, Distance, Epoch, Genesis, GenesisModel,
    GenesisValidator, MetadataUpdate, Model, ModelId, ModelStatus, PoolId, PoolOwner, PoolStatus,
    Ppm, Shannons, StakeId, StakePosition, StakeState, SystemState, TargetState, Validator,
    ValidatorStatus, WeightsRecord,
};

use crate::epoch;
use crate::error::{BlockError, GenesisError};
use crate::execute::{Execution, Parent, close, models, validators};
use crate::key::Key;
use crate::pool::PoolMath;
use crate::state::{Failure, State, Step};

/// The id of the chain that starts from `genesis`.
pub fn chain_id(genesis: &Genesis) -> ChainId {
    ChainId(hash(Domain::Genesis, encode(genesis)))
}

/// Checks a genesis and gives what its emission pool starts with: all that is not given away.
///
/// # Errors
/// What makes it unfit to start a chain.
pub fn check(genesis: &Genesis) -> Result<Shannons, GenesisError> {
    let table = soma_types::ParameterTable::new(genesis.parameters.clone())?;
    let parameters = table.at(genesis.protocol_version)?;
    if !genesis
        .validators
        .iter()
        .any(|validator| !validator.stake.is_zero())
    {
        return Err(GenesisError::NoValidators);
    }
    let ordered = |what, addresses: Vec<Address>| match addresses
        .windows(2)
        .find(|pair| pair[0] >= pair[1])
    {
        Some(pair) => Err(GenesisError::Duplicate {
            what,
            value: pair[1].to_string(),
        }),
        None => Ok(()),
    };
    ordered(
        "account",
        genesis
            .accounts
            .iter()
            .map(|account| account.address)
            .collect(),
    )?;
    ordered(
        "validator",
        genesis.validators.iter().map(|v| v.address).collect(),
    )?;
    let mut keys: Vec<_> = genesis
        .validators
        .iter()
        .map(|v| v.metadata.consensus_key)
        .collect();
    keys.sort();
    if let Some(pair) = keys.windows(2).find(|pair| pair[0] == pair[1]) {
        let value = pair[0].to_string();
        return Err(GenesisError::Duplicate {
            what: "consensus key",
            value,
        });
    }
    for (index, model) in genesis.models.iter().enumerate() {
        let (got, expected) = (model.embedding.dim(), parameters.target_embedding_dim);
        if got as u64 != expected {
            return Err(GenesisError::Dimension {
                index,
                got,
                expected,
            });
        }
        let minimum = Shannons(parameters.model_min_stake);
        if model.stake < minimum {
            let (what, got) = ("model", model.stake);
            return Err(GenesisError::LowStake {
                what,
                index,
                got,
                minimum,
            });
        }
    }
    let amounts = genesis
        .accounts
        .iter()
        .map(|account| account.balance)
        .chain(genesis.validators.iter().map(|validator| validator.stake))
        .chain(genesis.models.iter().map(|model| model.stake));
    let allocated = Shannons::sum(amounts).unwrap_or(Shannons(u64::MAX));
    MAX_SUPPLY
        .checked_sub(allocated)
        .ok_or(GenesisError::OverAllocated { allocated })
}

/// The state at height 0, above the empty store of `parent`.
pub(crate) fn execute(parent: &Parent<'_>, genesis: &Genesis) -> Result<Execution, BlockError> {
    let mut state = parent.open(0, genesis.time_ms);
    for account in &genesis.accounts {
        let account_state = Account {
            balance: account.balance,
            nonce: 0,
        };
        state.save_account(&account.address, &account_state);
    }
    for validator in &genesis.validators {
        add_validator(&mut state, validator)?;
    }
    for (index, model) in (0u64..).zip(&genesis.models) {
        add_model(&mut state, model, index)?;
    }
    epoch::form_committee(&mut state, Epoch(0))?;
    let released = state
        .system
        .emission_per_epoch
        .min(state.system.emission_pool);
    state.system.emission_pool = state.system.emission_pool.saturating_sub(released);
    epoch::open_epoch(&mut state, Epoch(0), released)?;
    close(state, Vec::new())
}

/// The system state before genesis is executed.
pub(crate) fn system(
    genesis: &Genesis,
    emission_pool: Shannons,
    parameters: &soma_types::Parameters,
) -> SystemState {
    let threshold =
        u32::try_from(parameters.target_initial_distance_threshold).map_or(Distance::MAX, Distance);
    SystemState {
        epoch: Epoch(0),
        epoch_start_ms: genesis.time_ms,
        epoch_start_height: 0,
        protocol_version: genesis.protocol_version,
        value_fee: Ppm(u32::try_from(parameters.initial_value_fee_ppm).unwrap_or_default()),
        burned_this_epoch: Shannons::ZERO,
        burned: Shannons::ZERO,
        emission_pool,
        emission_per_epoch: genesis.emission_per_epoch,
        validator_pot: Shannons::ZERO,
        target_pot: Shannons::ZERO,
        targets: TargetState {
            difficulty: DifficultyState {
                distance_threshold: threshold,
                hits_average: None,
            },
            reward_per_target: Shannons::ZERO,
            drawn: 0,
            hits: 0,
            pending_draws: 0,
        },
    }
}

fn add_validator(state: &mut State<'_>, genesis: &GenesisValidator) -> Step<()> {
    let address = genesis.address;
    let pool = PoolId(
        Hasher::new(Domain::PoolId)
            .chain(b"genesis-validator")
            .chain(address)
            .finish(),
    );
    validators::reserve_metadata(state, address, &genesis.metadata)?;
    first_stake(
        state,
        pool,
        PoolOwner::Validator(address),
        address,
        genesis.stake,
    )?;
    state.save_validator(&Validator {
        address,
        status: ValidatorStatus::Active,
        metadata: genesis.metadata.clone(),
        next_metadata: MetadataUpdate::default(),
        pool,
        commission: genesis.commission,
        next_commission: genesis.commission,
        low_stake_epochs: 0,
        misbehaved: false,
        punished_height: state.height,
        announced_version: state.system.protocol_version,
    });
    Ok(())
}

fn add_model(state: &mut State<'_>, genesis: &GenesisModel, index: u64) -> Step<()> {
    let seed = |domain| {
        Hasher::new(domain)
            .chain(b"genesis-model")
            .chain(index.to_le_bytes())
            .finish()
    };
    let (id, pool) = (ModelId(seed(Domain::ModelId)), PoolId(seed(Domain::PoolId)));
    first_stake(
        state,
        pool,
        PoolOwner::Model(id),
        genesis.owner,
        genesis.stake,
    )?;
    state.save_model(&Model {
        id,
        owner: genesis.owner,
        architecture_version: state.parameters.model_architecture_version,
        status: ModelStatus::Active,
        pool,
        commission: genesis.commission,
        next_commission: genesis.commission,
        weights: Some(genesis.weights.clone()),
        revealed: 0,
        pending: None,
        leaving: false,
    });
    state.save(Key::ModelEmbedding(id), &genesis.embedding);
    let record = WeightsRecord {
        owner: genesis.owner,
        model: id,
        commit_height: 0,
    };
    state.save(Key::Weights(genesis.weights.plaintext_checksum), &record);
    Ok(())
}

fn first_stake(
    state: &mut State<'_>,
    id: PoolId,
    pool_owner: PoolOwner,
    owner: Address,
    amount: Shannons,
) -> Step<()> {
    let mut pool = models::new_pool(id, pool_owner);
    pool.status = PoolStatus::Active;
    let tokens = pool
        .mint(amount)
        .ok_or(Failure::Supply("a staking pool overflowed"))?;
    state.save_pool(&pool);
    if !amount.is_zero() {
        let stake = StakeId(
            Hasher::new(Domain::StakeId)
                .chain(b"genesis")
                .chain(id)
                .finish(),
        );
        state.save(
            Key::Stake(stake),
            &StakePosition {
                id: stake,
                owner,
                pool: id,
                principal: amount,
                state: StakeState::Staked { tokens },
            },
        );
    }
    Ok(())
}
