//! One pass over all candidates, a batch at a time.

use std::collections::BTreeSet;

use soma_types::{Epoch, TargetId};

use crate::candidates::{Candidates, Piece};
use crate::scan::{Board, ModelVersion};

/// One pass over all candidates.
#[derive(Debug)]
pub(super) struct Pass {
    candidates: Candidates,
    next: usize,
    /// The epoch, models and targets when it began, and what was forgotten before.
    epoch: Epoch,
    models: BTreeSet<ModelVersion>,
    targets: BTreeSet<TargetId>,
    forgotten: u64,
    /// True when some models could not be loaded.
    pub(super) is_partial: bool,
}

impl Pass {
    pub(super) fn new(candidates: Candidates, board: &Board, forgotten: u64) -> Self {
        Self {
            candidates,
            next: 0,
            epoch: board.epoch,
            models: board.all_versions(),
            targets: board.targets.keys().copied().collect(),
            forgotten,
            is_partial: false,
        }
    }

    pub(super) fn len(&self) -> u64 {
        self.candidates.pieces.len() as u64
    }

    pub(super) fn is_over(&self) -> bool {
        self.next >= self.candidates.pieces.len()
    }

    /// The next candidates: at most `count` of them and `bytes` together, but at least one.
    pub(super) fn next_batch(&mut self, count: usize, bytes: u64) -> Vec<Piece> {
        let mut sum = 0_u64;
        let rest = self.candidates.pieces.get(self.next..).unwrap_or_default();
        let batch: Vec<Piece> = rest
            .iter()
            .take(count)
            .enumerate()
            .take_while(|(place, piece)| {
                sum = sum.saturating_add(piece.size);
                *place == 0 || sum <= bytes
            })
            .map(|(_, piece)| piece.clone())
            .collect();
        self.next += batch.len();
        batch
    }

    /// True when another pass could find what this one did not.
    pub(super) fn is_outdated(&self, board: &Board, forgotten: u64) -> bool {
        let has_new_models = !board.all_versions().is_subset(&self.models);
        let has_new_targets = board.targets.keys().any(|id| !self.targets.contains(id));
        let was_forgotten = forgotten > self.forgotten;
        board.epoch != self.epoch || has_new_models || (has_new_targets && was_forgotten)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pass(sizes: &[u64]) -> Pass {
        let pieces = sizes.iter().map(|size| Piece {
            path: "a".into(),
            relative: "a".into(),
            offset: 0,
            size: *size,
            is_whole: true,
        });
        let candidates = Candidates {
            pieces: pieces.collect(),
            too_large: 0,
        };
        Pass::new(candidates, &Board::default(), 0)
    }

    #[test]
    fn batches_keep_to_count_and_bytes_and_always_go_on() {
        let mut pass = pass(&[5, 5, 50, 1, 1, 1]);
        let mut sizes = Vec::new();
        while !pass.is_over() {
            let batch = pass.next_batch(2, 10);
            sizes.push(batch.iter().map(|piece| piece.size).collect::<Vec<_>>());
        }
        assert_eq!(sizes, [vec![5, 5], vec![50], vec![1, 1], vec![1]]);
        assert!(pass.next_batch(2, 10).is_empty());
    }

    #[test]
    fn a_new_epoch_outdates_a_pass() {
        let pass = pass(&[1]);
        let mut board = Board::default();
        assert!(!pass.is_outdated(&board, 7));
        board.epoch = Epoch(1);
        assert!(pass.is_outdated(&board, 0));
    }
}
