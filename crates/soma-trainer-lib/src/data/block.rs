//! The sequences of one block, read as they are needed.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read, Seek, SeekFrom};

use soma_model::tokenizer::Sequence;

use super::corpus::Corpus;
use super::index::{Block, Range};
use super::record::{Records, next_document, open};
use super::split::Side;
use super::window::{WINDOW, count, sequence};
use super::{DataError, LeftOut};

/// Reads the sequences of one side of a block, in order.
pub(super) struct BlockReader {
    block: Block,
    side: Side,
    /// Sequences that are still to come.
    left: u64,
    input: Input,
}

enum Input {
    Bytes(PlainInput),
    Records(RecordInput),
}

impl BlockReader {
    /// Opens `block` after the first `skip` sequences of `side`.
    ///
    /// Errors: `Changed`, `File`, and those of the format.
    pub(super) fn open(
        corpus: &Corpus,
        block: Block,
        side: Side,
        skip: u64,
    ) -> Result<Self, DataError> {
        let source = &corpus.files[block.file];
        let size = std::fs::metadata(&source.path).map_err(DataError::file(&source.path))?;
        if size.len() != source.size {
            let reason = format!("it has {} bytes, and had {}", size.len(), source.size);
            return Err(corpus.changed(block, reason));
        }
        let input = match block.range {
            Range::Bytes { start, end } => {
                let at = start + skip * WINDOW;
                let file = File::open(&source.path).and_then(|mut file| {
                    file.seek(SeekFrom::Start(at))?;
                    Ok(file)
                });
                let file = BufReader::new(file.map_err(DataError::file(&source.path))?);
                Input::Bytes(PlainInput { file, at, end })
            }
            Range::Records(part) => Input::Records(RecordInput {
                records: open(&source.path, part, &corpus.config.field)?,
                document: Vec::new(),
                at: 0,
                skip,
            }),
        };
        let left = block.sequences(side).saturating_sub(skip);
        Ok(Self {
            block,
            side,
            left,
            input,
        })
    }

    /// The next sequence; none at the end of the block.
    ///
    /// Errors: `Changed`, and those of the format.
    pub(super) fn next_sequence(&mut self, corpus: &Corpus) -> Result<Option<Sequence>, DataError> {
        if self.left == 0 {
            return Ok(None);
        }
        let found = match &mut self.input {
            Input::Bytes(plain) => plain.next_sequence(corpus, self.block)?,
            Input::Records(records) => records.next_sequence(corpus, self.block, self.side)?,
        };
        let Some(found) = found else {
            let reason = format!("{} sequences of a block are no longer there", self.left);
            return Err(corpus.changed(self.block, reason));
        };
        self.left -= 1;
        Ok(Some(found))
    }
}

/// A range of a plain file; holds the reader's buffer.
struct PlainInput {
    file: BufReader<File>,
    at: u64,
    end: u64,
}

impl PlainInput {
    fn next_sequence(
        &mut self,
        corpus: &Corpus,
        block: Block,
    ) -> Result<Option<Sequence>, DataError> {
        let size = WINDOW.min(self.end - self.at);
        let mut window = vec![0; size as usize];
        self.file.read_exact(&mut window).map_err(|error| {
            if error.kind() == ErrorKind::UnexpectedEof {
                return corpus.changed(block, "its end is missing".to_owned());
            }
            DataError::file(&corpus.files[block.file].path)(error)
        })?;
        let found = sequence(&window, self.at);
        self.at += size;
        Ok(found)
    }
}

/// Records; holds one document.
struct RecordInput {
    records: Box<dyn Records>,
    document: Vec<u8>,
    /// Where in the document the next window starts.
    at: usize,
    /// Sequences to pass over before the next.
    skip: u64,
}

impl RecordInput {
    fn next_sequence(
        &mut self,
        corpus: &Corpus,
        block: Block,
        side: Side,
    ) -> Result<Option<Sequence>, DataError> {
        while self.at >= self.document.len() {
            let records = &mut *self.records;
            let Some((_, document)) = next_of_side(records, corpus, block, side)? else {
                return Ok(None);
            };
            // Whole documents are passed over without cutting them.
            let passed = self.skip.min(count(document.len() as u64));
            self.skip -= passed;
            self.at = (passed * WINDOW) as usize;
            self.document = document;
        }
        let rest = &self.document[self.at..];
        let window = &rest[..rest.len().min(WINDOW as usize)];
        let found = sequence(window, self.at as u64);
        self.at += window.len();
        Ok(found)
    }
}

/// The next document of `side`, as its row and bytes.
pub(super) fn next_of_side(
    records: &mut dyn Records,
    corpus: &Corpus,
    block: Block,
    side: Side,
) -> Result<Option<(u64, Vec<u8>)>, DataError> {
    let name = &corpus.files[block.file].name;
    // What is left out was counted when the documents were listed.
    let mut left = LeftOut::default();
    while let Some((row, bytes)) = next_document(records, &corpus.config, &mut left)? {
        if corpus.split.side(corpus.split.hash(name, Some(row))) == side {
            return Ok(Some((row, bytes)));
        }
    }
    Ok(None)
}
