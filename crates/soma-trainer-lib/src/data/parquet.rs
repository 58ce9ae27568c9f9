//! Documents as rows of a Parquet column.

use std::collections::VecDeque;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::{FileReader, SerializedFileReader};

use super::DataError;
use super::record::{Content, MAX_RECORD_BYTES, Record, Records};

/// Rows that are decoded at once; beside them, a reader holds one page and the dictionary.
const ROWS_AT_ONCE: usize = 64;

/// The rows of one row group; pages are read as they are needed.
pub(super) struct Rows {
    path: PathBuf,
    group: usize,
    column: ColumnReaderImpl<ByteArrayType>,
    /// The definition level of a value; lower ones stand for null. 0 when none can be null.
    value_level: i16,
    /// The row in the file that is next.
    next: u64,
    /// The row in the file after the last of the group.
    end: u64,
    decoded: VecDeque<Option<ByteArray>>,
}

impl Rows {
    /// Row group `group` of the file at `path`, whose first row is row `row` of the file.
    ///
    /// Errors: `File`, `MissingColumn`, `NotText`, `Parquet`.
    pub(super) fn open(path: &Path, group: usize, row: u64, name: &str) -> Result<Self, DataError> {
        let file = open(path)?;
        let metadata = file.metadata();
        let index = column_index(path, metadata, name)?;
        let schema = metadata.file_metadata().schema_descr();
        let end = row + rows(path, metadata, group)?;
        let reader = guarded(path, || file.get_row_group(group)?.get_column_reader(index))?;
        let ColumnReader::ByteArrayColumnReader(column) = reader else {
            return Err(not_text(path, name, "no strings"));
        };
        Ok(Self {
            path: path.to_owned(),
            group,
            column,
            value_level: schema.column(index).max_def_level(),
            next: row,
            end,
            decoded: VecDeque::new(),
        })
    }

    fn decode(&mut self) -> Result<(), DataError> {
        let left = usize::try_from(self.end - self.next).unwrap_or(usize::MAX);
        let (mut levels, mut values) = (Vec::new(), Vec::new());
        let most = ROWS_AT_ONCE.min(left);
        let column = &mut self.column;
        let (records, ..) = guarded(&self.path, || {
            column.read_records(most, Some(&mut levels), None, &mut values)
        })?;
        let mut values = values.into_iter();
        let is_value = |at| self.value_level == 0 || levels.get(at) == Some(&self.value_level);
        let rows = (0..records).map(|at| is_value(at).then(|| values.next()).flatten());
        self.decoded.extend(rows);
        Ok(())
    }
}

impl Records for Rows {
    fn next_record(&mut self) -> Result<Option<Record>, DataError> {
        if self.next == self.end {
            return Ok(None);
        }
        if self.decoded.is_empty() {
            self.decode()?;
        }
        let row = self.next;
        let Some(value) = self.decoded.pop_front() else {
            let reason = format!("row {row} of row group {} is missing", self.group);
            let path = self.path.clone();
            return Err(DataError::Parquet { path, reason });
        };
        self.next += 1;
        let content = match value {
            None => Content::Empty,
            Some(value) if value.len() as u64 > MAX_RECORD_BYTES => Content::TooLong,
            Some(value) => Content::Document(value.data().to_vec()),
        };
        Ok(Some(Record { row, content }))
    }
}

/// The number of rows in each row group of the file at `path`.
///
/// Errors: `File`, `Parquet`, `MissingColumn`, `NotText`.
pub(super) fn row_groups(path: &Path, name: &str) -> Result<Vec<u64>, DataError> {
    let file = open(path)?;
    let metadata = file.metadata();
    column_index(path, metadata, name)?;
    (0..metadata.num_row_groups())
        .map(|group| rows(path, metadata, group))
        .collect()
}

fn open(path: &Path) -> Result<SerializedFileReader<File>, DataError> {
    let file = File::open(path).map_err(DataError::file(path))?;
    guarded(path, || SerializedFileReader::new(file))
}

fn rows(path: &Path, metadata: &ParquetMetaData, group: usize) -> Result<u64, DataError> {
    let count = metadata.row_groups().get(group).map(|rows| rows.num_rows());
    count
        .and_then(|rows| u64::try_from(rows).ok())
        .ok_or_else(|| DataError::Parquet {
            path: path.to_owned(),
            reason: format!("row group {group} is missing, or tells no number of rows"),
        })
}

/// The leaf column `name`, which must hold one string or binary value in each row.
fn column_index(path: &Path, metadata: &ParquetMetaData, name: &str) -> Result<usize, DataError> {
    let columns = metadata.file_metadata().schema_descr().columns();
    let found = columns
        .iter()
        .enumerate()
        .find(|(_, column)| column.path().string() == name);
    let Some((index, column)) = found else {
        return Err(DataError::MissingColumn {
            path: path.to_owned(),
            column: name.to_owned(),
            names: columns
                .iter()
                .map(|column| column.path().string())
                .collect(),
        });
    };
    if column.max_rep_level() > 0 {
        return Err(not_text(path, name, "lists"));
    }
    match column.physical_type() {
        parquet::basic::Type::BYTE_ARRAY => Ok(index),
        other => Err(not_text(path, name, &format!("values of type {other}"))),
    }
}

fn not_text(path: &Path, column: &str, kind: &str) -> DataError {
    DataError::NotText {
        path: path.to_owned(),
        column: column.to_owned(),
        kind: kind.to_owned(),
    }
}

/// Runs a step of the decoder, which panics at some kinds of damage; nothing that it worked on is
/// used after an error.
fn guarded<T>(path: &Path, step: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, DataError> {
    let reason = match catch_unwind(AssertUnwindSafe(step)) {
        Ok(Ok(done)) => return Ok(done),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "its parts contradict each other".to_owned(),
    };
    let path = path.to_owned();
    Err(DataError::Parquet { path, reason })
}
