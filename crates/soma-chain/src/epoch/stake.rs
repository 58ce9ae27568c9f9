//! Stake at the boundary: unbonded stake is paid, waiting stake starts.

use soma_types::{
    EarningKind, PoolRate, PoolStatus, Shannons, StakeId, StakePosition, StakeState, StakingPool,
};

use crate::execute::claims::earned;
use crate::key::{Key, prefix};
use crate::pool::PoolMath;
use crate::state::{Failure, State, Step};

/// Pays out the stake that is due at the start of the next epoch.
pub(crate) fn pay_unbonded(state: &mut State<'_>) -> Step<()> {
    let due = state.epoch().next();
    for (key, _) in state.scan(&prefix::unbonding(due))? {
        state.remove_bytes(key.clone());
        let id = StakeId(Key::last_id(&key));
        let Some(position) = state.load::<StakePosition>(Key::Stake(id))? else {
            continue;
        };
        let StakeState::Unbonding { tokens, .. } = position.state else {
            continue;
        };
        let mut pool = state.pool(&position.pool)?;
        let value = pool.release(tokens);
        state.save_pool(&pool);
        state.remove(Key::Stake(id));
        state.credit(&position.owner, value)?;
        earned(
            state,
            position.owner,
            EarningKind::StakeReturned,
            value,
            None,
        );
    }
    Ok(())
}

/// Starts the stake that waited for the next epoch, at the rate after this epoch's rewards.
pub(crate) fn start_pending(state: &mut State<'_>) -> Step<()> {
    let from = state.epoch().next();
    for mut pool in state.scan_values::<StakingPool>(&prefix::POOLS)? {
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
