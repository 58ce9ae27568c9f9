//! Orders that a seed gives: the same on all machines and for all versions of other crates.

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use sha3::{Digest, Sha3_256};

/// What is put into an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// The blocks of a pass.
    Blocks,
    /// The sequences of the buffer with this number in its pass.
    Buffer(u64),
}

/// Shuffles `items` for `pass`; every order is equally likely.
pub(super) fn shuffle<T>(items: &mut [T], seed: u64, pass: u64, of: Of) {
    let mut random = generator(seed, pass, of);
    for last in (1..items.len()).rev() {
        let other = below(&mut random, last as u64 + 1) as usize;
        items.swap(last, other);
    }
}

fn generator(seed: u64, pass: u64, of: Of) -> ChaCha20Rng {
    let (kind, number) = match of {
        Of::Blocks => (0, 0),
        Of::Buffer(number) => (1, number),
    };
    let mut hasher = Sha3_256::new();
    hasher.update(b"soma training data order");
    for part in [seed, pass, kind, number] {
        hasher.update(part.to_le_bytes());
    }
    ChaCha20Rng::from_seed(hasher.finalize().into())
}

/// A number below `limit`, each equally likely; `limit` is not 0.
fn below(random: &mut ChaCha20Rng, limit: u64) -> u64 {
    // Numbers from the last whole multiple of `limit` on would favour small remainders.
    let fair = u64::MAX - u64::MAX % limit;
    loop {
        let drawn = random.next_u64();
        if drawn < fair {
            return drawn % limit;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(seed: u64, pass: u64, of: Of) -> Vec<usize> {
        let mut items: Vec<usize> = (0..100).collect();
        shuffle(&mut items, seed, pass, of);
        items
    }

    #[test]
    fn an_order_holds_everything_once_and_is_its_own() {
        let orders = [
            order(1, 0, Of::Blocks),
            order(2, 0, Of::Blocks),
            order(1, 1, Of::Blocks),
            order(1, 0, Of::Buffer(0)),
            order(1, 0, Of::Buffer(1)),
        ];
        for (at, one) in orders.iter().enumerate() {
            let mut sorted = one.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..100).collect::<Vec<_>>());
            assert!(orders[..at].iter().all(|other| other != one));
        }
        assert_eq!(orders[0], order(1, 0, Of::Blocks));
    }

    #[test]
    fn an_order_is_the_same_for_ever() {
        let mut items: Vec<usize> = (0..8).collect();
        shuffle(&mut items, 42, 3, Of::Blocks);
        assert_eq!(items, FOR_EVER);
    }

    /// A change here makes positions of earlier runs point elsewhere.
    const FOR_EVER: [usize; 8] = [4, 0, 6, 7, 1, 2, 3, 5];
}
