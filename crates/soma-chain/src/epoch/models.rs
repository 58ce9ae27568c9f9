//! Models at the boundary: reports, missed deadlines, commissions, leaving, minimum stake.

use std::collections::BTreeMap;

use soma_types::validator::QUORUM;
use soma_types::{Address, Bps, Model, ModelId, ModelStatus, Shannons, SlashReason};

use crate::execute::models::{end_model, slash_pool, strike_weights};
use crate::key::prefix;
use crate::state::{State, Step};

fn rate(bps: u64) -> Bps {
    Bps::try_from(bps).unwrap_or_default()
}

/// Slashes and ends models that a quorum of this epoch's committee reported. Every report lasts
/// until the end of its epoch.
pub(crate) fn count_reports(state: &mut State<'_>) -> Step<()> {
    let now = state.epoch();
    let committee = state.committee(now)?;
    let mut against: BTreeMap<ModelId, u64> = BTreeMap::new();
    for (key, _) in state.scan(&prefix::MODEL_REPORTS)? {
        if let Some((model, reporter)) = model_and_reporter(&key) {
            *against.entry(model).or_default() += committee.power(&reporter);
        }
        state.remove_bytes(key);
    }
    let slash = rate(state.parameters.model_tally_slash_rate_bps);
    for (id, _) in against.into_iter().filter(|(_, power)| *power >= QUORUM) {
        let mut model = state.model(&id)?;
        slash_pool(
            state,
            &model.pool,
            model.owner,
            slash,
            SlashReason::Reported,
        )?;
        strike_weights(state, &mut model)?;
        match model.status {
            ModelStatus::Active => end_model(state, &mut model, now)?,
            _ => state.save_model(&model),
        }
    }
    Ok(())
}

fn model_and_reporter(key: &[u8]) -> Option<(ModelId, Address)> {
    let (model, reporter) = key.get(2..)?.split_at_checked(32)?;
    Some((
        ModelId(model.try_into().ok()?),
        Address(reporter.try_into().ok()?),
    ))
}

/// Slashes and ends models that did not commit or reveal in time; drops stale updates.
pub(crate) fn time_out(state: &mut State<'_>) -> Step<()> {
    let now = state.epoch();
    let slash = rate(state.parameters.model_reveal_slash_rate_bps);
    for mut model in state.scan_values::<Model>(&prefix::MODELS)? {
        let stale = model
            .pending
            .as_ref()
            .is_some_and(|pending| pending.epoch < now);
        let missed = match model.status {
            ModelStatus::Created { epoch } => epoch < now,
            ModelStatus::Pending => stale,
            ModelStatus::Active | ModelStatus::Inactive { .. } => false,
        };
        if missed {
            let reason = SlashReason::MissedReveal;
            slash_pool(state, &model.pool, model.owner, slash, reason)?;
            end_model(state, &mut model, now)?;
        } else if stale {
            model.pending = None;
            state.save_model(&model);
        }
    }
    Ok(())
}

/// Commissions set in this epoch take effect.
pub(crate) fn apply_commissions(state: &mut State<'_>) -> Step<()> {
    for mut model in state.scan_values::<Model>(&prefix::MODELS)? {
        if model.commission != model.next_commission {
            model.commission = model.next_commission;
            state.save_model(&model);
        }
    }
    Ok(())
}

/// Ends active models that leave, and those whose stake fell below the minimum. Stake that waited for
/// the next epoch has started by now, so they end with that epoch's start.
pub(crate) fn end_leaving_and_weak(state: &mut State<'_>) -> Step<()> {
    let since = state.epoch().next();
    let minimum = Shannons(state.parameters.model_min_stake);
    for mut model in state.scan_values::<Model>(&prefix::MODELS)? {
        if matches!(model.status, ModelStatus::Active)
            && (model.leaving || state.pool(&model.pool)?.soma < minimum)
        {
            end_model(state, &mut model, since)?;
        }
    }
    Ok(())
}
