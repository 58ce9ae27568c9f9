//! Memory of requests. Data and scores of every request that waits or is worked on count against
//! one budget, from before its data is downloaded until nothing of it is left.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use soma_model::config::{BATCH_SIZE, MAX_SEQ_LEN};

use crate::error::ScoringError;

/// Bytes of a sequence: its tokens, and what holds them.
const SEQUENCE: u64 = 2 * MAX_SEQ_LEN as u64 + 128;
/// Bytes of a number of an embedding: as computed, as answered, and as text.
const NUMBER: u64 = 24;
/// Bytes of a sum over a batch, for each number of an embedding.
const SUM: u64 = 8;
/// Bytes of a score beside its embedding.
const SCORE: u64 = 1_024;

/// What a request is about.
#[derive(Clone, Debug)]
pub(super) struct Extent {
    /// Bytes of each piece of data.
    pub(super) pieces: Vec<u64>,
    pub(super) models: usize,
    /// Numbers of an embedding.
    pub(super) dim: usize,
}

impl Extent {
    /// Memory that the request needs, at most, in bytes.
    pub(super) fn bytes(&self) -> u64 {
        let (models, dim) = (self.models as u64, self.dim as u64);
        let of = |size: &u64| {
            let sequences = size.div_ceil(MAX_SEQ_LEN as u64);
            let batches = sequences.div_ceil(BATCH_SIZE as u64);
            let data = size.saturating_add(sequences.saturating_mul(SEQUENCE));
            let sums = batches.saturating_mul(dim * SUM);
            let scores = models * (dim * NUMBER + SCORE) + SEQUENCE;
            data.saturating_add(sums).saturating_add(scores)
        };
        self.pieces.iter().map(of).fold(0, u64::saturating_add)
    }
}

/// The budget.
#[derive(Debug)]
pub(super) struct Room {
    max: u64,
    taken: AtomicU64,
}

/// A part of the budget; given back when dropped.
#[derive(Debug)]
pub(super) struct Taken {
    room: Arc<Room>,
    bytes: u64,
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.room.taken.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Room {
    pub(super) fn new(max: u64) -> Arc<Self> {
        let taken = AtomicU64::new(0);
        Arc::new(Self { max, taken })
    }

    /// Bytes that are taken.
    pub(super) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Takes `bytes`; `waiting` requests are there already.
    pub(super) fn take(
        self: &Arc<Self>,
        bytes: u64,
        waiting: usize,
    ) -> Result<Taken, ScoringError> {
        let (needed, max) = (bytes, self.max);
        if needed > max {
            return Err(ScoringError::RequestTooLarge { needed, max });
        }
        let fits = |taken: u64| taken.checked_add(bytes).filter(|sum| *sum <= max);
        let (get, set) = (Ordering::Relaxed, Ordering::Relaxed);
        match self.taken.fetch_update(get, set, fits) {
            Ok(_) => Ok(Taken {
                room: Arc::clone(self),
                bytes,
            }),
            Err(_) => Err(ScoringError::Busy {
                waiting,
                retry_after_s: 1,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_given_back() {
        let room = Room::new(100);
        let first = room.take(60, 0).unwrap();
        let busy = room.take(41, 1).unwrap_err();
        assert!(matches!(busy, ScoringError::Busy { waiting: 1, .. }));
        let second = room.take(40, 1).unwrap();
        assert_eq!(room.taken(), 100);
        drop((first, second));
        assert_eq!(room.taken(), 0);
        let never = room.take(101, 0).unwrap_err();
        let expected = (101, 100);
        assert!(
            matches!(never, ScoringError::RequestTooLarge { needed, max } if (needed, max) == expected)
        );
    }

    #[test]
    fn a_request_needs_more_than_its_data_and_never_overflows() {
        let extent = |pieces: &[u64], models| Extent {
            pieces: pieces.to_vec(),
            models,
            dim: 2_048,
        };
        let one = extent(&[1 << 20], 1).bytes();
        assert!(one > 3 << 20, "bytes and tokens: {one}");
        assert_eq!(extent(&[1 << 20; 5], 1).bytes(), 5 * one);
        // Small data has large scores too.
        assert!(extent(&[1], 16).bytes() > 16 * 2_048 * 24);
        assert_eq!(extent(&[u64::MAX, u64::MAX], 16).bytes(), u64::MAX);
    }
}
