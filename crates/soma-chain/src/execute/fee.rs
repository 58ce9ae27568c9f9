//! What a transaction costs, known before it runs: one estimate for admission, simulation and
//! execution.

use soma_types::{ExecutionError, Fee, Ppm, Shannons, TransactionKind};

use super::staking;
use super::submissions::bond_of;
use crate::state::{State, Step};

/// Price of a transaction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quote {
    /// The fee, burned.
    pub(crate) fee: Fee,
    /// Money that leaves the sender's balance besides the fee.
    pub(crate) spend: Shannons,
}

/// The price of `kind` in the current state.
pub(crate) fn quote(state: &State<'_>, kind: &TransactionKind) -> Step<Quote> {
    if kind.is_validator_duty() {
        return Ok(Quote {
            fee: Fee::default(),
            spend: Shannons::ZERO,
        });
    }
    let (spend, taxed, rate) = amounts(state, kind)?;
    let operation = Shannons(state.parameters.write_object_fee)
        .checked_mul(objects_written(kind))
        .ok_or(ExecutionError::ArithmeticOverflow)?;
    let fee = Fee {
        base: Shannons(state.parameters.base_fee),
        operation,
        value: taxed.fee_at(rate),
    };
    Ok(Quote { fee, spend })
}

/// Money spent, the amount that the value fee is taken on, and its rate.
fn amounts(state: &State<'_>, kind: &TransactionKind) -> Step<(Shannons, Shannons, Ppm)> {
    let whole = state.system.value_fee;
    let half = whole.half();
    Ok(match kind {
        TransactionKind::Transfer { amount, .. } => (*amount, *amount, whole),
        TransactionKind::PayMany { payments } => {
            let sum = Shannons::sum(payments.iter().map(|payment| payment.amount))
                .ok_or(ExecutionError::ArithmeticOverflow)?;
            (sum, sum, whole)
        }
        TransactionKind::Stake { amount, .. }
        | TransactionKind::StakeToModel { amount, .. }
        | TransactionKind::CreateModel { stake: amount, .. } => (*amount, *amount, half),
        TransactionKind::AddValidator(_) => {
            let stake = Shannons(state.parameters.min_candidate_stake);
            (stake, stake, half)
        }
        TransactionKind::Unstake { stake } => {
            (Shannons::ZERO, staking::position_value(state, stake)?, half)
        }
        TransactionKind::ClaimRewards { target } => {
            (Shannons::ZERO, state.target(target)?.reward, half)
        }
        // The checks of a submission come in an order of their own, the bond last.
        TransactionKind::SubmitData(submission) => {
            let size = submission
                .data
                .size
                .min(state.parameters.max_submission_data_size);
            (bond_of(state, size)?, Shannons::ZERO, whole)
        }
        _ => (Shannons::ZERO, Shannons::ZERO, whole),
    })
}

/// Objects that a successful transaction writes, the sender's account among them. Marks and
/// reports inside other objects do not count.
fn objects_written(kind: &TransactionKind) -> u64 {
    match kind {
        TransactionKind::Transfer { .. } => 2,
        TransactionKind::PayMany { payments } => 1 + payments.len() as u64,
        TransactionKind::Stake { .. }
        | TransactionKind::StakeToModel { .. }
        | TransactionKind::Unstake { .. } => 3,
        TransactionKind::CreateModel { .. } | TransactionKind::RevealModel { .. } => 4,
        TransactionKind::SubmitData(_) | TransactionKind::AddValidator(_) => 4,
        TransactionKind::ClaimRewards { .. } => 5,
        TransactionKind::CommitModel { .. }
        | TransactionKind::SetModelCommission { .. }
        | TransactionKind::DeactivateModel { .. }
        | TransactionKind::CommitSubmission { .. }
        | TransactionKind::ChallengeSubmission { .. }
        | TransactionKind::RemoveValidator
        | TransactionKind::UpdateValidatorMetadata(_)
        | TransactionKind::SetValidatorCommission { .. }
        | TransactionKind::ReportSubmission { .. }
        | TransactionKind::UndoReportSubmission { .. }
        | TransactionKind::ReportModel { .. }
        | TransactionKind::UndoReportModel { .. }
        | TransactionKind::ReportValidator { .. }
        | TransactionKind::UndoReportValidator { .. }
        | TransactionKind::AnnounceProtocolVersion { .. } => 2,
    }
}
