//! What a block writes to the store: entries, undo record, block, receipts, indexes.

use std::collections::BTreeMap;

use soma_types::codec::{decode, encode};
use soma_types::{Digest, Event, Height, StakePosition, Target};

use crate::chain::{Chain, Committed, CommittedBlock, Finality};
use crate::error::ChainError;
use crate::key::{IndexedKind, Key};
use crate::ledger::{LedgerRow, ledger_row};
use crate::rows;
use crate::state::{Changes, Step, read_entry};
use crate::store::{Batch, Store};
use crate::tree::tree_error;

/// Entries of an undo record: key and value before.
type Undo = Vec<(Vec<u8>, Option<Vec<u8>>)>;

/// Blocks removed with each new one when pruning falls behind.
const PRUNED_PER_BLOCK: u64 = 16;

/// What really changed: new values, and the values before.
pub(crate) struct Diff {
    pub(crate) new: Changes,
    pub(crate) old: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
}

impl Diff {
    /// Drops changes that change nothing, and looks up what was before.
    pub(crate) fn of(store: &dyn Store, changes: Changes, mut committed: Changes) -> Step<Self> {
        let mut diff = Self {
            new: Changes::new(),
            old: BTreeMap::new(),
        };
        for (key, new) in changes {
            let old = match committed.remove(&key) {
                Some(seen) => seen,
                None => store.get(&key)?,
            };
            if old != new {
                diff.old.insert(key.clone(), old);
                diff.new.insert(key, new);
            }
        }
        Ok(diff)
    }

    /// Writes the entries.
    pub(crate) fn write_entries(&self, batch: &mut Batch) {
        for (key, value) in &self.new {
            match value {
                Some(value) => batch.put(key.clone(), value.clone()),
                None => batch.remove(key.clone()),
            }
        }
    }

    /// Writes the indexes that follow entries: positions by owner, targets by submitter and epoch.
    pub(crate) fn write_indexes(&self, batch: &mut Batch) {
        for (key, new) in &self.new {
            let old = self.old.get(key).and_then(Option::as_deref);
            match Key::kind_of(key) {
                Some(IndexedKind::Stake) => index_stake(batch, key, old, new.as_deref()),
                Some(IndexedKind::Target) => index_target(batch, key, old, new.as_deref()),
                Some(IndexedKind::Pool | IndexedKind::Model) | None => {}
            }
        }
    }
}

fn index_stake(batch: &mut Batch, key: &[u8], old: Option<&[u8]>, new: Option<&[u8]>) {
    let row = |bytes: &[u8]| {
        let position: StakePosition = read_entry(key, bytes).ok()?;
        Some(rows::stake_by_owner(&position.owner, &position.id))
    };
    match (old.and_then(row), new.and_then(row)) {
        (None, Some(added)) => batch.put(added, Vec::new()),
        (Some(gone), None) => batch.remove(gone),
        _ => {}
    }
}

fn index_target(batch: &mut Batch, key: &[u8], old: Option<&[u8]>, new: Option<&[u8]>) {
    let read = |bytes: &[u8]| read_entry::<Target>(key, bytes).ok();
    let rows_of = |target: &Target| {
        let epoch = rows::target_by_epoch(target.epoch, &target.id);
        let fill = target.fill();
        (
            epoch,
            fill.map(|fill| rows::target_by_submitter(&fill.submitter, &target.id)),
        )
    };
    let before = old.and_then(read).map(|target| rows_of(&target));
    match new.and_then(read).map(|target| rows_of(&target)) {
        Some((epoch, submitter)) => {
            if before.is_none() {
                batch.put(epoch, Vec::new());
            }
            if let Some(row) = submitter.filter(|_| !matches!(&before, Some((_, Some(_))))) {
                batch.put(row, Vec::new());
            }
        }
        None => {
            if let Some((epoch, submitter)) = before {
                batch.remove(epoch);
                if let Some(row) = submitter {
                    batch.remove(row);
                }
            }
        }
    }
}

/// Writes everything of a block.
pub(crate) fn write_block(
    batch: &mut Batch,
    committed: &CommittedBlock,
    transactions: &[Digest],
    diff: &Diff,
) {
    let header = &committed.block.header;
    let height = header.height;
    diff.write_entries(batch);
    diff.write_indexes(batch);
    let undo: Undo = diff
        .old
        .iter()
        .map(|(key, old)| (key.clone(), old.clone()))
        .collect();
    batch.put(rows::undo(height), encode(&undo));
    batch.put(rows::block(height), encode(&committed.block));
    batch.put(rows::block_digest(&committed.digest), encode(&height));
    batch.put(rows::receipts(height), encode(&committed.receipts));
    batch.put(rows::events(height), encode(&committed.events));
    for (index, digest) in (0u32..).zip(transactions) {
        batch.put(rows::transaction(digest), encode(&(height, index)));
    }
    for (index, event) in (0u32..).zip(&committed.events) {
        if let Event::Earning { address, .. } = event
            && let Some(row) = ledger_row(event, header)
        {
            batch.put(
                rows::ledger(address, height, index),
                encode::<LedgerRow>(&row),
            );
        }
    }
    batch.put(rows::HEAD.to_vec(), encode(header));
}

/// Writes what proves a block final, and the misbehaviour that it names.
pub(crate) fn write_finality(batch: &mut Batch, height: Height, finality: &Finality) {
    batch.put(rows::certificate(height), encode(&finality.certificate));
    if !finality.evidence.is_empty() {
        batch.put(rows::evidence(height), encode(&finality.evidence));
    }
}

/// The undo record of a block.
pub(crate) fn read_undo(store: &dyn Store, height: Height) -> Result<Undo, ChainError> {
    let bytes = store
        .get(&rows::undo(height))?
        .ok_or_else(|| tree_error(format!("the undo record of height {height} is missing")))?;
    decode("an undo record", &bytes).map_err(tree_error)
}

/// A height under a row of its own.
pub(crate) fn read_height(store: &dyn Store, row: &[u8]) -> Result<Option<Height>, ChainError> {
    let bytes = store.get(row)?;
    bytes
        .map(|bytes| decode("a height", &bytes).map_err(tree_error))
        .transpose()
}

impl<S: Store> Chain<S> {
    /// Removes undo records and blocks that are not kept any more.
    pub(crate) fn prune(
        &self,
        committed: &Committed,
        height: Height,
        batch: &mut Batch,
    ) -> Result<(), ChainError> {
        let oldest_undo = height
            .saturating_sub(self.config.keep_states)
            .min(committed.tree_height)
            .min(self.oldest_pin().saturating_add(1));
        let lowest = read_height(&self.store, &rows::LOWEST_UNDO)?.unwrap_or(1);
        let end = oldest_undo.min(lowest.saturating_add(PRUNED_PER_BLOCK));
        for height in lowest..end {
            batch.remove(rows::undo(height));
        }
        if end > lowest {
            batch.put(rows::LOWEST_UNDO.to_vec(), encode(&end));
        }

        let Some(keep) = self.config.keep_blocks else {
            return Ok(());
        };
        let lowest = read_height(&self.store, &rows::LOWEST_BLOCK)?.unwrap_or(1);
        let end = (height + 1)
            .saturating_sub(keep.max(1))
            .min(lowest.saturating_add(PRUNED_PER_BLOCK));
        for height in lowest..end {
            self.remove_block(height, batch)?;
        }
        if end > lowest {
            batch.put(rows::LOWEST_BLOCK.to_vec(), encode(&end));
        }
        Ok(())
    }

    fn remove_block(&self, height: Height, batch: &mut Batch) -> Result<(), ChainError> {
        if let Some(bytes) = self.store.get(&rows::block(height))? {
            let block: soma_types::Block = decode("a block", &bytes).map_err(tree_error)?;
            batch.remove(rows::block_digest(&crate::header::digest(&block.header)));
            for signed in block.transactions.iter() {
                let digest = soma_crypto::transaction::transaction_digest(&signed.transaction);
                batch.remove(rows::transaction(&digest));
            }
        }
        batch.remove(rows::block(height));
        batch.remove(rows::certificate(height));
        batch.remove(rows::evidence(height));
        batch.remove(rows::receipts(height));
        batch.remove(rows::events(height));
        Ok(())
    }
}
