//! Documents as lines of JSON.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use super::DataError;
use super::format::Packing;
use super::json_field::{Field, field};
use super::record::{Content, MAX_RECORD_BYTES, Record, Records};

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The lines of a file, or of a range of it; holds one line at a time.
pub(super) struct Lines {
    path: PathBuf,
    field: String,
    input: Box<dyn BufRead + Send>,
    line: Vec<u8>,
    /// Number of the next line, from 1.
    number: u64,
    /// Where the next line starts, in bytes of the decompressed file.
    offset: u64,
    /// No line starts here or later.
    end: u64,
}

impl Lines {
    /// All lines of the file at `path`.
    ///
    /// Errors: `File`.
    pub(super) fn all(path: &Path, packing: Packing, field: &str) -> Result<Self, DataError> {
        let file = File::open(path).map_err(DataError::file(path))?;
        let input: Box<dyn BufRead + Send> = match packing {
            Packing::None => Box::new(BufReader::new(file)),
            Packing::Gzip => Box::new(BufReader::new(MultiGzDecoder::new(BufReader::new(file)))),
            Packing::Zstd => {
                let decoder = zstd::stream::read::Decoder::new(file);
                Box::new(BufReader::new(decoder.map_err(DataError::file(path))?))
            }
        };
        Ok(Self::new(path, field, input, 0, u64::MAX, 1))
    }

    /// The lines from byte `start` to byte `end`, the first of them line `line` of the file.
    ///
    /// Errors: `File`.
    pub(super) fn range(
        path: &Path,
        start: u64,
        end: u64,
        line: u64,
        field: &str,
    ) -> Result<Self, DataError> {
        let mut file = File::open(path).map_err(DataError::file(path))?;
        file.seek(SeekFrom::Start(start))
            .map_err(DataError::file(path))?;
        let input = Box::new(BufReader::new(file));
        Ok(Self::new(path, field, input, start, end, line))
    }

    fn new(
        path: &Path,
        field: &str,
        input: Box<dyn BufRead + Send>,
        offset: u64,
        end: u64,
        number: u64,
    ) -> Self {
        Self {
            path: path.to_owned(),
            field: field.to_owned(),
            input,
            line: Vec::new(),
            number,
            offset,
            end,
        }
    }

    /// Where the next line starts: its byte and its number.
    pub(super) fn at(&self) -> (u64, u64) {
        (self.offset, self.number)
    }

    /// Ends the range at byte `end`, with the line that it lies in.
    pub(super) fn stop_at(&mut self, end: u64) {
        self.end = end;
    }

    /// Reads a line into `self.line`; whether it is there as a whole, or none at the end.
    fn read_line(&mut self) -> Result<Option<bool>, DataError> {
        self.line.clear();
        // What a long line took is given back: memory follows the data that is read now.
        self.line.shrink_to(1 << 20);
        let failed = DataError::file(&self.path);
        let mut limited = self.input.by_ref().take(MAX_RECORD_BYTES + 1);
        let read = limited.read_until(b'\n', &mut self.line);
        let mut read = read.map_err(failed)? as u64;
        if read == 0 {
            return Ok(None);
        }
        let whole = self.line.ends_with(b"\n") || read <= MAX_RECORD_BYTES;
        if !whole {
            let rest = skip_line(&mut *self.input);
            read += rest.map_err(DataError::file(&self.path))?;
        }
        self.offset += read;
        self.number += 1;
        Ok(Some(whole))
    }

    /// The line without its end and, at the start of the file, the byte order mark.
    fn text(&self) -> &[u8] {
        let line = match self.number {
            2 => self
                .line
                .strip_prefix(BYTE_ORDER_MARK)
                .unwrap_or(&self.line),
            _ => &self.line,
        };
        line.trim_ascii()
    }

    fn content(&self, text: &[u8], line: u64) -> Content {
        let path = || self.path.clone();
        match field(text, &self.field) {
            Ok(Field::Text(text)) => Content::Document(text.into_bytes()),
            Ok(Field::Null) => Content::Empty,
            Ok(Field::Missing(names)) => Content::Bad(DataError::MissingField {
                path: path(),
                line,
                field: self.field.clone(),
                names,
            }),
            Err(reason) => Content::Bad(DataError::BadLine {
                path: path(),
                line,
                reason,
            }),
        }
    }
}

impl Records for Lines {
    /// The next line that is not blank.
    fn next_record(&mut self) -> Result<Option<Record>, DataError> {
        while self.offset < self.end {
            let row = self.number;
            let Some(whole) = self.read_line()? else {
                break;
            };
            let content = match self.text() {
                _ if !whole => Content::TooLong,
                b"" => continue,
                text => self.content(text, row),
            };
            return Ok(Some(Record { row, content }));
        }
        Ok(None)
    }
}

/// Passes over the rest of a line without keeping it; the bytes passed.
fn skip_line(input: &mut dyn BufRead) -> std::io::Result<u64> {
    let mut passed = 0;
    loop {
        let (step, ends) = {
            let there = input.fill_buf()?;
            match there.iter().position(|byte| *byte == b'\n') {
                Some(at) => (at + 1, true),
                None => (there.len(), there.is_empty()),
            }
        };
        input.consume(step);
        passed += step as u64;
        if ends {
            return Ok(passed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_line_of_any_length_takes_bounded_memory_and_gives_it_back() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("a.jsonl");
        let mut file = File::create(&path).expect("file");
        // The first line is a hole.
        let long = 4 * MAX_RECORD_BYTES;
        file.set_len(long).expect("hole");
        file.seek(SeekFrom::End(0)).expect("end");
        file.write_all(b"\n{\"text\": \"a\"}\n").expect("lines");
        let mut lines = Lines::all(&path, Packing::None, "text").expect("lines");
        let first = lines.next_record().expect("readable").expect("first");
        assert!(matches!(first.content, Content::TooLong));
        assert!(lines.line.capacity() as u64 <= 2 * MAX_RECORD_BYTES + 1);
        assert_eq!(lines.at(), (long + 1, 2));
        let second = lines.next_record().expect("readable").expect("second");
        assert!(matches!(second.content, Content::Document(text) if text == b"a"));
        assert!(lines.line.capacity() <= 1 << 20);
    }
}
