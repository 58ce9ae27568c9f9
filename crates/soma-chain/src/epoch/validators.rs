//! Validators at the boundary: pay, metadata, joining and leaving.

use std::collections::BTreeMap;

use soma_types::validator::QUORUM;
use soma_types::{Address, Bps, EarningKind, PoolStatus, Shannons, Validator, ValidatorStatus};

use crate::execute::claims::earned;
use crate::execute::{staking, validators as changes};
use crate::key::prefix;
use crate::state::{State, Step};

/// Pays the committee from the validators' pot by voting power. Who misbehaved gets nothing, who
/// was reported by a quorum loses a part; the others share what these lose.
pub(crate) fn pay(state: &mut State<'_>) -> Step<()> {
    let committee = state.committee(state.epoch())?;
    let mut against: BTreeMap<Address, u64> = BTreeMap::new();
    for (key, _) in state.scan(&prefix::VALIDATOR_REPORTS)? {
        if let Some((reported, reporter)) = key.get(2..).and_then(|ids| ids.split_at_checked(32)) {
            let address = |id: &[u8]| id.try_into().map(Address).unwrap_or(Address([0; 32]));
            *against.entry(address(reported)).or_default() += committee.power(&address(reporter));
        }
        state.remove_bytes(key);
    }

    let pot = std::mem::replace(&mut state.system.validator_pot, Shannons::ZERO);
    let penalty = Bps::try_from(state.parameters.reward_slashing_rate_bps).unwrap_or_default();
    let share = |power| pot.mul_div(power, soma_types::validator::TOTAL_VOTING_POWER);
    let mut rewards = Vec::new();
    let mut forfeited = Shannons::ZERO;
    let mut clean_power = 0;
    for member in &committee.members {
        let Some(validator) = state.validator(&member.address)? else {
            continue;
        };
        let whole = share(member.voting_power).unwrap_or_default();
        let reported = against
            .get(&member.address)
            .is_some_and(|power| *power >= QUORUM);
        let lost = match (validator.misbehaved, reported) {
            (true, _) => whole,
            (false, true) => whole.share(penalty),
            (false, false) => Shannons::ZERO,
        };
        let clean = !validator.misbehaved && !reported;
        clean_power += if clean { member.voting_power } else { 0 };
        forfeited = forfeited.saturating_add(lost);
        rewards.push((
            validator,
            whole.saturating_sub(lost),
            clean,
            member.voting_power,
        ));
    }

    let mut left = pot;
    for (mut validator, own, clean, power) in rewards {
        let extra = match clean {
            true => forfeited.mul_div(power, clean_power).unwrap_or_default(),
            false => Shannons::ZERO,
        };
        let reward = own.saturating_add(extra).min(left);
        left = left.saturating_sub(reward);
        if validator.misbehaved {
            validator.misbehaved = false;
            state.save_validator(&validator);
        }
        pay_one(state, &validator, reward)?;
    }
    state.refill_emission(left)
}

/// Commission becomes the validator's stake, the rest raises its pool's rate.
fn pay_one(state: &mut State<'_>, validator: &Validator, reward: Shannons) -> Step<()> {
    if reward.is_zero() {
        return Ok(());
    }
    let mut pool = state.pool(&validator.pool)?;
    let address = validator.address;
    let (commission, rest) =
        staking::pay_pool(state, &mut pool, address, validator.commission, reward)?;
    earned(
        state,
        address,
        EarningKind::ValidatorCommission,
        commission,
        None,
    );
    earned(state, address, EarningKind::ValidatorPool, rest, None);
    Ok(())
}

fn all(state: &State<'_>) -> Step<Vec<Validator>> {
    state.scan_values(&prefix::VALIDATORS)
}

/// Commissions and staged metadata take effect.
pub(crate) fn apply_staged(state: &mut State<'_>) -> Step<()> {
    for mut validator in all(state)? {
        if matches!(validator.status, ValidatorStatus::Inactive { .. }) {
            continue;
        }
        let before = validator.clone();
        validator.commission = validator.next_commission;
        changes::apply_staged(state, &mut validator)?;
        if validator != before {
            state.save_validator(&validator);
        }
    }
    Ok(())
}

/// Ends validators that asked to leave.
pub(crate) fn end_leaving(state: &mut State<'_>) -> Step<()> {
    for mut validator in all(state)? {
        if validator.status == ValidatorStatus::Leaving {
            let since = state.epoch();
            changes::end_validator(state, &mut validator, since)?;
        }
    }
    Ok(())
}

/// Lets candidates with enough stake join, and removes validators with too little for too long.
/// The validator with the most stake always stays.
pub(crate) fn join_and_drop(state: &mut State<'_>) -> Step<()> {
    let mut standing = Vec::new();
    for validator in all(state)? {
        if !matches!(validator.status, ValidatorStatus::Inactive { .. }) {
            let stake = state.pool(&validator.pool)?.soma;
            standing.push((validator, stake));
        }
    }
    let total: u128 = standing.iter().map(|(_, stake)| u128::from(stake.0)).sum();
    let power = |stake: Shannons| match total {
        0 => 0,
        total => (u128::from(stake.0) * 10_000 / total) as u64,
    };
    for (validator, stake) in &mut standing {
        if matches!(validator.status, ValidatorStatus::Pending { .. })
            && !stake.is_zero()
            && power(*stake) >= state.parameters.validator_join_power
        {
            activate(state, validator)?;
        }
    }
    let strongest = standing
        .iter()
        .filter(|(validator, _)| validator.status == ValidatorStatus::Active)
        .max_by(|(a, x), (b, y)| x.cmp(y).then(b.address.cmp(&a.address)))
        .map(|(validator, _)| validator.address);
    for (mut validator, stake) in standing {
        if Some(validator.address) == strongest {
            reset_risk(state, &mut validator);
        } else {
            drop_if_weak(state, &mut validator, power(stake))?;
        }
    }
    Ok(())
}

fn activate(state: &mut State<'_>, validator: &mut Validator) -> Step<()> {
    let mut pool = state.pool(&validator.pool)?;
    pool.status = PoolStatus::Active;
    state.save_pool(&pool);
    validator.status = ValidatorStatus::Active;
    state.save_validator(validator);
    Ok(())
}

fn reset_risk(state: &mut State<'_>, validator: &mut Validator) {
    if validator.low_stake_epochs != 0 {
        validator.low_stake_epochs = 0;
        state.save_validator(validator);
    }
}

fn drop_if_weak(state: &mut State<'_>, validator: &mut Validator, power: u64) -> Step<()> {
    let grace = state.parameters.validator_low_stake_grace_epochs;
    // Stake that waited for the next epoch has started by now.
    let since = state.epoch().next();
    match validator.status {
        ValidatorStatus::Pending {
            since: waiting_since,
        } => {
            if waiting_since.plus(grace) < state.epoch() {
                changes::end_candidate(state, validator, since)?;
            }
        }
        ValidatorStatus::Active if power >= state.parameters.validator_low_stake_power => {
            reset_risk(state, validator);
        }
        ValidatorStatus::Active => {
            validator.low_stake_epochs += 1;
            let at_once = power < state.parameters.validator_very_low_stake_power;
            match at_once || validator.low_stake_epochs > grace {
                true => changes::end_validator(state, validator, since)?,
                false => state.save_validator(validator),
            }
        }
        ValidatorStatus::Leaving | ValidatorStatus::Inactive { .. } => {}
    }
    Ok(())
}
