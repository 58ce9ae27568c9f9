//! Stake at the boundary: unbonded stake is paid, waiting stake starts.

use soma_types::{
    EarningKind, Epoch, Model, ModelStatus, PoolRate, PoolStatus, Shannons, StakeId, StakePosition,
    StakeState, StakingPool, Validator, ValidatorStatus,
};

use super::targets::epoch_of;
use crate::execute::claims::earned;
use crate::execute::staking::save_or_drop;
use crate::key::{Key, prefix};
use crate::pool::PoolMath;
use crate::state::{Failure, State, Step};

/// Positions paid out at a time, so that no block has to pay whatever somebody spread over a million.
const PAID_AT_A_TIME: usize = 1_000;

/// Pays out stake that is due at the start of epoch `due` or was before: some positions of the first
/// epoch that has any, in order of id. Others wait for the next block, and share in slashes until then.
pub(crate) fn pay_unbonded(state: &mut State<'_>, due: Epoch) -> Step<()> {
    // What this block marks is due later, so the committed state says all.
    let first = state.base().scan(&prefix::UNBONDING, None, 1)?;
    let Some(epoch) = first.first().and_then(|(key, _)| epoch_of(key)) else {
        return Ok(());
    };
    if epoch > due {
        return Ok(());
    }
    for (key, _) in state
        .base()
        .scan(&prefix::unbonding(epoch), None, PAID_AT_A_TIME)?
    {
        pay(state, StakeId(Key::last_id(&key)))?;
        state.remove_bytes(key);
    }
    Ok(())
}

/// Pays out a position, unless this block did already.
fn pay(state: &mut State<'_>, id: StakeId) -> Step<()> {
    let Some(position) = state.load::<StakePosition>(Key::Stake(id))? else {
        return Ok(());
    };
    let StakeState::Unbonding { tokens, .. } = position.state else {
        return Ok(());
    };
    state.remove(Key::Stake(id));
    // A position that slashes left without value may outlast its pool.
    let Some(mut pool) = state.load::<StakingPool>(Key::Pool(position.pool))? else {
        return Ok(());
    };
    let value = pool.release(tokens);
    save_or_drop(state, &pool)?;
    state.credit(&position.owner, value)?;
    earned(
        state,
        position.owner,
        EarningKind::StakeReturned,
        value,
        None,
    );
    Ok(())
}

/// Starts the stake that waited for the next epoch, at the rate after this epoch's rewards. Only pools
/// of active validators and models take such stake; the many that closed are not looked at.
pub(crate) fn start_pending(state: &mut State<'_>) -> Step<()> {
    let from = state.epoch().next();
    let validators = state.scan_values::<Validator>(&prefix::VALIDATORS)?;
    let models = state.scan_values::<Model>(&prefix::MODELS)?;
    let open_validators = validators
        .iter()
        .filter(|validator| !matches!(validator.status, ValidatorStatus::Inactive { .. }))
        .map(|validator| validator.pool);
    let open_models = models
        .iter()
        .filter(|model| model.status == ModelStatus::Active)
        .map(|model| model.pool);
    for id in open_validators.chain(open_models) {
        let mut pool = state.pool(&id)?;
        if pool.status != PoolStatus::Active || pool.pending.is_zero() {
            continue;
        }
        let rate = PoolRate {
            soma: pool.soma,
            tokens: pool.tokens,
        };
        let waiting = std::mem::replace(&mut pool.pending, Shannons::ZERO);
        pool.mint(waiting)
            .ok_or(Failure::Supply("a staking pool overflowed"))?;
        state.save_pool(&pool);
        state.save(Key::PoolRate(pool.id, from), &rate);
    }
    Ok(())
}
