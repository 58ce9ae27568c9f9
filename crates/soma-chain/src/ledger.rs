//! The ledger of earnings: what each address earned or lost outside plain transfers.

use serde::{Deserialize, Serialize};
use soma_types::{EarningKind, Epoch, Event, Header, Height, Shannons, TargetId, TimestampMs};

/// A stored entry; address, height and index are in its key.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct LedgerRow {
    pub(crate) epoch: Epoch,
    pub(crate) time_ms: TimestampMs,
    pub(crate) kind: EarningKind,
    pub(crate) amount: Shannons,
    pub(crate) target: Option<TargetId>,
}

/// Place of an entry in an address's ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LedgerCursor {
    /// The block.
    pub height: Height,
    /// Place among the block's events.
    pub index: u32,
}

/// One earning or loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerEntry {
    /// Where it stands.
    pub cursor: LedgerCursor,
    /// The epoch of the block.
    pub epoch: Epoch,
    /// The time of the block.
    pub time_ms: TimestampMs,
    /// Why.
    pub kind: EarningKind,
    /// How much; see [`EarningKind::is_loss`].
    pub amount: Shannons,
    /// The target that it came from, if any.
    pub target: Option<TargetId>,
}

/// The stored form of an earning.
pub(crate) fn ledger_row(event: &Event, header: &Header) -> Option<LedgerRow> {
    let Event::Earning {
        kind,
        amount,
        target,
        ..
    } = event
    else {
        return None;
    };
    Some(LedgerRow {
        epoch: header.epoch,
        time_ms: header.time_ms,
        kind: *kind,
        amount: *amount,
        target: *target,
    })
}

impl LedgerEntry {
    pub(crate) fn from_row(key: &[u8], row: LedgerRow) -> Option<Self> {
        let (height, index) = key.get(33..)?.split_at_checked(8)?;
        Some(Self {
            cursor: LedgerCursor {
                height: u64::from_be_bytes(height.try_into().ok()?),
                index: u32::from_be_bytes(index.try_into().ok()?),
            },
            epoch: row.epoch,
            time_ms: row.time_ms,
            kind: row.kind,
            amount: row.amount,
            target: row.target,
        })
    }
}
