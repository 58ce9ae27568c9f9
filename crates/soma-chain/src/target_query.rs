//! Queries of targets by status, epoch and submitter. Each follows the index that narrows it most,
//! and its cursor is a place in that index, so pages reach every row exactly once.

use soma_types::{Address, Epoch, Target, TargetId};

use crate::error::ChainError;
use crate::key::{Key, prefix};
use crate::reader::Reader;
use crate::rows;
use crate::store::Store;

/// Rows looked at for one page; a page may be short, and still have a next one.
const SCANNED_PER_PAGE: usize = 4_096;

/// A status to ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetQuery {
    /// Waits for data.
    Open,
    /// Under audit.
    Filled,
    /// Audited, not claimed yet.
    Claimable,
    /// Paid out.
    Claimed,
    /// Not filled in its epoch.
    Expired,
    /// Proven a fraud.
    Fraud,
    /// Not to be judged.
    Void,
}

impl TargetQuery {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Filled => "filled",
            Self::Claimable => "claimable",
            Self::Claimed => "claimed",
            Self::Expired => "expired",
            Self::Fraud => "fraud",
            Self::Void => "void",
        }
    }
}

impl std::str::FromStr for TargetQuery {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [
            Self::Open,
            Self::Filled,
            Self::Claimable,
            Self::Claimed,
            Self::Expired,
            Self::Fraud,
            Self::Void,
        ];
        all.into_iter().find(|query| query.name() == text).ok_or_else(|| {
            format!(
                "unknown target status `{text}`: use open, filled, claimable, claimed, expired, fraud or void"
            )
        })
    }
}

/// Which targets to list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TargetFilter {
    /// Only these.
    pub status: Option<TargetQuery>,
    /// Only targets drawn in this epoch.
    pub epoch: Option<Epoch>,
    /// Only targets filled by this address.
    pub submitter: Option<Address>,
}

/// A place in a listing. Opaque: valid for the filter that gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetCursor(pub Vec<u8>);

/// Part of a listing.
#[derive(Clone, Debug)]
pub struct TargetPage {
    /// The targets.
    pub targets: Vec<Target>,
    /// Where to go on; none at the end.
    pub next: Option<TargetCursor>,
}

impl<S: Store> Reader<'_, S> {
    /// Targets that pass `filter`, after `after`.
    ///
    /// # Errors
    /// When the store fails.
    pub fn targets(
        &self,
        filter: &TargetFilter,
        after: Option<&TargetCursor>,
        limit: usize,
    ) -> Result<TargetPage, ChainError> {
        let index = index_for(filter);
        let now = self.system().epoch;
        let mut at = after.map(|cursor| cursor.0.clone());
        let mut targets = Vec::new();
        let mut scanned = 0;
        loop {
            let chunk = self
                .store()
                .scan(&index, at.as_deref(), limit.clamp(1, 256))?;
            if chunk.is_empty() {
                return Ok(TargetPage {
                    targets,
                    next: None,
                });
            }
            for (row, _) in chunk {
                scanned += 1;
                if let Some(target) = self.target(&TargetId(Key::last_id(&row)))?
                    && passes(&target, filter, now)
                {
                    targets.push(target);
                }
                let full = targets.len() >= limit || scanned >= SCANNED_PER_PAGE;
                at = Some(row);
                if full {
                    return Ok(TargetPage {
                        targets,
                        next: at.map(TargetCursor),
                    });
                }
            }
        }
    }
}

/// The index with the fewest rows for a filter.
fn index_for(filter: &TargetFilter) -> Vec<u8> {
    match (filter.submitter, filter.epoch, filter.status) {
        (Some(submitter), _, _) => rows::targets_of(&submitter),
        (None, Some(epoch), Some(TargetQuery::Open)) => prefix::open_targets(epoch),
        (None, Some(epoch), _) => rows::targets_in(epoch),
        (None, None, Some(TargetQuery::Open)) => prefix::OPEN.to_vec(),
        (None, None, Some(TargetQuery::Filled | TargetQuery::Claimable)) => prefix::FILLED.to_vec(),
        (
            None,
            None,
            Some(
                TargetQuery::Claimed
                | TargetQuery::Expired
                | TargetQuery::Fraud
                | TargetQuery::Void,
            ),
        ) => prefix::RETIRED.to_vec(),
        (None, None, None) => prefix::TARGETS.to_vec(),
    }
}

fn passes(target: &Target, filter: &TargetFilter, now: Epoch) -> bool {
    let submitter = || target.fill().map(|fill| fill.submitter);
    filter
        .status
        .is_none_or(|status| target.status_at(now) == status.name())
        && filter.epoch.is_none_or(|epoch| target.epoch == epoch)
        && filter
            .submitter
            .is_none_or(|wanted| submitter() == Some(wanted))
}
