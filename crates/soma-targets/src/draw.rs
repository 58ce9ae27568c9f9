//! Drawing of a uniform direction.

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use soma_crypto::{Domain, Hasher};
use soma_types::{Digest, Embedding};

/// The direction of draw `index` after the block `parent`.
pub fn draw_direction(parent: &Digest, index: u64, dim: usize) -> Embedding {
    let seed = Hasher::new(Domain::TargetSeed)
        .chain(parent)
        .chain(index.to_le_bytes())
        .finish();
    let mut rng = ChaCha20Rng::from_seed(seed);
    let mut values = Vec::with_capacity(dim + 1);
    while values.len() < dim {
        let unit = |bits: u64| ((bits >> 11) as f64 + 0.5) * (1.0 / (1u64 << 53) as f64);
        let (u, v) = (unit(rng.next_u64()), unit(rng.next_u64()));
        let radius = libm::sqrt(-2.0 * libm::log(u));
        let (sin, cos) = libm::sincos(2.0 * std::f64::consts::PI * v);
        values.push(radius * cos);
        values.push(radius * sin);
    }
    values.truncate(dim);
    Embedding::from_f64(&values).unwrap_or_else(|_| unreachable!())
}
