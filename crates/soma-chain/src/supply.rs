//! The supply audit: after every block, from the changed entries alone, independently of the code
//! that moved the money.

use soma_types::{
    Account, MAX_SUPPLY, Shannons, StakingPool, Supply, SystemState, Target, TargetStatus,
};

use crate::key::{Holding, Key};
use crate::state::{Failure, State, Step, read_entry};
use crate::store::Store;

/// Money by pool, signed so that differences can be added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Totals([i128; 11]);

impl Totals {
    fn of(supply: &Supply) -> Self {
        let value = |amount: Shannons| i128::from(amount.0);
        Self([
            value(supply.circulating),
            value(supply.staked),
            value(supply.stake_pending),
            value(supply.unbonding),
            value(supply.submission_bonds),
            value(supply.challenge_bonds),
            value(supply.target_rewards),
            value(supply.target_pot),
            value(supply.validator_pot),
            value(supply.emission_pool),
            value(supply.burned),
        ])
    }

    fn add(&mut self, supply: &Supply, sign: i128) {
        for (total, part) in self.0.iter_mut().zip(Self::of(supply).0) {
            *total += sign * part;
        }
    }

    fn to_supply(self) -> Step<Supply> {
        let mut parts = [Shannons::ZERO; 11];
        for (part, total) in parts.iter_mut().zip(self.0) {
            *part = u64::try_from(total)
                .map(Shannons)
                .map_err(|_| Failure::Supply("a pool of the supply is below zero"))?;
        }
        let [
            circulating,
            staked,
            stake_pending,
            unbonding,
            submission_bonds,
            challenge_bonds,
            target_rewards,
            target_pot,
            validator_pot,
            emission_pool,
            burned,
        ] = parts;
        Ok(Supply {
            circulating,
            staked,
            stake_pending,
            unbonding,
            submission_bonds,
            challenge_bonds,
            target_rewards,
            target_pot,
            validator_pot,
            emission_pool,
            burned,
        })
    }
}

/// What one entry holds.
fn holdings(kind: Holding, key: &[u8], bytes: &[u8]) -> Step<Supply> {
    let mut held = Supply::default();
    match kind {
        Holding::Account => held.circulating = read_entry::<Account>(key, bytes)?.balance,
        Holding::Pool => {
            let pool: StakingPool = read_entry(key, bytes)?;
            held.staked = pool.soma;
            held.stake_pending = pool.pending;
            held.unbonding = pool.unbonding_soma;
        }
        Holding::Target => {
            let target: Target = read_entry(key, bytes)?;
            match &target.status {
                TargetStatus::Open => held.target_rewards = target.reward,
                TargetStatus::Filled(fill) => {
                    held.target_rewards = target.reward;
                    held.submission_bonds = fill.bond;
                }
                TargetStatus::Claimed { .. }
                | TargetStatus::Fraud { .. }
                | TargetStatus::Expired
                | TargetStatus::Void { .. } => {}
            }
        }
        Holding::Challenge => {
            held.challenge_bonds = read_entry::<soma_types::Challenge>(key, bytes)?.bond;
        }
        Holding::System => {
            let system: SystemState = read_entry(key, bytes)?;
            held.target_pot = system.target_pot;
            held.validator_pot = system.validator_pot;
            held.emission_pool = system.emission_pool;
            held.burned = system.burned;
        }
    }
    Ok(held)
}

/// The supply after the changes of a block, given the supply `before` them; fails when the sum is
/// not the maximum supply.
pub(crate) fn audit(state: &State<'_>, before: &Supply) -> Step<Supply> {
    let mut totals = Totals::of(before);
    for (key, new) in state.changes() {
        let Some(kind) = Key::holding_of(key) else {
            continue;
        };
        if let Some(old) = state.committed(key)? {
            totals.add(&holdings(kind, key, &old)?, -1);
        }
        if let Some(new) = new {
            totals.add(&holdings(kind, key, new)?, 1);
        }
    }
    check(totals.to_supply()?)
}

/// The supply counted anew from every entry of the state.
///
/// # Errors
/// When the store fails, or the sum is not the maximum supply.
pub(crate) fn recount(store: &dyn Store) -> Step<Supply> {
    let mut totals = Totals::default();
    let mut after: Option<Vec<u8>> = None;
    loop {
        let page = store.scan(&crate::key::prefix::STATE, after.as_deref(), 4_096)?;
        let Some((last, _)) = page.last() else { break };
        after = Some(last.clone());
        for (key, value) in &page {
            if let Some(kind) = Key::holding_of(key) {
                totals.add(&holdings(kind, key, value)?, 1);
            }
        }
    }
    check(totals.to_supply()?)
}

fn check(supply: Supply) -> Step<Supply> {
    match supply.total() {
        Some(total) if total == MAX_SUPPLY => Ok(supply),
        _ => Err(Failure::Supply(
            "the pools of the supply do not add up to 10,000,000 SOMA",
        )),
    }
}
