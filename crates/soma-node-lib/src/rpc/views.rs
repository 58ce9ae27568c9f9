//! From the chain's values to the API's shapes.

use soma_api::{
    BlockView, ChallengeView, LedgerEntryView, ModelReportView, ModelView, ReceiptView, ReportView,
    StakeView, TargetView, TransactionView, ValidatorReportView, ValidatorView,
};
use soma_chain::{ChainError, CommittedBlock, LedgerEntry, Reader};
use soma_crypto::transaction::transaction_digest;
use soma_types::{
    Committee, Model, PoolOwner, SignedTransaction, StakePosition, Target, Validator,
};

use super::paging::Include;
use crate::store::NodeStore;

/// Reads of a node's chain.
pub(super) type Reads<'a> = Reader<'a, NodeStore>;

pub(super) fn transaction(signed: &SignedTransaction) -> TransactionView {
    TransactionView::new(transaction_digest(&signed.transaction), signed)
}

pub(super) fn block(committed: &CommittedBlock, include: Include) -> BlockView {
    let digests = committed.receipts.iter().map(|r| r.transaction).collect();
    let mut view = BlockView::new(committed.digest, &committed.block, digests);
    let transactions = &committed.block.transactions;
    view.transactions = include
        .transactions
        .then(|| transactions.iter().map(transaction).collect());
    view.receipts = include
        .receipts
        .then(|| committed.receipts.iter().map(ReceiptView::from).collect());
    view
}

pub(super) fn model(
    reader: &Reads<'_>,
    model: &Model,
    include: Include,
) -> Result<ModelView, ChainError> {
    let pool = reader.pool(&model.pool)?;
    let embedding = match include.embedding {
        true => reader.model_embedding(&model.id)?,
        false => None,
    };
    let mut view = ModelView::new(model, pool.as_ref(), embedding.as_ref());
    let reports = reader.model_reports(&model.id)?.into_iter();
    view.reports = reports
        .map(|(validator, reason)| ModelReportView { validator, reason })
        .collect();
    Ok(view)
}

pub(super) fn target(
    reader: &Reads<'_>,
    target: &Target,
    include: Include,
) -> Result<TargetView, ChainError> {
    let mut view = TargetView::new(target, reader.system().epoch);
    if include.embedding {
        view.embedding = reader.target_embedding(&target.id)?.map(|e| e.to_f32());
        if let Some(fill) = &mut view.fill {
            fill.embedding = reader.fill_embedding(&target.id)?.map(|e| e.to_f32());
        }
    }
    Ok(view)
}

/// As [`target`], with reports and challenge.
pub(super) fn whole_target(
    reader: &Reads<'_>,
    found: &Target,
    include: Include,
) -> Result<TargetView, ChainError> {
    let mut view = target(reader, found, include)?;
    let reports = reader.submission_reports(found)?;
    view.reports = reports
        .into_iter()
        .map(|(validator, reason)| ReportView { validator, reason })
        .collect();
    view.challenge = reader.challenge(found)?.as_ref().map(ChallengeView::from);
    Ok(view)
}

pub(super) fn validator(
    reader: &Reads<'_>,
    committee: Option<&Committee>,
    validator: &Validator,
) -> Result<ValidatorView, ChainError> {
    let power = committee.map_or(0, |committee| committee.power(&validator.address));
    let pool = reader.pool(&validator.pool)?;
    let mut view = ValidatorView::new(validator, power, pool.as_ref());
    let reporters = reader.validator_reports(&validator.address)?.into_iter();
    view.reports = reporters
        .map(|validator| ValidatorReportView { validator })
        .collect();
    Ok(view)
}

pub(super) fn stake(reader: &Reads<'_>, position: &StakePosition) -> Result<StakeView, ChainError> {
    let value = reader.stake_value(position)?;
    // One that slashes left without value may outlast its pool.
    let owner = reader
        .pool(&position.pool)?
        .map_or(PoolOwner::Validator(position.owner), |pool| pool.owner);
    let position = StakePosition {
        state: reader.stake_state(position)?,
        ..*position
    };
    Ok(StakeView::new(&position, value, owner))
}

pub(super) fn ledger_entry(entry: &LedgerEntry) -> LedgerEntryView {
    LedgerEntryView {
        height: entry.cursor.height,
        index: entry.cursor.index,
        epoch: entry.epoch,
        time_ms: entry.time_ms,
        kind: entry.kind,
        amount: entry.amount,
        is_loss: entry.kind.is_loss(),
        target: entry.target,
    }
}
