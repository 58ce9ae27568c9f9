//! Execution of one block: a pure function of the committed state and the proposal.
//!
//! ```text
//! begin: drop lapsed seals and some old targets → pay stake that waits for its turn → punish misbehaviour
//!        → draw targets by the parent's hash
//! each transaction: price → effect or failure → receipt
//! end:   epoch change when due → supply audit → changes, receipts, events
//! ```

mod audit;
pub(crate) mod claims;
mod draw;
pub(crate) mod fee;
pub(crate) mod models;
mod payments;
pub(crate) mod seals;
pub(crate) mod staking;
pub(crate) mod submissions;
pub(crate) mod transaction;
pub(crate) mod validators;

use std::sync::Arc;

use soma_crypto::transaction::VerifiedTransaction;
use soma_targets::ModelIndex;
use soma_types::{
    Address, Digest, EpochSummary, Event, Height, Misbehavior, MisbehaviorKind, Parameters,
    Receipt, SlashReason, Supply, SystemState, TimestampMs, ValidatorStatus,
};

use crate::epoch;
use crate::error::{BlockError, InvalidTransaction};
use crate::key::Key;
use crate::rules::Rules;
use crate::state::{Changes, Parts, State, Step};
use crate::store::Store;
use crate::supply;

/// A proposal whose signatures were checked.
#[derive(Clone, Debug)]
pub struct VerifiedProposal {
    /// Number of the block.
    pub height: Height,
    /// Time of the proposal.
    pub time_ms: TimestampMs,
    /// Digest of the parent's header.
    pub parent: Digest,
    /// The proposer.
    pub proposer: Address,
    /// The transactions, in the order of execution.
    pub transactions: Vec<VerifiedTransaction>,
    /// Proven misbehaviour of validators.
    pub misbehavior: Vec<Misbehavior>,
    /// Ends the epoch with this block.
    pub end_epoch: bool,
}

/// What a block does to the state.
pub(crate) struct Execution {
    pub(crate) changes: Changes,
    /// Entries that were read, as committed before the block.
    pub(crate) committed: Changes,
    pub(crate) receipts: Vec<Receipt>,
    pub(crate) events: Vec<Event>,
    pub(crate) system: SystemState,
    pub(crate) parameters: Arc<Parameters>,
}

/// The committed state that a block is executed on.
pub(crate) struct Parent<'a> {
    pub(crate) store: &'a dyn Store,
    pub(crate) models: &'a ModelIndex,
    pub(crate) system: SystemState,
    pub(crate) parameters: Arc<Parameters>,
    pub(crate) rules: &'a Rules,
}

/// Executes a block on its parent's state.
pub(crate) fn execute(
    parent: &Parent<'_>,
    proposal: &VerifiedProposal,
) -> Result<Execution, BlockError> {
    let mut state = parent.open(proposal.height, proposal.time_ms);
    check_limits(&state, proposal, parent.rules)?;

    seals::drop_lapsed(&mut state)?;
    epoch::prune_some(&mut state)?;
    let now = state.epoch();
    epoch::pay_unbonded(&mut state, now)?;
    for evidence in &proposal.misbehavior {
        punish(&mut state, evidence)?;
    }
    draw::draw_pending(&mut state, parent.models, &proposal.parent)?;

    let mut receipts = Vec::with_capacity(proposal.transactions.len());
    for (index, verified) in (0u32..).zip(&proposal.transactions) {
        check_sequence(&state, verified, index)?;
        let transaction = &verified.transaction;
        receipts.push(transaction::execute(
            &mut state,
            transaction,
            verified.digest(),
            index,
        )?);
    }

    let due = state
        .system
        .epoch_start_ms
        .saturating_add(state.parameters.epoch_duration_ms);
    if proposal.end_epoch || proposal.time_ms >= due {
        epoch::change(&mut state, parent.rules, proposal.end_epoch)?;
    }
    close(state, receipts)
}

impl Parent<'_> {
    /// The state of a block on this parent.
    pub(crate) fn open(&self, height: Height, time_ms: TimestampMs) -> State<'_> {
        let parameters = Arc::clone(&self.parameters);
        State::new(
            self.store,
            self.rules.chain_id,
            self.system,
            parameters,
            height,
            time_ms,
        )
    }
}

/// Audits the supply and gives what the block did.
pub(crate) fn close(mut state: State<'_>, receipts: Vec<Receipt>) -> Result<Execution, BlockError> {
    let system = state.system;
    let parameters = Arc::clone(&state.parameters);
    state.save(Key::System, &system);
    let before: Supply = state.load(Key::Supply)?.unwrap_or_default();
    let after = supply::audit(&state, &before)?;
    if after != before {
        state.save(Key::Supply, &after);
    }
    epoch::certify_supply(&mut state, after);
    let Parts {
        changes,
        committed,
        events,
    } = state.into_parts();
    Ok(Execution {
        changes,
        committed,
        receipts,
        events,
        system,
        parameters,
    })
}

fn check_limits(
    state: &State<'_>,
    proposal: &VerifiedProposal,
    rules: &Rules,
) -> Result<(), BlockError> {
    let (count, most) = (
        proposal.transactions.len() as u64,
        state.parameters.max_block_transactions,
    );
    if count > most {
        return Err(BlockError::TooManyTransactions {
            got: count,
            max: most,
        });
    }
    let bytes = proposal
        .transactions
        .iter()
        .map(|t| t.size_bytes() as u64)
        .sum::<u64>();
    if bytes > state.parameters.max_block_bytes {
        return Err(BlockError::TooManyBytes {
            got: bytes,
            max: state.parameters.max_block_bytes,
        });
    }
    if proposal.end_epoch && !rules.allow_forced_epochs {
        return Err(BlockError::ForcedEpoch);
    }
    match state.committee(state.epoch())?.power(&proposal.proposer) {
        0 => Err(BlockError::UnknownProposer(proposal.proposer)),
        _ => Ok(()),
    }
}

/// A block may hold only transactions that its proposer could know to be next in line.
fn check_sequence(
    state: &State<'_>,
    verified: &VerifiedTransaction,
    index: u32,
) -> Result<(), BlockError> {
    let transaction = &verified.transaction;
    let invalid = |reason| Err(BlockError::InvalidTransaction { index, reason });
    if transaction.chain_id != state.chain_id {
        return invalid(InvalidTransaction::WrongChain {
            got: transaction.chain_id,
            expected: state.chain_id,
        });
    }
    let (got, max) = (
        verified.size_bytes() as u64,
        state.parameters.max_transaction_bytes,
    );
    if got > max {
        return invalid(InvalidTransaction::TooLarge { got, max });
    }
    if transaction.expiry_height < state.height {
        return invalid(InvalidTransaction::Expired {
            expiry: transaction.expiry_height,
            height: state.height,
        });
    }
    let expected = state.account(&transaction.sender)?.nonce;
    if transaction.nonce != expected {
        return invalid(InvalidTransaction::WrongNonce {
            got: transaction.nonce,
            expected,
        });
    }
    Ok(())
}

/// Slashes a validator once in an epoch; it also gets no reward for the epoch. Evidence counts once,
/// and only for a height of this epoch or the one before: later the committee has moved on.
fn punish(state: &mut State<'_>, evidence: &Misbehavior) -> Step<()> {
    let (MisbehaviorKind::Equivocation | MisbehaviorKind::InvalidBlock) = evidence.kind;
    let Some(mut validator) = state.validator(&evidence.validator)? else {
        return Ok(());
    };
    let known = evidence.height <= validator.punished_height;
    let in_time = (oldest_evidence(state)?..=state.height).contains(&evidence.height);
    let member = !matches!(validator.status, ValidatorStatus::Pending { .. });
    if validator.misbehaved || known || !in_time || !member {
        return Ok(());
    }
    validator.misbehaved = true;
    validator.punished_height = evidence.height;
    state.save_validator(&validator);
    let rate = soma_types::Bps::try_from(state.parameters.validator_slash_rate_bps);
    models::slash_pool(
        state,
        &validator.pool,
        validator.address,
        rate.unwrap_or_default(),
        SlashReason::Misbehavior,
    )
}

/// The first height of the epoch before the current one.
fn oldest_evidence(state: &State<'_>) -> Step<Height> {
    let current = state.system.epoch_start_height;
    let Some(before) = state.epoch().minus(1) else {
        return Ok(current);
    };
    let summary: Option<EpochSummary> = state.load(Key::EpochSummary(before))?;
    Ok(summary.map_or(current, |summary| summary.first_height))
}
