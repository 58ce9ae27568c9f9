//! The epoch change: one total, ordered function at the end of a block.
//!
//! Closing the old epoch:
//! 1. verdicts on submissions whose audit ends: frauds slashed, void ones undone, challenges settled
//! 2. open targets expire, their rewards go back to the budget
//! 3. reports of models are counted: slashed and ended by a quorum
//! 4. models that missed a commit or reveal are slashed and ended, stale updates dropped
//! 5. unbonded stake is paid out; what is too much for one block waits for the next
//! 6. the value fee moves
//! 7. validators are paid; reports of validators are counted
//!
//! Opening the new one:
//! 8. commissions and staged metadata take effect
//! 9. leaving validators end, waiting stake starts, leaving models and those below the minimum end
//! 10. candidates join, validators with too little stake leave, the committee is fixed
//! 11. the emission is released, by the length of an epoch that held in the old one
//! 12. the protocol version switches when the old committee's votes suffice
//! 13. difficulty moves
//! 14. the budget is split; draws are ordered for the next block
//! 15. the summary of the old epoch is kept
//!
//! Nothing here can fail for a reason that users can cause.

mod budget;
mod committee;
mod models;
mod opening;
mod stake;
mod summary;
mod targets;
mod upgrade;
mod validators;
mod value_fee;
mod verdicts;

use soma_types::{Event, Supply, SupplyCertificate};

use crate::error::BlockError;
use crate::key::Key;
use crate::rules::Rules;
use crate::state::State;

pub(crate) use committee::form_committee;
pub use committee::voting_powers;
pub(crate) use opening::open_epoch;
pub(crate) use stake::pay_unbonded;
pub(crate) use summary::current as current_summary;
pub(crate) use targets::prune_some;

/// Ends the current epoch and begins the next.
pub(crate) fn change(state: &mut State<'_>, rules: &Rules, forced: bool) -> Result<(), BlockError> {
    let ended = state.epoch();
    let before = summary::current(&state.system);
    let elapsed_ms = state.time_ms.saturating_sub(state.system.epoch_start_ms);

    verdicts::settle(state)?;
    targets::expire(state)?;
    models::count_reports(state)?;
    models::time_out(state)?;
    pay_unbonded(state, ended.next())?;
    value_fee::adjust(state, elapsed_ms)?;
    validators::pay(state)?;

    validators::apply_staged(state)?;
    models::apply_commissions(state)?;
    validators::end_leaving(state)?;
    stake::start_pending(state)?;
    models::end_leaving_and_weak(state)?;
    validators::join_and_drop(state)?;
    let upgraded = upgrade::next_version(state, rules)?;
    form_committee(state, ended.next())?;
    let full = forced && rules.full_emission_on_forced_epochs;
    let released = budget::release(state, elapsed_ms, full);
    if let Some((version, parameters)) = upgraded {
        state.system.protocol_version = version;
        state.parameters = parameters;
    }
    targets::steer(state);

    summary::keep(state, &before, released);
    opening::open_epoch(state, ended.next(), released)?;
    state.ended_epoch = Some(ended);
    state.events.push(Event::EpochChanged {
        epoch: state.epoch(),
    });
    Ok(())
}

/// Keeps the supply at the end of an epoch, if this block ended one.
pub(crate) fn certify_supply(state: &mut State<'_>, supply: Supply) {
    if let Some(epoch) = state.ended_epoch {
        let certificate = SupplyCertificate {
            epoch,
            height: state.height,
            supply,
        };
        state.save(Key::SupplyCertificate(epoch), &certificate);
    }
}
