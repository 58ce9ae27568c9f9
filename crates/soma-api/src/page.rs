//! Pages of lists.

use serde::{Deserialize, Serialize};

/// Items of a page when the request names no limit.
pub const DEFAULT_PAGE: usize = 100;

/// The most items of a page.
pub const MAX_PAGE: usize = 1_000;

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Page<T> {
    /// The items. May be fewer than asked for, and none, without being the end.
    pub items: Vec<T>,
    /// Where the next page begins, to be sent back as `cursor`; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// The same page with each item turned into another.
    pub fn map<U>(self, turn: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(turn).collect(),
            next_cursor: self.next_cursor,
        }
    }
}
