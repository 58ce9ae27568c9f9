//! Memory of requests. Bodies that arrive, and data and scores of every request that waits or is
//! worked on, count against one budget, from before there is something of them until nothing of it
//! is left.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

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
    /// Requests that have a part of it.
    requests: AtomicUsize,
}

/// The part of the budget that a request has; given back when dropped.
#[derive(Debug)]
pub(super) struct Taken {
    room: Arc<Room>,
    bytes: u64,
}

impl Taken {
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Makes it `bytes` in one go: nobody else can take what a request has, and itself needs next.
    /// It stays as it is where there is no room.
    ///
    /// # Errors
    /// [`ScoringError::RequestTooLarge`], [`ScoringError::Busy`].
    pub(super) fn resize(&mut self, bytes: u64) -> Result<(), ScoringError> {
        let (needed, max) = (bytes, self.room.max);
        if needed > max {
            return Err(ScoringError::RequestTooLarge { needed, max });
        }
        let resized = |taken: u64| {
            let others = taken.saturating_sub(self.bytes);
            others.checked_add(bytes).filter(|sum| *sum <= max)
        };
        let (get, set) = (Ordering::Relaxed, Ordering::Relaxed);
        let requests = self.room.requests.load(Ordering::Relaxed);
        match self.room.taken.fetch_update(get, set, resized) {
            Ok(_) => {
                self.bytes = bytes;
                Ok(())
            }
            Err(_) => Err(ScoringError::Busy {
                waiting: requests.saturating_sub(1),
                retry_after_s: 1,
            }),
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.room.taken.fetch_sub(self.bytes, Ordering::Relaxed);
        self.room.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Room {
    pub(super) fn new(max: u64) -> Arc<Self> {
        Arc::new(Self {
            max,
            taken: AtomicU64::new(0),
            requests: AtomicUsize::new(0),
        })
    }

    /// Bytes that are taken.
    pub(super) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Takes `bytes` for one more request.
    ///
    /// # Errors
    /// As of [`Taken::resize`].
    pub(super) fn take(self: &Arc<Self>, bytes: u64) -> Result<Taken, ScoringError> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let mut taken = Taken {
            room: Arc::clone(self),
            bytes: 0,
        };
        taken.resize(bytes)?;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_given_back() {
        let room = Room::new(100);
        let first = room.take(60).unwrap();
        let busy = room.take(41).unwrap_err();
        assert!(matches!(busy, ScoringError::Busy { waiting: 1, .. }));
        let second = room.take(40).unwrap();
        assert_eq!(room.taken(), 100);
        drop((first, second));
        assert_eq!(room.taken(), 0);
        let never = room.take(101).unwrap_err();
        let expected = (101, 100);
        assert!(
            matches!(never, ScoringError::RequestTooLarge { needed, max } if (needed, max) == expected)
        );
    }

    #[test]
    fn a_request_takes_more_or_less_without_giving_back_what_it_has() {
        let room = Room::new(100);
        let mut one = room.take(60).unwrap();
        let other = room.take(10).unwrap();
        one.resize(90).unwrap();
        let busy = one.resize(91).unwrap_err();
        assert!(matches!(busy, ScoringError::Busy { waiting: 1, .. }));
        let never = one.resize(101).unwrap_err();
        assert!(matches!(never, ScoringError::RequestTooLarge { .. }));
        assert_eq!((one.bytes(), room.taken()), (90, 100));
        one.resize(5).unwrap();
        assert_eq!(room.taken(), 15);
        drop((one, other));
        assert_eq!(room.taken(), 0);
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
