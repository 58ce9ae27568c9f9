//! The order of candidates: by a seed, so that submitters with the same data differ.

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore as _, SeedableRng as _};

/// Shuffles by Fisher and Yates with ChaCha20.
pub(super) fn shuffle<T>(items: &mut [T], seed: u64) {
    let mut random = ChaCha20Rng::seed_from_u64(seed);
    for end in (1..items.len()).rev() {
        // Multiplying instead of dividing; the bias of 2^-64 times the length does not matter.
        let bound = end as u128 + 1;
        let place = (u128::from(random.next_u64()) * bound) >> 64;
        items.swap(end, place as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_and_the_order_is_fixed() {
        let mut items: Vec<u32> = (0..10).collect();
        shuffle(&mut items, 7);
        let mut again: Vec<u32> = (0..10).collect();
        shuffle(&mut again, 7);
        assert_eq!(items, again);
        assert_ne!(items, (0..10).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..10).collect::<Vec<_>>());
    }
}
