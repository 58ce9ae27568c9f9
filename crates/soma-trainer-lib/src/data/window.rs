//! One window of a document that is read in parts.

use soma_model::config::MAX_SEQ_LEN;
use soma_model::tokenizer::{Sequence, sequences};

/// Bytes of a window that is not the last.
pub(super) const WINDOW: u64 = MAX_SEQ_LEN as u64;

/// Sequences of a document of `bytes` bytes.
pub(super) fn count(bytes: u64) -> u64 {
    bytes.div_ceil(WINDOW)
}

/// The sequence of `window`, which lies `start` bytes into its document; none for no bytes.
///
/// `window` is [`WINDOW`] bytes long unless the document ends in it, and `start` is a multiple of
/// [`WINDOW`]: then this is what the tokenizer gives for the whole document.
pub(super) fn sequence(window: &[u8], start: u64) -> Option<Sequence> {
    let first = sequences(window).next()?;
    Some(Sequence { start, ..first })
}
