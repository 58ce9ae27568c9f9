//! From bytes to sequences of tokens: the data contract.
//!
//! Data is cut into windows of [`MAX_SEQ_LEN`] bytes that do not overlap. The last window ends with
//! EOS when there is room for it, and is filled up with PAD. Positions are byte offsets in the
//! whole data; EOS and PAD places all carry the offset after the last byte.

use crate::config::{BATCH_SIZE, MAX_SEQ_LEN};

/// Fills the places after the end.
pub const PAD: u16 = 256;
/// Follows the last byte.
pub const EOS: u16 = 257;

/// One window of data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequence {
    /// [`MAX_SEQ_LEN`] tokens: byte values, EOS, PAD.
    pub tokens: Vec<u16>,
    /// Byte offset of the window in the data.
    pub start: u64,
    /// Bytes in the window: 1 to [`MAX_SEQ_LEN`].
    pub bytes: usize,
}

impl Sequence {
    /// The position of every place: byte offsets, the same from the end of the data on.
    pub fn positions(&self) -> impl ExactSizeIterator<Item = u64> + '_ {
        (0..MAX_SEQ_LEN).map(|place| self.start + place.min(self.bytes) as u64)
    }

    /// What each place should predict: the next token; PAD where nothing is to be predicted.
    pub fn targets(&self) -> impl ExactSizeIterator<Item = u16> + '_ {
        let tokens = &self.tokens;
        (0..MAX_SEQ_LEN).map(|place| tokens.get(place + 1).copied().unwrap_or(PAD))
    }

    /// Places that have something to predict.
    pub fn predicted(&self) -> usize {
        self.targets().filter(|target| *target != PAD).count()
    }
}

/// The sequences of `data`, in order; none for empty data.
///
/// ```
/// use soma_model::tokenizer::{EOS, sequences};
///
/// let first = sequences(b"ab").next().expect("one window");
/// assert_eq!(first.tokens[..3], [97, 98, EOS]);
/// assert_eq!(first.positions().take(4).collect::<Vec<_>>(), [0, 1, 2, 2]);
/// ```
pub fn sequences(data: &[u8]) -> impl ExactSizeIterator<Item = Sequence> + '_ {
    data.chunks(MAX_SEQ_LEN).enumerate().map(|(index, window)| {
        let mut tokens: Vec<u16> = window.iter().map(|byte| u16::from(*byte)).collect();
        if tokens.len() < MAX_SEQ_LEN {
            tokens.push(EOS);
            tokens.resize(MAX_SEQ_LEN, PAD);
        }
        Sequence {
            tokens,
            start: (index * MAX_SEQ_LEN) as u64,
            bytes: window.len(),
        }
    })
}

/// The batches of `data`: groups of [`BATCH_SIZE`] sequences in order, the last may be smaller.
pub fn batches(data: &[u8]) -> impl ExactSizeIterator<Item = Vec<Sequence>> + '_ {
    data.chunks(MAX_SEQ_LEN * BATCH_SIZE)
        .enumerate()
        .map(|(index, part)| {
            let start = (index * MAX_SEQ_LEN * BATCH_SIZE) as u64;
            sequences(part)
                .map(|sequence| Sequence {
                    start: start + sequence.start,
                    ..sequence
                })
                .collect()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(size: usize) -> Vec<Sequence> {
        let data: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
        batches(&data).flatten().collect()
    }

    #[test]
    fn nothing_has_no_sequence() {
        assert_eq!(batches(&[]).len(), 0);
    }

    #[test]
    fn one_byte_predicts_the_end() {
        let [one] = &all(1)[..] else {
            panic!("one sequence")
        };
        assert_eq!(one.tokens[..2], [0, EOS]);
        assert!(one.tokens[2..].iter().all(|token| *token == PAD));
        assert_eq!(one.predicted(), 1);
        let positions: Vec<u64> = one.positions().collect();
        assert_eq!((positions[0], positions[1], positions[1_023]), (0, 1, 1));
    }

    #[test]
    fn a_window_less_one_ends_with_eos_and_a_full_one_without() {
        let [short] = &all(1_023)[..] else {
            panic!("one sequence")
        };
        assert_eq!((short.tokens[1_023], short.predicted()), (EOS, 1_023));
        let [full] = &all(1_024)[..] else {
            panic!("one sequence")
        };
        assert!(full.tokens.iter().all(|token| *token < 256));
        assert_eq!(full.predicted(), 1_023);
        assert_eq!(full.targets().last(), Some(PAD));
    }

    #[test]
    fn positions_go_on_from_window_to_window_and_from_batch_to_batch() {
        let sequences = all(17_508);
        assert_eq!(sequences.len(), 18);
        let last = &sequences[17];
        assert_eq!((last.start, last.bytes), (17_408, 100));
        assert_eq!(last.tokens[100], EOS);
        assert_eq!(last.positions().last(), Some(17_508));
        let sizes: Vec<usize> = batches(&[7; 17_508]).map(|batch| batch.len()).collect();
        assert_eq!(sizes, [16, 2]);
    }
}
