//! A place in an order of blocks.

use std::sync::Arc;

use soma_model::tokenizer::Sequence;

use super::DataError;
use super::block::BlockReader;
use super::corpus::Corpus;
use super::split::Side;

/// Reads the sequences of one side, block after block in a given order.
pub(super) struct Cursor {
    corpus: Arc<Corpus>,
    side: Side,
    /// Indices of blocks.
    order: Vec<usize>,
    /// Place in the order of the block that is opened next.
    next: usize,
    /// Sequences to pass over in it.
    skip: u64,
    open: Option<BlockReader>,
    /// Sequences passed and given.
    position: u64,
}

impl Cursor {
    /// Starts after `position` sequences; blocks before that are not read.
    pub(super) fn new(corpus: Arc<Corpus>, side: Side, order: Vec<usize>, position: u64) -> Self {
        let mut skip = position;
        let mut next = 0;
        while let Some(block) = order.get(next).and_then(|at| corpus.blocks.get(*at)) {
            let there = block.sequences(side);
            if skip < there {
                break;
            }
            skip -= there;
            next += 1;
        }
        Self {
            corpus,
            side,
            order,
            next,
            skip,
            open: None,
            position,
        }
    }

    /// Sequences passed and given.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// The next sequence; none at the end of the order. After an error the cursor is of no use.
    pub(super) fn next_sequence(&mut self) -> Result<Option<Sequence>, DataError> {
        loop {
            if let Some(open) = &mut self.open {
                if let Some(found) = open.next_sequence(&self.corpus)? {
                    self.position += 1;
                    return Ok(Some(found));
                }
                self.open = None;
            }
            let Some(block) = self.order.get(self.next) else {
                return Ok(None);
            };
            let block = self.corpus.blocks[*block];
            let skip = std::mem::take(&mut self.skip);
            self.next += 1;
            if block.sequences(self.side) > 0 {
                self.open = Some(BlockReader::open(&self.corpus, block, self.side, skip)?);
            }
        }
    }
}

/// The blocks that hold sequences of `side`, in their own order.
pub(super) fn blocks_of(corpus: &Corpus, side: Side) -> Vec<usize> {
    let all = corpus.blocks.iter().enumerate();
    all.filter(|(_, block)| block.sequences(side) > 0)
        .map(|(at, _)| at)
        .collect()
}
