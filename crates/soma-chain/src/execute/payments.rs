//! Transfers.

use soma_types::{Address, ExecutionError, Payment, Shannons};

use super::transaction::Call;
use crate::state::{State, Step};

fn positive(amount: Shannons) -> Step<()> {
    if amount.is_zero() {
        return Err(ExecutionError::invalid("amount cannot be 0; send at least 1 shannon").into());
    }
    Ok(())
}

/// Moves `amount` from the sender to `recipient`.
pub(crate) fn transfer(
    state: &mut State<'_>,
    call: Call,
    recipient: &Address,
    amount: Shannons,
) -> Step<()> {
    positive(amount)?;
    state.debit(&call.sender, amount)?;
    state.credit(recipient, amount)
}

/// Moves every payment, or none.
pub(crate) fn pay_many(state: &mut State<'_>, call: Call, payments: &[Payment]) -> Step<()> {
    if payments.is_empty() {
        return Err(ExecutionError::invalid("no payments; name at least one recipient").into());
    }
    for payment in payments {
        transfer(state, call, &payment.recipient, payment.amount)?;
    }
    Ok(())
}
