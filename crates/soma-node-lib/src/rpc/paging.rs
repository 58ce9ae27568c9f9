//! Pages: limits, cursors, includes.

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
    /// `next_cursor` of the page before.
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

/// A full page has a next one, which may turn out to be empty; a short one is the last.
pub(super) fn page<T>(items: Vec<T>, limit: usize, cursor: impl FnOnce(&T) -> String) -> Page<T> {
    let next_cursor = match items.last() {
        Some(last) if items.len() >= limit => Some(cursor(last)),
        _ => None,
    };
    Page { items, next_cursor }
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

/// Opaque bytes of a cursor as text.
pub(super) fn bytes_to_cursor(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Opaque bytes of a cursor.
pub(super) fn cursor_to_bytes(text: &str) -> Result<Vec<u8>, ApiError> {
    let refuse = || ApiError::invalid("bad `cursor`: send back `next_cursor` of the page before");
    if text.is_empty() || text.len() > 512 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(refuse());
    }
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return Err(refuse());
    }
    pairs
        .iter()
        .map(|pair| {
            std::str::from_utf8(pair)
                .ok()
                .and_then(|digits| u8::from_str_radix(digits, 16).ok())
                .ok_or_else(refuse)
        })
        .collect()
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
    fn cursors_survive_the_trip_and_bad_ones_are_refused() {
        let bytes = [0, 1, 0xab, 0xff];
        assert_eq!(cursor_to_bytes(&bytes_to_cursor(&bytes)).unwrap(), bytes);
        for bad in ["", "a", "0x12", "zz", "é", "+1"] {
            assert!(cursor_to_bytes(bad).is_err(), "{bad}");
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
