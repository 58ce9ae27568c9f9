//! Claims: who gets what of a filled target.

use soma_types::{
    Address, EarningKind, Epoch, Event, ExecutionError, Fill, ModelId, Payout, Shannons, Target,
    TargetId, TargetStatus,
};

use super::staking;
use super::transaction::Call;
use crate::key::Key;
use crate::state::{State, Step};

/// How a target's reward is shared: submitter, model, claimer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shares {
    /// For the submitter, with the rounding dust.
    pub submitter: Shannons,
    /// For the model's pool.
    pub model: Shannons,
    /// For a claimer who is neither submitter nor the model's owner.
    pub claimer: Shannons,
}

/// Shares `reward`; `third_party` when the claimer is neither submitter nor the model's owner.
pub fn share_reward(
    reward: Shannons,
    third_party: bool,
    parameters: &soma_types::Parameters,
) -> Shares {
    let rate = |bps: u64| soma_types::Bps::try_from(bps).unwrap_or_default();
    let incentive = rate(parameters.target_claimer_incentive_bps);
    let claimer = if third_party {
        reward.share(incentive)
    } else {
        Shannons::ZERO
    };
    let rest = reward.saturating_sub(claimer);
    let model = rest.share(rate(parameters.target_submitter_reward_share_bps).complement());
    Shares {
        submitter: rest.saturating_sub(model),
        model,
        claimer,
    }
}

/// Pays out a filled target whose audit is over. Anyone may ask for it.
pub(crate) fn claim(state: &mut State<'_>, call: Call, id: &TargetId) -> Step<()> {
    let mut target = state.target(id)?;
    let fill = claimable_fill(&target, state.epoch())?;
    let third_party = call.sender != fill.submitter && call.sender != fill.winning_owner;
    let shares = share_reward(target.reward, third_party, &state.parameters);

    state.credit(&fill.submitter, shares.submitter)?;
    state.credit(&fill.submitter, fill.bond)?;
    state.credit(&call.sender, shares.claimer)?;
    earned(
        state,
        fill.submitter,
        EarningKind::Submission,
        shares.submitter,
        Some(*id),
    );
    earned(
        state,
        fill.submitter,
        EarningKind::BondReturned,
        fill.bond,
        Some(*id),
    );
    earned(
        state,
        call.sender,
        EarningKind::ClaimBounty,
        shares.claimer,
        Some(*id),
    );
    pay_model(state, &fill.winning_model, shares.model, *id)?;

    let epoch = state.epoch();
    state.remove(Key::FilledTarget(fill.epoch, *id));
    state.mark(Key::RetiredTarget(epoch, *id));
    target.status = TargetStatus::Claimed {
        fill,
        payout: Payout {
            claimer: call.sender,
            epoch,
            submitter: shares.submitter,
            model: shares.model,
            claimer_share: shares.claimer,
        },
    };
    state.save_target(&target);
    state.events.push(Event::TargetClaimed { target: *id });
    Ok(())
}

fn claimable_fill(target: &Target, now: Epoch) -> Step<Box<Fill>> {
    match &target.status {
        TargetStatus::Filled(fill) if fill.is_claimable_in(now) => Ok(fill.clone()),
        TargetStatus::Filled(fill) => Err(ExecutionError::AuditWindowOpen {
            claimable: fill.epoch.plus(2),
        }
        .into()),
        TargetStatus::Claimed { .. } => Err(ExecutionError::TargetAlreadyClaimed.into()),
        status => Err(ExecutionError::TargetNotFilled {
            status: status.name().to_owned(),
        }
        .into()),
    }
}

/// Pays a model: commission becomes the owner's stake, the rest raises the pool's rate.
fn pay_model(state: &mut State<'_>, id: &ModelId, amount: Shannons, from: TargetId) -> Step<()> {
    let model = state.model(id)?;
    let mut pool = state.pool(&model.pool)?;
    let (commission, rest) =
        staking::pay_pool(state, &mut pool, model.owner, model.commission, amount)?;
    earned(
        state,
        model.owner,
        EarningKind::ModelCommission,
        commission,
        Some(from),
    );
    earned(state, model.owner, EarningKind::ModelPool, rest, Some(from));
    Ok(())
}

/// Notes an earning or loss for the ledger.
pub(crate) fn earned(
    state: &mut State<'_>,
    address: Address,
    kind: EarningKind,
    amount: Shannons,
    target: Option<TargetId>,
) {
    if !amount.is_zero() {
        state.events.push(Event::Earning {
            address,
            kind,
            amount,
            target,
        });
    }
}
