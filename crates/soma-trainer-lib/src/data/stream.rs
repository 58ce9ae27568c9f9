//! Endless, shuffled passes over the training documents.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha3::{Digest, Sha3_256};
use soma_model::tokenizer::Sequence;

use super::corpus::Corpus;
use super::cursor::{Cursor, blocks_of};
use super::order::{Of, shuffle};
use super::split::Side;
use super::{DataError, Fingerprint};

/// Sequences that are shuffled with each other when nothing else is asked for: about 8 MiB.
pub const SHUFFLE_SEQUENCES: usize = 4_096;

/// How the training documents are shuffled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamConfig {
    /// Gives all orders.
    pub seed: u64,
    /// Sequences that are held in memory and shuffled with each other; 0 and 1 only shuffle blocks.
    pub shuffle_sequences: usize,
}

impl StreamConfig {
    /// A buffer of [`SHUFFLE_SEQUENCES`], and orders from `seed`.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            shuffle_sequences: SHUFFLE_SEQUENCES,
        }
    }
}

/// Endless passes over the training documents; each gives every sequence once.
///
/// The order depends on the documents' names and sizes and on the configuration alone. Within a
/// pass, the blocks come in a random order; their sequences fill a buffer, which is shuffled and
/// given before it is filled again. So the sequences at a position are known without those before:
/// [`seek`](Self::seek) costs one buffer and, in a compressed file or a row group, the part before.
///
/// In memory are the buffer, one open block (at most one document of 64 MiB), and 8 bytes for each
/// block.
pub struct Stream {
    corpus: Arc<Corpus>,
    config: StreamConfig,
    position: u64,
    /// The sequences that come next, the first of them last.
    buffer: Vec<Sequence>,
    /// The pass that the cursor is in, and the cursor.
    cursor: Option<(u64, Cursor)>,
}

impl Stream {
    pub(super) fn new(corpus: Arc<Corpus>, config: StreamConfig) -> Self {
        Self {
            corpus,
            config,
            position: 0,
            buffer: Vec::new(),
            cursor: None,
        }
    }

    /// The next sequence. There always is one; the `Option` is for sources that end.
    ///
    /// Errors: `Changed`, `File`, and those of the formats. The position stays, so that it can be
    /// tried again.
    pub fn next_sequence(&mut self) -> Result<Option<Sequence>, DataError> {
        if self.buffer.is_empty() {
            self.fill()?;
        }
        let next = self.buffer.pop();
        self.position += u64::from(next.is_some());
        Ok(next)
    }

    /// Sequences taken, over all passes.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Goes to where `position` sequences are taken, forward or back. Nothing is read before the
    /// next sequence is.
    pub fn seek(&mut self, position: u64) {
        let ahead = position.checked_sub(self.position);
        match ahead.and_then(|ahead| usize::try_from(ahead).ok()) {
            Some(ahead) if ahead <= self.buffer.len() => {
                self.buffer.truncate(self.buffer.len() - ahead);
            }
            _ => self.buffer.clear(),
        }
        self.position = position;
    }

    /// Sequences of one pass.
    pub fn sequences_per_pass(&self) -> u64 {
        self.corpus.summary.training.sequences
    }

    /// Tells apart streams that give other sequences or another order: that of the documents, the
    /// seed and the size of the buffer.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut hasher = Sha3_256::new();
        hasher.update(b"soma training stream 1");
        hasher.update(Fingerprint::of(&self.corpus).as_bytes());
        hasher.update(self.config.seed.to_le_bytes());
        hasher.update(self.buffer_size().to_le_bytes());
        Fingerprint::new(hasher.finalize().into())
    }

    fn buffer_size(&self) -> u64 {
        self.config.shuffle_sequences.max(1) as u64
    }

    /// Reads the buffer that the position lies in, and drops what is before the position.
    fn fill(&mut self) -> Result<(), DataError> {
        // Taken out, the cursor is rebuilt after an error.
        let cursor = self.cursor.take();
        let per_pass = self.sequences_per_pass();
        let (pass, inside) = (self.position / per_pass, self.position % per_pass);
        let size = self.buffer_size();
        let number = inside / size;
        let start = number * size;
        let mut cursor = match cursor {
            Some((of, cursor)) if of == pass && cursor.position() == start => cursor,
            _ => self.cursor(pass, start),
        };
        let count = size.min(per_pass - start);
        let mut buffer = Vec::with_capacity(count as usize);
        while (buffer.len() as u64) < count {
            match cursor.next_sequence()? {
                Some(sequence) => buffer.push(sequence),
                // The blocks hold as many as they were counted to, or reading them fails.
                None => break,
            }
        }
        shuffle(&mut buffer, self.config.seed, pass, Of::Buffer(number));
        let taken = (inside - start) as usize;
        buffer.truncate(buffer.len().saturating_sub(taken));
        self.buffer = buffer;
        self.cursor = Some((pass, cursor));
        Ok(())
    }

    fn cursor(&self, pass: u64, start: u64) -> Cursor {
        let mut order = blocks_of(&self.corpus, Side::Training);
        shuffle(&mut order, self.config.seed, pass, Of::Blocks);
        Cursor::new(Arc::clone(&self.corpus), Side::Training, order, start)
    }
}

// Streams are read beside the training, by threads of their own.
const fn is_send<T: Send>() {}
const _: () = is_send::<Stream>();
const _: () = is_send::<super::HeldOut>();

#[cfg(test)]
mod tests {
    use std::fs::File;

    use crate::data::{DataConfig, Documents};

    use super::*;

    #[test]
    fn a_huge_file_takes_one_buffer_and_a_list_of_blocks() {
        let folder = tempfile::tempdir().expect("folder");
        // The file is all holes, and takes no room on the disk.
        let size: u64 = 64 << 30;
        let file = File::create(folder.path().join("huge")).expect("file");
        file.set_len(size).expect("holes");
        let documents = Documents::open(DataConfig::new([folder.path()])).expect("documents");
        let mut stream = documents.stream(StreamConfig::new(1));
        assert_eq!(stream.sequences_per_pass(), size / 1_024);
        assert_eq!(stream.corpus.blocks.len() as u64, size >> 20);
        for position in [0, 4_000_000, 50_000_000, 66_999_999] {
            stream.seek(position);
            let next = stream.next_sequence().expect("readable").expect("endless");
            assert!(next.tokens.capacity() <= 1_024);
            assert!(stream.buffer.len() < SHUFFLE_SEQUENCES);
            assert!(stream.buffer.capacity() <= SHUFFLE_SEQUENCES);
        }
    }

    #[test]
    fn seeking_inside_the_buffer_reads_nothing() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("a");
        std::fs::write(&path, [7; 20 * 1_024]).expect("file");
        let documents = Documents::open(DataConfig::new([&path])).expect("documents");
        let mut stream = documents.stream(StreamConfig::new(1));
        stream.next_sequence().expect("readable");
        std::fs::remove_file(path).expect("removed");
        stream.seek(19);
        assert!(stream.next_sequence().expect("in memory").is_some());
        assert_eq!(stream.next_sequence().expect_err("gone").name(), "File");
        assert_eq!(stream.position(), 20);
    }
}
