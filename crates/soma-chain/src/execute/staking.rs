//! Stake: into pools, and out after unbonding.

use soma_crypto::{Domain, Hasher};
use soma_types::{
    Address, Bps, Epoch, ExecutionError, ModelId, ModelStatus, PoolId, PoolOwner, PoolRate,
    PoolStatus, Shannons, StakeId, StakePosition, StakeState, StakingPool, ValidatorStatus,
};

use super::transaction::Call;
use super::validators;
use crate::key::Key;
use crate::pool::{PoolMath, shares_for, value_of};
use crate::state::{Failure, State, Step};

const OVERFLOW: Failure = Failure::Supply("a staking pool overflowed");

/// Stakes with the validator at `address`.
pub(crate) fn stake_to_validator(
    state: &mut State<'_>,
    call: Call,
    address: &Address,
    amount: Shannons,
) -> Step<()> {
    let validator = state
        .validator(address)?
        .ok_or(ExecutionError::ValidatorNotFound)?;
    if matches!(validator.status, ValidatorStatus::Inactive { .. }) {
        return Err(ExecutionError::ValidatorNotFound.into());
    }
    stake(state, call, &validator.pool, amount).map(|_| ())
}

/// Stakes with a model.
pub(crate) fn stake_to_model(
    state: &mut State<'_>,
    call: Call,
    id: &ModelId,
    amount: Shannons,
) -> Step<()> {
    let model = state.model(id)?;
    if matches!(model.status, ModelStatus::Inactive { .. }) {
        return Err(ExecutionError::ModelAlreadyInactive.into());
    }
    stake(state, call, &model.pool, amount).map(|_| ())
}

/// Stakes with a pool: at once before it is active, from the next epoch on after that.
pub(crate) fn stake(
    state: &mut State<'_>,
    call: Call,
    pool: &PoolId,
    amount: Shannons,
) -> Step<StakeId> {
    if amount.is_zero() {
        return Err(ExecutionError::invalid("stake amount cannot be 0").into());
    }
    let mut pool = state.pool(pool)?;
    if !pool.is_solvent() {
        return Err(ExecutionError::StakingPoolInsolvent.into());
    }
    let stake_state = match pool.status {
        PoolStatus::PreActive => StakeState::Staked {
            tokens: pool.mint(amount).ok_or(OVERFLOW)?,
        },
        PoolStatus::Active => {
            pool.pending = pool.pending.checked_add(amount).ok_or(OVERFLOW)?;
            StakeState::Starting {
                from: state.epoch().next(),
            }
        }
        PoolStatus::Inactive { .. } => return Err(ExecutionError::StakingPoolInactive.into()),
    };
    state.debit(&call.sender, amount)?;
    state.save_pool(&pool);
    let id = new_position(call);
    let position = StakePosition {
        id,
        owner: call.sender,
        pool: pool.id,
        principal: amount,
        state: stake_state,
    };
    state.save(Key::Stake(id), &position);
    Ok(id)
}

/// The id of the position that a transaction makes.
fn new_position(call: Call) -> StakeId {
    StakeId(Hasher::new(Domain::StakeId).chain(call.digest).finish())
}

/// The id of the position that collects an owner's commission. What leaves it goes on under another
/// id, so that it is always found at once.
fn commission_position(pool: &PoolId, owner: &Address) -> StakeId {
    let hasher = Hasher::new(Domain::StakeId).chain(pool).chain(owner);
    StakeId(hasher.chain(b"commission").finish())
}

/// Pays a reward to a pool and saves it: the commission becomes stake of its owner, the rest raises
/// the rate. Where that is not possible, for nobody holds shares or they would become too dear, all
/// of it becomes the owner's stake. Gives both parts.
pub(crate) fn pay_pool(
    state: &mut State<'_>,
    pool: &mut StakingPool,
    owner: Address,
    commission: Bps,
    amount: Shannons,
) -> Step<(Shannons, Shannons)> {
    let rest = amount.saturating_sub(amount.share(commission));
    let rest = match pool.can_raise(rest) {
        true => rest,
        false => Shannons::ZERO,
    };
    let commission = amount.saturating_sub(rest);
    if !rest.is_zero() {
        pool.reward(rest).ok_or(OVERFLOW)?;
    }
    add_commission(state, pool, owner, commission)?;
    state.save_pool(pool);
    Ok((commission, rest))
}

/// Adds stake that counts at once to the owner's commission position in `pool`.
fn add_commission(
    state: &mut State<'_>,
    pool: &mut StakingPool,
    owner: Address,
    amount: Shannons,
) -> Step<()> {
    if amount.is_zero() {
        return Ok(());
    }
    let minted = pool.mint(amount).ok_or(OVERFLOW)?;
    let id = commission_position(&pool.id, &owner);
    let (principal, held) = match state.load::<StakePosition>(Key::Stake(id))? {
        Some(StakePosition {
            principal,
            state: StakeState::Staked { tokens },
            ..
        }) => (principal, tokens),
        _ => (Shannons::ZERO, 0),
    };
    let position = StakePosition {
        id,
        owner,
        pool: pool.id,
        principal: principal.saturating_add(amount),
        state: StakeState::Staked {
            tokens: held.checked_add(minted).ok_or(OVERFLOW)?,
        },
    };
    state.save(Key::Stake(id), &position);
    Ok(())
}

/// What a position stands for right now.
enum Standing {
    /// Did not start; its pool keeps it aside.
    NotStarted,
    /// Shares of the pool.
    Shares(u128),
}

fn standing(state: &State<'_>, position: &StakePosition, pool: &StakingPool) -> Step<Standing> {
    match position.state {
        StakeState::Staked { tokens } => Ok(Standing::Shares(tokens)),
        StakeState::Unbonding { release, .. } => {
            Err(ExecutionError::StakeAlreadyUnbonding { release }.into())
        }
        StakeState::Starting { from } if has_started(pool, from, state.epoch()) => {
            let rate: Option<PoolRate> = state.load(Key::PoolRate(pool.id, from))?;
            let (soma, tokens) = rate.map_or((Shannons::ZERO, 0), |rate| (rate.soma, rate.tokens));
            Ok(Standing::Shares(shares_for(
                position.principal,
                soma,
                tokens,
            )))
        }
        StakeState::Starting { .. } => Ok(Standing::NotStarted),
    }
}

/// True when stake that was to start in epoch `from` did: the pool was open at that boundary.
pub(crate) fn has_started(pool: &StakingPool, from: Epoch, now: Epoch) -> bool {
    let closed_before = matches!(pool.status, PoolStatus::Inactive { since } if since < from);
    from <= now && !closed_before
}

/// The value of a position that is not on its way out, or why it cannot be withdrawn.
pub(crate) fn position_value(state: &State<'_>, id: &StakeId) -> Step<Shannons> {
    let position: StakePosition = state
        .load(Key::Stake(*id))?
        .ok_or(ExecutionError::ObjectNotFound)?;
    let pool = state.pool(&position.pool)?;
    Ok(match standing(state, &position, &pool)? {
        Standing::NotStarted => position.principal,
        Standing::Shares(shares) => value_of(shares, pool.soma, pool.tokens),
    })
}

/// Saves a pool that stake left. An empty one goes when it is that of a validator whose record is gone
/// or names another: nothing can come into it any more.
pub(crate) fn save_or_drop(state: &mut State<'_>, pool: &StakingPool) -> Step<()> {
    let money = [pool.soma, pool.pending, pool.unbonding_soma];
    let shares = [pool.tokens, pool.unbonding_tokens];
    if money == [Shannons::ZERO; 3]
        && shares == [0; 2]
        && let PoolOwner::Validator(address) = pool.owner
        && state
            .validator(&address)?
            .is_none_or(|validator| validator.pool != pool.id)
    {
        state.remove(Key::Pool(pool.id));
    } else {
        state.save_pool(pool);
    }
    Ok(())
}

/// Withdraws a position: stake that did not start at once, other stake after unbonding.
pub(crate) fn unstake(state: &mut State<'_>, call: Call, id: &StakeId) -> Step<()> {
    let mut position: StakePosition = state
        .load(Key::Stake(*id))?
        .ok_or(ExecutionError::ObjectNotFound)?;
    if position.owner != call.sender {
        return Err(ExecutionError::InvalidOwnership.into());
    }
    let mut pool = state.pool(&position.pool)?;
    match standing(state, &position, &pool)? {
        Standing::NotStarted => {
            pool.pending = pool
                .pending
                .checked_sub(position.principal)
                .ok_or(OVERFLOW)?;
            save_or_drop(state, &pool)?;
            state.remove(Key::Stake(*id));
            state.credit(&call.sender, position.principal)
        }
        Standing::Shares(shares) => {
            let (_, tokens) = pool.unbond(shares);
            state.save_pool(&pool);
            let release = state.epoch().next().plus(state.parameters.unbonding_epochs);
            position.state = StakeState::Unbonding { tokens, release };
            if *id == commission_position(&pool.id, &position.owner) {
                state.remove(Key::Stake(*id));
                position.id = new_position(call);
            }
            state.save(Key::Stake(position.id), &position);
            state.mark(Key::Unbonding(release, position.id));
            validators::end_if_short(state, &pool)
        }
    }
}
