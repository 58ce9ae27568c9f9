//! Documents that share a file: lines of JSONL, rows of Parquet.

use std::path::Path;

use super::format::Packing;
use super::jsonl::Lines;
use super::parquet::Rows;
use super::{DataConfig, DataError, LeftOut};

/// Longest line of JSONL and longest value of Parquet that is read: each has to fit in memory.
pub const MAX_RECORD_BYTES: u64 = 64 << 20;

/// A line or a row.
#[derive(Debug)]
pub(super) struct Record {
    /// The line from 1, or the row from 0, in its file.
    pub(super) row: u64,
    pub(super) content: Content,
}

/// What a record holds.
#[derive(Debug)]
pub(super) enum Content {
    Document(Vec<u8>),
    Empty,
    TooLong,
    Bad(DataError),
}

/// A part of a file with records that can be read on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Whole lines from byte `start` to byte `end`, the first of them line `line`.
    Lines { start: u64, end: u64, line: u64 },
    /// A compressed file of lines, which can only be read from its start.
    Packed(Packing),
    /// A row group, whose first row is row `row` of the file.
    RowGroup { group: usize, row: u64 },
}

/// Records in order, one in memory at a time.
pub(super) trait Records: Send {
    /// The next record.
    ///
    /// Errors: those that end the reading; a record that is bad by itself is [`Content::Bad`].
    fn next_record(&mut self) -> Result<Option<Record>, DataError>;
}

/// The records in `part` of the file at `path`.
///
/// Errors: those of the format.
pub(super) fn open(path: &Path, part: Part, field: &str) -> Result<Box<dyn Records>, DataError> {
    Ok(match part {
        Part::Lines { start, end, line } => Box::new(Lines::range(path, start, end, line, field)?),
        Part::Packed(packing) => Box::new(Lines::all(path, packing, field)?),
        Part::RowGroup { group, row } => Box::new(Rows::open(path, group, row, field)?),
    })
}

/// The next record that holds a document, as its row and bytes; the others are counted in `left`.
///
/// Errors: those of the format, and bad records unless they are to be passed over.
pub(super) fn next_document(
    records: &mut dyn Records,
    config: &DataConfig,
    left: &mut LeftOut,
) -> Result<Option<(u64, Vec<u8>)>, DataError> {
    while let Some(Record { row, content }) = records.next_record()? {
        match content {
            Content::Document(bytes) if too_long(&bytes, config) => left.too_long += 1,
            Content::Document(bytes) if bytes.is_empty() => left.empty += 1,
            Content::Document(bytes) => return Ok(Some((row, bytes))),
            Content::Empty => left.empty += 1,
            Content::TooLong => left.too_long += 1,
            Content::Bad(error) => left.unreadable(error, config.on_unreadable)?,
        }
    }
    Ok(None)
}

fn too_long(bytes: &[u8], config: &DataConfig) -> bool {
    let limit = config.max_document_bytes.unwrap_or(MAX_RECORD_BYTES);
    bytes.len() as u64 > limit.min(MAX_RECORD_BYTES)
}
