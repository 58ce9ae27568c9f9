//! Pages: limits, cursors, includes.

use std::fmt::{self, Display};
use std::str::FromStr;

use serde::Deserialize;
use soma_api::{DEFAULT_PAGE, Page};
use soma_service::ApiError;
use utoipa::IntoParams;

use super::RpcConfig;

/// The page to give.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {
    /// The most items. Default 100, at most 1,000.
    pub(super) limit: Option<u64>,
    /// `next_cursor` of the page before, with the same filter.
    pub(super) cursor: Option<String>,
}

/// The number of items that a page may have.
pub(super) fn page_limit(
    asked: Option<u64>,
    config: &RpcConfig,
    with_embeddings: bool,
) -> Result<usize, ApiError> {
    let max = match with_embeddings {
        true => config.max_page_with_embeddings.min(config.max_page),
        false => config.max_page,
    }
    .max(1);
    match asked {
        Some(0) => Err(ApiError::invalid("bad `limit`: 0; ask for at least 1 item")),
        Some(limit) => Ok(usize::try_from(limit).unwrap_or(max).min(max)),
        None => Ok(DEFAULT_PAGE.min(max)),
    }
}

/// One list, which knows its own cursors: `TAG.PLACE`, where the tag is a hash over list and place.
/// A cursor of another list, of the same with another filter, or a damaged one would be a place
/// where rows are left out or come twice; it is refused.
pub(super) struct List {
    description: String,
}

impl List {
    /// The list that `description` tells from all others.
    pub(super) fn new(description: impl Into<String>) -> Self {
        Self {
            description: description.into(),
        }
    }

    /// FNV-1a: cursors are confused by mistake, not on purpose.
    fn tag(&self, place: &str) -> String {
        let bytes = self.description.bytes().chain([0]).chain(place.bytes());
        let hash = bytes.fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
        format!("{hash:08x}")
    }

    /// The cursor of a place in this list.
    pub(super) fn cursor(&self, place: impl Display) -> String {
        let place = place.to_string();
        format!("{}.{place}", self.tag(&place))
    }

    /// The place of a cursor.
    pub(super) fn place<T: FromStr>(&self, cursor: Option<&str>) -> Result<Option<T>, ApiError> {
        let Some(cursor) = cursor else {
            return Ok(None);
        };
        let place = match cursor.split_once('.') {
            Some((tag, place)) if tag == self.tag(place) => place.parse().ok(),
            _ => None,
        };
        place.map(Some).ok_or_else(bad_cursor)
    }

    /// A full page has a next one, which may turn out to be empty; a short one is the last.
    pub(super) fn page<T, P: Display>(
        &self,
        items: Vec<T>,
        limit: usize,
        place: impl FnOnce(&T) -> P,
    ) -> Page<T> {
        let next_cursor = match items.last() {
            Some(last) if items.len() >= limit => Some(self.cursor(place(last))),
            _ => None,
        };
        Page { items, next_cursor }
    }
}

/// What is answered to a cursor that this list did not give.
pub(super) fn bad_cursor() -> ApiError {
    let text = "bad `cursor`: send back `next_cursor` of the page before, to the same route with \
                the same filter";
    ApiError::invalid(text).with("name", "cursor")
}

/// What a request asks to include.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Include {
    pub(super) embedding: bool,
    pub(super) transactions: bool,
    pub(super) receipts: bool,
}

impl Include {
    /// Reads a list such as `transactions,receipts`; only words in `allowed` are taken.
    pub(super) fn parse(text: Option<&str>, allowed: &[&str]) -> Result<Self, ApiError> {
        let mut include = Self::default();
        for word in text.unwrap_or("").split(',').map(str::trim) {
            match word {
                "" => {}
                word if !allowed.contains(&word) => {
                    let shown: String = word.chars().take(40).collect();
                    return Err(ApiError::invalid(format!(
                        "bad `include`: `{shown}`; use {}",
                        allowed.join(", ")
                    )));
                }
                "embedding" => include.embedding = true,
                "transactions" => include.transactions = true,
                "receipts" => include.receipts = true,
                _ => {}
            }
        }
        Ok(include)
    }
}

/// A place that is bytes: hex digits as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HexPlace(pub(super) Vec<u8>);

impl Display for HexPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for HexPlace {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.is_empty() || pairs.len() > 256 || !rest.is_empty() {
            return Err(());
        }
        let digit = |byte: u8| {
            char::from(byte)
                .to_digit(16)
                .and_then(|d| u8::try_from(d).ok())
        };
        let byte = |[high, low]: &[u8; 2]| Some(digit(*high)? << 4 | digit(*low)?);
        let bytes: Option<Vec<u8>> = pairs.iter().map(byte).collect();
        bytes.map(Self).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_capped_and_zero_is_refused() {
        let config = RpcConfig::default();
        assert_eq!(page_limit(None, &config, false).unwrap(), 100);
        assert_eq!(page_limit(Some(u64::MAX), &config, false).unwrap(), 1_000);
        assert_eq!(page_limit(Some(u64::MAX), &config, true).unwrap(), 100);
        assert!(page_limit(Some(0), &config, false).is_err());
    }

    #[test]
    fn cursors_survive_the_trip_and_bad_or_foreign_ones_are_refused() {
        let (list, other) = (List::new("targets open"), List::new("targets filled"));
        let place = HexPlace(vec![0, 1, 0xab, 0xff]);
        let cursor = list.cursor(&place);
        let read = |list: &List, text: &str| list.place::<HexPlace>(Some(text));
        assert_eq!(read(&list, &cursor).unwrap(), Some(place));
        assert!(read(&other, &cursor).is_err());
        assert!(read(&list, &cursor[..cursor.len() - 2]).is_err());
        assert_eq!(list.place::<HexPlace>(None).unwrap(), None);
        for bad in ["", "a", "0001abff", ".00", "é"] {
            assert!(read(&list, bad).is_err(), "{bad}");
        }
        for bad in ["", "0", "0x12", "zz", "é", "+1", "00.00"] {
            assert!(read(&list, &list.cursor(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn unknown_includes_are_refused() {
        let allowed = ["transactions", "receipts"];
        let include = Include::parse(Some("receipts, transactions"), &allowed).unwrap();
        assert!(include.receipts && include.transactions && !include.embedding);
        assert!(Include::parse(Some("embedding"), &allowed).is_err());
    }
}
