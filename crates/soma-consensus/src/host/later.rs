//! Blocks of later heights, complete but not judged.

use std::collections::BTreeSet;

use soma_types::{Digest, Height};

use super::desk::MAX_PER_ROUND;
use super::incoming::height_of;
use crate::parts::Complete;

/// Blocks that are kept.
const MAX_BLOCKS: usize = 16;

/// The blocks, by height and round. When all is full the highest give way: those of the next height
/// are needed first, and all of them fit that may come of it.
pub(super) struct Later {
    max_bytes: usize,
    blocks: Vec<Complete>,
}

impl Later {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self {
            max_bytes,
            blocks: Vec::new(),
        }
    }

    /// Keeps a block that its proposer signed and its bytes are. Signatures and evidence in it are not
    /// checked, and anybody may have published it. So a publisher has one try for a round, and copies
    /// do not count as blocks of the round: a bad one leaves room for a good one.
    pub(super) fn keep(&mut self, complete: Complete) {
        let turn = turn_of(&complete);
        let others = self.blocks.iter().filter(|one| turn_of(one) == turn);
        let is_known = |one: &Complete| {
            let is_same = one.head == complete.head && one.payload == complete.payload;
            is_same || one.publisher == complete.publisher
        };
        let mut blocks: BTreeSet<Digest> = others.clone().map(block_of).collect();
        blocks.insert(block_of(&complete));
        if others.clone().any(is_known) || blocks.len() > MAX_PER_ROUND {
            return;
        }
        self.blocks.push(complete);
        self.blocks.sort_by_key(turn_of);
        while self.blocks.len() > MAX_BLOCKS || self.bytes() > self.max_bytes {
            self.blocks.pop();
        }
    }

    /// The blocks of `height`, which has come; those before it are forgotten.
    pub(super) fn take(&mut self, height: Height) -> Vec<Complete> {
        let (come, later) = std::mem::take(&mut self.blocks)
            .into_iter()
            .filter(|complete| height_of(&complete.head) >= height)
            .partition(|complete| height_of(&complete.head) == height);
        self.blocks = later;
        come
    }

    fn bytes(&self) -> usize {
        self.blocks.iter().map(|one| one.payload.len()).sum()
    }
}

fn turn_of(complete: &Complete) -> (Height, u32) {
    let proposal = &complete.head.proposal.proposal;
    (proposal.height, proposal.round)
}

fn block_of(complete: &Complete) -> Digest {
    complete.head.proposal.proposal.block
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use malachite::app::types::PeerId;
    use soma_tests::world;
    use soma_types::Address;
    use soma_types::consensus::{RoundProposal, SignedRoundProposal};

    use super::*;
    use crate::context::StreamHead;
    use crate::identity::somebody;

    fn complete(publisher: PeerId, (height, round): (Height, u32), fill: u8) -> Complete {
        let proposal = RoundProposal {
            height,
            round,
            block: Digest([fill; 32]),
            valid_round: None,
            proposer: Address([1; 32]),
        };
        let proposal = SignedRoundProposal {
            proposal,
            signature: world::key(1).sign_digest(&[1; 32]),
        };
        Complete {
            publisher,
            head: StreamHead {
                proposal,
                bytes: 10,
            },
            payload: Bytes::from(vec![fill; 10]),
        }
    }

    #[test]
    fn blocks_of_far_heights_give_way_to_those_that_are_needed_first() {
        for max_bytes in [1_000, 10 * MAX_BLOCKS] {
            let mut later = Later::new(max_bytes);
            let (hostile, honest) = (somebody(), somebody());
            for round in 0..100 {
                later.keep(complete(hostile, (18, round), 9));
            }
            assert_eq!(later.blocks.len(), MAX_BLOCKS);
            for height in [12, 11] {
                later.keep(complete(honest, (height, 0), 1));
            }
            assert_eq!(later.blocks.len(), MAX_BLOCKS);
            assert_eq!(later.take(11), [complete(honest, (11, 0), 1)]);
            assert_eq!(later.take(12), [complete(honest, (12, 0), 1)]);
            assert_eq!(later.take(18).len(), MAX_BLOCKS - 2);
        }
    }

    #[test]
    fn a_publisher_has_one_try_and_a_round_few_blocks() {
        let mut later = Later::new(1_000);
        let (hostile, honest) = (somebody(), somebody());
        let good = complete(honest, (11, 0), 1);
        let bad = |publisher, fill| Complete {
            publisher,
            payload: Bytes::from(vec![fill; 10]),
            ..good.clone()
        };
        let copies = [bad(hostile, 7), bad(somebody(), 8), bad(somebody(), 9)];
        for copy in &copies {
            later.keep(copy.clone());
        }
        later.keep(complete(hostile, (11, 0), 2));
        later.keep(good.clone());
        later.keep(complete(somebody(), (11, 0), 1));
        let second = complete(somebody(), (11, 0), 2);
        later.keep(second.clone());
        later.keep(complete(somebody(), (11, 0), 3));
        let [first, another, third] = copies;
        assert_eq!(later.take(11), [first, another, third, good, second]);
        assert!(later.blocks.is_empty());
    }

    #[test]
    fn blocks_of_heights_that_are_over_are_forgotten() {
        let mut later = Later::new(1_000);
        later.keep(complete(somebody(), (11, 0), 1));
        assert!(later.take(12).is_empty());
        assert!(later.blocks.is_empty());
    }
}
