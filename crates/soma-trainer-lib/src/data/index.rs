//! What each file holds: its blocks, and how many sequences they give.

use std::fs::File;

use super::find::SourceFile;
use super::format::{Format, Packing};
use super::jsonl::Lines;
use super::parquet::row_groups;
use super::record::{Part, Records, next_document, open};
use super::split::{Side, Split};
use super::window::{WINDOW, count};
use super::{DataConfig, DataError, LeftOut, Tally};

/// Bytes of a block of a plain file, and at least of a block of lines: what is shuffled as one.
pub(super) const BLOCK_BYTES: u64 = 1 << 20;

/// A part of a file, the unit of random access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// Index of its file.
    pub(super) file: usize,
    pub(super) range: Range,
    /// Sequences of training documents in it.
    pub(super) training: u64,
    /// Sequences of held-out documents in it.
    pub(super) held_out: u64,
}

/// What of its file a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Range {
    /// Bytes of a plain file; `start` is where a window starts.
    Bytes {
        start: u64,
        end: u64,
    },
    Records(Part),
}

impl Block {
    /// Sequences of one side.
    pub(super) fn sequences(&self, side: Side) -> u64 {
        match side {
            Side::Training => self.training,
            Side::HeldOut => self.held_out,
        }
    }
}

/// A document that the split may have to move: the first or last in order of hashes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge {
    pub(super) hash: u64,
    pub(super) size: Tally,
    /// Index of its file.
    pub(super) file: usize,
    /// Its block among those of its file; none when it fills them all.
    pub(super) block: Option<usize>,
}

/// What one file holds, or several together.
#[derive(Debug, Default)]
pub(super) struct Index {
    pub(super) blocks: Vec<Block>,
    pub(super) training: Tally,
    pub(super) held_out: Tally,
    pub(super) left: LeftOut,
    pub(super) least: Option<Edge>,
    pub(super) greatest: Option<Edge>,
}

impl Index {
    /// Reads through a file; plain files are only opened.
    ///
    /// Errors: those of the format; with `OnUnreadable::Skip` the file is counted instead.
    pub(super) fn of(
        file: usize,
        source: &SourceFile,
        split: &Split,
        config: &DataConfig,
    ) -> Result<Self, DataError> {
        let mut indexing = Indexing {
            file,
            source,
            split,
            config,
            index: Self::default(),
        };
        match indexing.run() {
            Ok(()) => Ok(indexing.index),
            Err(error) => {
                let mut index = Self::default();
                index.left.unreadable(error, config.on_unreadable)?;
                Ok(index)
            }
        }
    }

    /// Adds what the next file holds.
    pub(super) fn append(&mut self, other: Self) {
        self.blocks.extend(other.blocks);
        self.training.add(other.training);
        self.held_out.add(other.held_out);
        self.left.add(other.left);
        for edge in [other.least, other.greatest].into_iter().flatten() {
            self.meet(edge);
        }
    }

    fn meet(&mut self, edge: Edge) {
        if self.least.is_none_or(|least| edge.hash < least.hash) {
            self.least = Some(edge);
        }
        if self
            .greatest
            .is_none_or(|greatest| edge.hash > greatest.hash)
        {
            self.greatest = Some(edge);
        }
    }
}

struct Indexing<'a> {
    file: usize,
    source: &'a SourceFile,
    split: &'a Split,
    config: &'a DataConfig,
    index: Index,
}

impl Indexing<'_> {
    fn run(&mut self) -> Result<(), DataError> {
        match self.source.format {
            Format::Plain => self.plain(),
            Format::Jsonl(Packing::None) => self.lines(),
            Format::Jsonl(packing) => self.records(Part::Packed(packing)),
            Format::Parquet => {
                let mut row = 0;
                let groups = row_groups(&self.source.path, &self.config.field)?;
                for (group, rows) in groups.into_iter().enumerate() {
                    self.records(Part::RowGroup { group, row })?;
                    row += rows;
                }
                Ok(())
            }
        }
    }

    fn plain(&mut self) -> Result<(), DataError> {
        let SourceFile {
            path, name, size, ..
        } = self.source;
        File::open(path).map_err(DataError::file(path))?;
        if *size == 0 {
            self.index.left.empty += 1;
            return Ok(());
        }
        if self
            .config
            .max_document_bytes
            .is_some_and(|max| *size > max)
        {
            self.index.left.too_long += 1;
            return Ok(());
        }
        let side = self.document(self.split.hash(name, None), *size, None);
        let mut start = 0;
        while start < *size {
            let end = size.min(&(start + BLOCK_BYTES)).to_owned();
            self.block(Range::Bytes { start, end });
            self.sequences(side, count(end - start));
            start = end;
        }
        Ok(())
    }

    /// Cuts uncompressed lines into blocks that start at lines.
    fn lines(&mut self) -> Result<(), DataError> {
        let path = &self.source.path;
        let mut lines = Lines::all(path, Packing::None, &self.config.field)?;
        loop {
            let (start, line) = lines.at();
            let limit = start.saturating_add(BLOCK_BYTES);
            lines.stop_at(limit);
            let end = limit;
            self.block(Range::Records(Part::Lines { start, end, line }));
            self.documents(&mut lines)?;
            let (end, _) = lines.at();
            if let Some(block) = self.index.blocks.last_mut() {
                block.range = Range::Records(Part::Lines { start, end, line });
            }
            if end < limit {
                return Ok(());
            }
        }
    }

    fn records(&mut self, part: Part) -> Result<(), DataError> {
        self.block(Range::Records(part));
        let mut records = open(&self.source.path, part, &self.config.field)?;
        self.documents(&mut *records)
    }

    /// Counts the documents of the last block.
    fn documents(&mut self, records: &mut dyn Records) -> Result<(), DataError> {
        let block = self.index.blocks.len().saturating_sub(1);
        while let Some((row, bytes)) = next_document(records, self.config, &mut self.index.left)? {
            let hash = self.split.hash(&self.source.name, Some(row));
            let bytes = bytes.len() as u64;
            let side = self.document(hash, bytes, Some(block));
            self.sequences(side, count(bytes));
        }
        Ok(())
    }

    /// Counts a document; its side.
    fn document(&mut self, hash: u64, bytes: u64, block: Option<usize>) -> Side {
        let size = Tally::document(bytes);
        let file = self.file;
        self.index.meet(Edge {
            hash,
            size,
            file,
            block,
        });
        let side = self.split.side(hash);
        match side {
            Side::Training => self.index.training.add(size),
            Side::HeldOut => self.index.held_out.add(size),
        }
        side
    }

    fn block(&mut self, range: Range) {
        self.index.blocks.push(Block {
            file: self.file,
            range,
            training: 0,
            held_out: 0,
        });
    }

    /// Counts sequences of the last block.
    fn sequences(&mut self, side: Side, count: u64) {
        if let Some(block) = self.index.blocks.last_mut() {
            match side {
                Side::Training => block.training += count,
                Side::HeldOut => block.held_out += count,
            }
        }
    }
}

// Blocks of plain files start where windows start.
const _: () = assert!(BLOCK_BYTES.is_multiple_of(WINDOW));
