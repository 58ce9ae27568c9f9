//! One transaction: price, effect, receipt.

use soma_types::{
    Account, Address, BalanceChange, Digest, ExecutionError, ExecutionStatus, Fee, ObjectRef,
    Receipt, Shannons, Transaction, TransactionKind,
};

use super::{audit, claims, fee, models, payments, seals, staking, submissions, validators};
use crate::key::Key;
use crate::state::{Changes, Failure, State, Step, read_entry};

/// Who calls, and in which transaction.
#[derive(Clone, Copy)]
pub(crate) struct Call {
    /// The sender.
    pub(crate) sender: Address,
    /// The transaction: seed of the ids that it makes.
    pub(crate) digest: Digest,
}

/// Executes a transaction whose signature, nonce and expiry were checked.
pub(crate) fn execute(
    state: &mut State<'_>,
    transaction: &Transaction,
    digest: Digest,
    index: u32,
) -> Step<Receipt> {
    let call = Call {
        sender: transaction.sender,
        digest,
    };
    let system_before = state.system;
    let events_before = state.events.len();

    state.begin_transaction();
    let (status, fee, changes) = match attempt(state, call, &transaction.kind) {
        Ok(fee) => (ExecutionStatus::Success, fee, state.end_transaction()),
        Err(Failure::Rejected(error)) => {
            state.end_transaction();
            state.system = system_before;
            state.events.truncate(events_before);
            state.begin_transaction();
            let fee = charge_failed(state, call.sender)?;
            (
                ExecutionStatus::Failure { error },
                fee,
                state.end_transaction(),
            )
        }
        Err(stop) => return Err(stop),
    };

    let effects = effects(state, &changes)?;
    state.keep(changes);
    Ok(Receipt {
        transaction: digest,
        sender: call.sender,
        height: state.height,
        index,
        epoch: state.epoch(),
        status,
        fee,
        created: effects.created,
        mutated: effects.mutated,
        deleted: effects.deleted,
        balance_changes: effects.balance_changes,
    })
}

fn attempt(state: &mut State<'_>, call: Call, kind: &TransactionKind) -> Step<Fee> {
    let mut account = state.account(&call.sender)?;
    let base = Shannons(state.parameters.base_fee);
    if account.balance < base && !kind.is_validator_duty() {
        let available = account.balance;
        return Err(ExecutionError::InsufficientGas {
            needed: base,
            available,
        }
        .into());
    }
    let quote = fee::quote(state, kind)?;
    let total = quote.fee.total();
    let available = account.balance;
    // The checks of a submission come in an order of their own, the bond last.
    let bonded = matches!(kind, TransactionKind::SubmitData(_));
    let spend = if bonded { Shannons::ZERO } else { quote.spend };
    let needed = total.saturating_add(spend);
    if available < needed {
        return Err(match spend.is_zero() {
            true => ExecutionError::InsufficientGas { needed, available },
            false => ExecutionError::InsufficientCoinBalance { needed, available },
        }
        .into());
    }
    account.balance = available.saturating_sub(total);
    account.nonce += 1;
    state.save_account(&call.sender, &account);
    burn(state, total)?;
    dispatch(state, call, kind)?;
    Ok(quote.fee)
}

/// A failed transaction uses its nonce and pays the base fee, or what there is.
fn charge_failed(state: &mut State<'_>, sender: Address) -> Step<Fee> {
    let mut account = state.account(&sender)?;
    let base = Shannons(state.parameters.base_fee).min(account.balance);
    account.balance = account.balance.saturating_sub(base);
    account.nonce += 1;
    state.save_account(&sender, &account);
    burn(state, base)?;
    Ok(Fee {
        base,
        ..Fee::default()
    })
}

fn burn(state: &mut State<'_>, fee: Shannons) -> Step<()> {
    let overflow = Failure::Supply("the burned fees overflowed");
    let system = &mut state.system;
    system.burned = system.burned.checked_add(fee).ok_or(overflow)?;
    system.burned_this_epoch = system.burned_this_epoch.saturating_add(fee);
    Ok(())
}

fn dispatch(state: &mut State<'_>, call: Call, kind: &TransactionKind) -> Step<()> {
    use TransactionKind as T;
    match kind {
        T::Transfer { recipient, amount } => payments::transfer(state, call, recipient, *amount),
        T::PayMany { payments } => payments::pay_many(state, call, payments),
        T::Stake { validator, amount } => {
            staking::stake_to_validator(state, call, validator, *amount)
        }
        T::StakeToModel { model, amount } => staking::stake_to_model(state, call, model, *amount),
        T::Unstake { stake } => staking::unstake(state, call, stake),
        T::CreateModel {
            architecture_version,
            stake,
            commission_bps,
        } => models::create(state, call, *architecture_version, *stake, *commission_bps),
        T::CommitModel { model, commit } => models::commit(state, call, model, commit),
        T::RevealModel {
            model,
            key,
            embedding,
        } => models::reveal(state, call, model, key, embedding),
        T::SetModelCommission {
            model,
            commission_bps,
        } => models::set_commission(state, call, model, *commission_bps),
        T::DeactivateModel { model } => models::deactivate(state, call, model),
        T::CommitSubmission { commitment } => seals::seal(state, call, *commitment),
        T::SubmitData(submission) => submissions::submit(state, call, submission),
        T::ClaimRewards { target } => claims::claim(state, call, target),
        T::ReportSubmission { target, reason } => {
            audit::report_submission(state, call, target, *reason)
        }
        T::UndoReportSubmission { target } => audit::undo_report_submission(state, call, target),
        T::ChallengeSubmission { target } => audit::challenge(state, call, target),
        T::ReportModel { model, reason } => audit::report_model(state, call, model, *reason),
        T::UndoReportModel { model } => audit::undo_report_model(state, call, model),
        T::ReportValidator { validator } => audit::report_validator(state, call, validator),
        T::UndoReportValidator { validator } => {
            audit::undo_report_validator(state, call, validator)
        }
        T::AddValidator(candidate) => validators::add(state, call, candidate),
        T::RemoveValidator => validators::remove(state, call),
        T::UpdateValidatorMetadata(update) => validators::update_metadata(state, call, update),
        T::SetValidatorCommission { commission_bps } => {
            validators::set_commission(state, call, *commission_bps)
        }
        T::AnnounceProtocolVersion { version } => {
            validators::announce_version(state, call, *version)
        }
    }
}

#[derive(Default)]
struct Effects {
    created: Vec<ObjectRef>,
    mutated: Vec<ObjectRef>,
    deleted: Vec<ObjectRef>,
    balance_changes: Vec<BalanceChange>,
}

/// What `changes` do to the objects that users see.
fn effects(state: &State<'_>, changes: &Changes) -> Step<Effects> {
    let mut effects = Effects::default();
    for (key, new) in changes {
        let Some(object) = Key::object_of(key) else {
            continue;
        };
        let old = state.bytes_before(key)?;
        match (&old, new) {
            (None, Some(_)) => effects.created.push(object),
            (Some(old), Some(new)) if old != new => effects.mutated.push(object),
            (Some(_), None) => effects.deleted.push(object),
            _ => {}
        }
        if let ObjectRef::Coin(address) = object {
            let before = balance(key, old.as_deref())?;
            let after = balance(key, new.as_deref())?;
            if before != after {
                effects.balance_changes.push(BalanceChange {
                    address,
                    amount: after - before,
                });
            }
        }
    }
    Ok(effects)
}

/// The balance in an account's entry. The supply is 10^16 shannons, so it fits an `i64`.
fn balance(key: &[u8], bytes: Option<&[u8]>) -> Step<i64> {
    let Some(bytes) = bytes else { return Ok(0) };
    let account: Account = read_entry(key, bytes)?;
    i64::try_from(account.balance.0).map_err(|_| Failure::Supply("a balance exceeds the supply"))
}
