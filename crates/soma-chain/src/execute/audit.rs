//! Reports and challenges. Verdicts are reached at the epoch boundary: see `epoch::verdicts`.

use soma_types::{
    Address, Challenge, Event, ExecutionError, Fill, ModelFault, ModelId, ModelStatus,
    SubmissionFault, TargetId, TargetStatus,
};

use super::transaction::Call;
use crate::key::Key;
use crate::state::{State, Step};

/// The submission of `target`, while its audit runs.
fn audited_fill(state: &State<'_>, id: &TargetId) -> Step<Box<Fill>> {
    let target = state.target(id)?;
    match target.status {
        TargetStatus::Filled(fill) if fill.is_claimable_in(state.epoch()) => {
            Err(ExecutionError::AuditWindowClosed {
                last: fill.epoch.next(),
            }
            .into())
        }
        TargetStatus::Filled(fill) => Ok(fill),
        TargetStatus::Claimed { .. } => Err(ExecutionError::TargetAlreadyClaimed.into()),
        ref status => Err(ExecutionError::TargetNotFilled {
            status: status.name().to_owned(),
        }
        .into()),
    }
}

/// The committee of the epoch of the fill decides, by its power then.
pub(crate) fn report_submission(
    state: &mut State<'_>,
    call: Call,
    target: &TargetId,
    reason: SubmissionFault,
) -> Step<()> {
    let fill = audited_fill(state, target)?;
    if state.committee(fill.epoch)?.power(&call.sender) == 0 {
        return Err(ExecutionError::NotAValidator.into());
    }
    if fill.submitter == call.sender {
        return Err(ExecutionError::CannotReportOneself.into());
    }
    let key = Key::SubmissionReport(fill.epoch, *target, call.sender);
    if state.has(key)? {
        return Err(ExecutionError::DuplicateReport.into());
    }
    state.save(key, &reason);
    Ok(())
}

/// Takes a report back, while the audit runs.
pub(crate) fn undo_report_submission(
    state: &mut State<'_>,
    call: Call,
    target: &TargetId,
) -> Step<()> {
    let fill = audited_fill(state, target)?;
    take_back(
        state,
        Key::SubmissionReport(fill.epoch, *target, call.sender),
    )
}

fn take_back(state: &mut State<'_>, report: Key) -> Step<()> {
    if !state.has(report)? {
        return Err(ExecutionError::ReportRecordNotFound.into());
    }
    state.remove(report);
    Ok(())
}

/// Puts up a bond of the submitter's size and asks every validator for a full audit.
pub(crate) fn challenge(state: &mut State<'_>, call: Call, target: &TargetId) -> Step<()> {
    let fill = audited_fill(state, target)?;
    if fill.submitter == call.sender {
        return Err(ExecutionError::CannotReportOneself.into());
    }
    let key = Key::Challenge(fill.epoch, *target);
    if state.has(key)? {
        return Err(ExecutionError::TargetAlreadyChallenged.into());
    }
    let available = state.account(&call.sender)?.balance;
    if available < fill.bond {
        return Err(ExecutionError::InsufficientBond {
            needed: fill.bond,
            available,
        }
        .into());
    }
    state.debit(&call.sender, fill.bond)?;
    let challenge = Challenge {
        challenger: call.sender,
        bond: fill.bond,
        height: state.height,
    };
    state.save(key, &challenge);
    state
        .events
        .push(Event::SubmissionChallenged { target: *target });
    Ok(())
}

fn require_member(state: &State<'_>, address: &Address) -> Step<()> {
    match state.committee(state.epoch())?.power(address) {
        0 => Err(ExecutionError::NotAValidator.into()),
        _ => Ok(()),
    }
}

/// A committee member reports a model; counted at the end of the epoch.
pub(crate) fn report_model(
    state: &mut State<'_>,
    call: Call,
    id: &ModelId,
    reason: ModelFault,
) -> Step<()> {
    require_member(state, &call.sender)?;
    let model = state.model(id)?;
    // A model that ended in this epoch or the last can still be slashed: its stake unbonds.
    let recently_ended = |since: soma_types::Epoch| since.next() >= state.epoch();
    let reportable = match model.status {
        ModelStatus::Active => true,
        ModelStatus::Inactive { since } => model.weights.is_some() && recently_ended(since),
        ModelStatus::Created { .. } | ModelStatus::Pending => false,
    };
    if !reportable {
        return Err(ExecutionError::ModelNotActive.into());
    }
    if model.owner == call.sender {
        return Err(ExecutionError::CannotReportOneself.into());
    }
    let key = Key::ModelReport(*id, call.sender);
    if state.has(key)? {
        return Err(ExecutionError::DuplicateReport.into());
    }
    state.save(key, &reason);
    Ok(())
}

/// Takes a report back before the end of the epoch.
pub(crate) fn undo_report_model(state: &mut State<'_>, call: Call, id: &ModelId) -> Step<()> {
    require_member(state, &call.sender)?;
    take_back(state, Key::ModelReport(*id, call.sender))
}

/// A committee member reports another; counted at the end of the epoch.
pub(crate) fn report_validator(state: &mut State<'_>, call: Call, reported: &Address) -> Step<()> {
    require_member(state, &call.sender)?;
    require_member(state, reported)?;
    if *reported == call.sender {
        return Err(ExecutionError::CannotReportOneself.into());
    }
    let key = Key::ValidatorReport(*reported, call.sender);
    if state.has(key)? {
        return Err(ExecutionError::DuplicateReport.into());
    }
    state.mark(key);
    Ok(())
}

/// Takes a report back before the end of the epoch.
pub(crate) fn undo_report_validator(
    state: &mut State<'_>,
    call: Call,
    reported: &Address,
) -> Step<()> {
    require_member(state, &call.sender)?;
    take_back(state, Key::ValidatorReport(*reported, call.sender))
}
