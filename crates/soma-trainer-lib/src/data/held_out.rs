//! The documents that are not trained on.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use soma_model::tokenizer::Sequence;

use super::DataError;
use super::block::next_of_side;
use super::corpus::Corpus;
use super::cursor::{Cursor, blocks_of};
use super::index::{Block, Range};
use super::record::{Records, open};
use super::split::Side;

/// One pass over the sequences of the held-out documents, in their own order.
pub struct HeldOut {
    corpus: Arc<Corpus>,
    cursor: Cursor,
}

impl HeldOut {
    pub(super) fn new(corpus: Arc<Corpus>) -> Self {
        let cursor = cursor(&corpus, 0);
        Self { corpus, cursor }
    }

    /// The next sequence; none at the end.
    ///
    /// Errors: `Changed`, `File`, and those of the formats. The position stays.
    pub fn next_sequence(&mut self) -> Result<Option<Sequence>, DataError> {
        let before = self.position();
        let next = self.cursor.next_sequence();
        if next.is_err() {
            self.seek(before);
        }
        next
    }

    /// Sequences taken.
    pub fn position(&self) -> u64 {
        self.cursor.position()
    }

    /// Goes to where `position` sequences are taken, or to the end if there are fewer.
    pub fn seek(&mut self, position: u64) {
        let end = self.corpus.summary.held_out.sequences;
        self.cursor = cursor(&self.corpus, position.min(end));
    }
}

fn cursor(corpus: &Arc<Corpus>, position: u64) -> Cursor {
    let order = blocks_of(corpus, Side::HeldOut);
    Cursor::new(Arc::clone(corpus), Side::HeldOut, order, position)
}

/// A held-out document: its name, its size, and where its text is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldOutDocument {
    /// The path of its file inside the named folder; for a line or a row, then `#` and its number.
    /// What is no UTF-8 in the path is replaced.
    pub name: String,
    /// Bytes of its text.
    pub bytes: u64,
    text: Text,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Text {
    File(PathBuf),
    Record(Vec<u8>),
}

impl HeldOutDocument {
    /// The text.
    ///
    /// # Errors
    /// [`DataError::File`], [`DataError::Changed`].
    pub fn read(&self) -> Result<Vec<u8>, DataError> {
        self.read_first(u64::MAX)
    }

    /// The first `most` bytes of the text, or all of it where it has no more; of a longer one only
    /// these are in memory.
    ///
    /// # Errors
    /// As [`HeldOutDocument::read`].
    pub fn read_first(&self, most: u64) -> Result<Vec<u8>, DataError> {
        let source = match &self.text {
            Text::Record(text) => {
                let most = usize::try_from(most).unwrap_or(usize::MAX);
                return Ok(text[..most.min(text.len())].to_vec());
            }
            Text::File(source) => source,
        };
        let mut text = Vec::new();
        let read = File::open(source).and_then(|file| {
            (&file).take(most).read_to_end(&mut text)?;
            file.metadata()
        });
        let size = read.map_err(DataError::file(source))?.len();
        match size == self.bytes {
            true => Ok(text),
            false => Err(DataError::Changed {
                path: source.clone(),
                reason: format!("it has {size} bytes, and had {}", self.bytes),
            }),
        }
    }

    /// Writes the text to a new file at `path`.
    ///
    /// Errors: `File`, `Changed`.
    fn write(&self, path: &Path) -> Result<(), DataError> {
        let mut output = File::create_new(path).map_err(DataError::file(path))?;
        let source = match &self.text {
            Text::Record(text) => {
                let written = std::io::copy(&mut text.as_slice(), &mut output);
                return written.map(drop).map_err(DataError::file(path));
            }
            Text::File(source) => source,
        };
        let mut input = File::open(source).map_err(DataError::file(source))?;
        let copied = std::io::copy(&mut input, &mut output).map_err(DataError::file(path))?;
        match copied == self.bytes {
            true => Ok(()),
            false => Err(DataError::Changed {
                path: source.clone(),
                reason: format!("it has {copied} bytes, and had {}", self.bytes),
            }),
        }
    }
}

/// The held-out documents in their own order; one text of a record is in memory at a time.
pub struct HeldOutDocuments {
    corpus: Arc<Corpus>,
    order: std::vec::IntoIter<usize>,
    /// The block of records that is being read.
    open: Option<(Block, Box<dyn Records>)>,
}

impl HeldOutDocuments {
    pub(super) fn new(corpus: Arc<Corpus>) -> Self {
        let order = blocks_of(&corpus, Side::HeldOut).into_iter();
        Self {
            corpus,
            order,
            open: None,
        }
    }

    fn advance(&mut self) -> Result<Option<HeldOutDocument>, DataError> {
        loop {
            if let Some((block, records)) = &mut self.open {
                let found = next_of_side(&mut **records, &self.corpus, *block, Side::HeldOut)?;
                if let Some((row, text)) = found {
                    let name = &self.corpus.files[block.file].name;
                    return Ok(Some(HeldOutDocument {
                        name: format!("{}#{row}", display(name)),
                        bytes: text.len() as u64,
                        text: Text::Record(text),
                    }));
                }
                self.open = None;
            }
            let Some(at) = self.order.next() else {
                return Ok(None);
            };
            let block = self.corpus.blocks[at];
            let file = &self.corpus.files[block.file];
            match block.range {
                Range::Records(part) => {
                    let records = open(&file.path, part, &self.corpus.config.field)?;
                    self.open = Some((block, records));
                }
                Range::Bytes { start: 0, .. } => {
                    return Ok(Some(HeldOutDocument {
                        name: display(&file.name),
                        bytes: file.size,
                        text: Text::File(file.path.clone()),
                    }));
                }
                // A further block of a document that was given.
                Range::Bytes { .. } => {}
            }
        }
    }
}

impl Iterator for HeldOutDocuments {
    type Item = Result<HeldOutDocument, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.advance();
        if next.is_err() {
            // Ends after an error.
            self.open = None;
            self.order = Vec::new().into_iter();
        }
        next.transpose()
    }
}

/// Writes the first `most` held-out documents into `folder`, which is made if it is not there; the
/// files written.
pub(super) fn write(
    corpus: &Arc<Corpus>,
    folder: &Path,
    most: usize,
) -> Result<Vec<PathBuf>, DataError> {
    std::fs::create_dir_all(folder).map_err(DataError::file(folder))?;
    let mut entries = std::fs::read_dir(folder).map_err(DataError::file(folder))?;
    if entries.next().is_some() {
        let path = folder.to_owned();
        return Err(DataError::FolderNotEmpty { path });
    }
    let documents = HeldOutDocuments::new(Arc::clone(corpus)).take(most);
    let write = |(at, document): (usize, Result<HeldOutDocument, DataError>)| {
        let document = document?;
        let path = folder.join(format!("{at:06}-{}", file_name(&document.name)));
        document.write(&path)?;
        Ok(path)
    };
    documents.enumerate().map(write).collect()
}

/// The name for people: a file whose name another has too has its number in brackets.
fn display(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(name);
    match text.split_once('\0') {
        Some((name, number)) => format!("{name} ({number})"),
        None => text.into_owned(),
    }
}

/// The end of `name` with only letters, digits, `.`, `-` and `_`: allowed and short everywhere.
fn file_name(name: &str) -> String {
    const LONGEST: usize = 100;
    let plain = |c: char| match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '-' | '_' => c,
        _ => '_',
    };
    let plain: String = name.chars().map(plain).collect();
    plain[plain.len().saturating_sub(LONGEST)..].to_owned()
}
