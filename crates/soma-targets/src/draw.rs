//! Drawing of a uniform direction.
//!
//! A vector of independent normal numbers has a uniform direction. The numbers come from ChaCha20
//! by Box–Muller: for uniform u, v in (0, 1),
//!
//! ```text
//! √(−2 ln u) · cos(2πv)   and   √(−2 ln u) · sin(2πv)
//! ```
//!
//! are independent and normal (Box, Muller 1958). Logarithm, root, sine and cosine are those of
//! `libm`, computed in software, one after the other, so every machine gets the same bits.

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use soma_crypto::{Domain, Hasher};
use soma_types::embedding::MAX_EMBEDDING_DIM;
use soma_types::{Digest, Embedding};

/// Normal numbers with mean 0 and deviation 1, from a 32-byte seed. Endless.
///
/// ```
/// let first: Vec<f64> = soma_targets::Normals::new([0; 32]).take(3).collect();
/// let again: Vec<f64> = soma_targets::Normals::new([0; 32]).take(3).collect();
/// assert_eq!(first, again);
/// ```
pub struct Normals {
    rng: ChaCha20Rng,
    second: Option<f64>,
}

impl Normals {
    /// The numbers that follow from `seed`.
    pub fn new(seed: [u8; 32]) -> Self {
        Self {
            rng: ChaCha20Rng::from_seed(seed),
            second: None,
        }
    }

    fn uniform(&mut self) -> f64 {
        ((self.rng.next_u64() >> 11) as f64 + 0.5) * (1.0 / (1u64 << 53) as f64)
    }
}

impl Iterator for Normals {
    type Item = f64;

    fn next(&mut self) -> Option<f64> {
        if let Some(second) = self.second.take() {
            return Some(second);
        }
        let (u, v) = (self.uniform(), self.uniform());
        let radius = libm::sqrt(-2.0 * libm::log(u));
        let (sin, cos) = libm::sincos(2.0 * std::f64::consts::PI * v);
        self.second = Some(radius * sin);
        Some(radius * cos)
    }
}

/// The direction of draw number `index` after the block `parent`, with `dim` components: at least
/// one, at most [`MAX_EMBEDDING_DIM`](soma_types::embedding::MAX_EMBEDDING_DIM) (others count as
/// the nearest of these).
pub fn draw_direction(parent: &Digest, index: u64, dim: usize) -> Embedding {
    let seed = Hasher::new(Domain::TargetSeed)
        .chain(parent)
        .chain(index.to_le_bytes())
        .finish();
    let dim = dim.clamp(1, MAX_EMBEDDING_DIM);
    let mut normals = Normals::new(seed);
    // All zeros, the one vector without direction, is followed by the next numbers.
    loop {
        let values: Vec<f64> = normals.by_ref().take(dim).collect();
        if let Ok(direction) = Embedding::from_f64(&values) {
            return direction;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    const HEADER: &str = "# parent byte (32 times), draw number, dimension | first components in 2^-30 | SHA3-256 of all, little-endian, Base58\n";

    fn vectors() -> String {
        let mut text = HEADER.to_owned();
        for (byte, index, dim) in [
            (0u8, 0, 1),
            (0, 0, 16),
            (0, 1, 16),
            (7, 0, 33),
            (7, 99, 2_048),
            (255, u64::MAX, 2_048),
        ] {
            let direction = draw_direction(&Digest([byte; 32]), index, dim);
            let first = direction.as_fixed().iter().take(4);
            let first: Vec<String> = first.map(ToString::to_string).collect();
            let sum = soma_crypto::hash::checksum(direction.to_le_bytes());
            let first = first.join(" ");
            writeln!(text, "{byte} {index} {dim} | {first} | {sum}").unwrap();
        }
        text
    }

    /// `UPDATE_VECTORS=1` writes the file anew; a change of it is a change of the protocol.
    #[test]
    fn directions_are_the_published_vectors() {
        // Tests run in the folder of their package.
        let path = "testdata/directions-v1.txt";
        if std::env::var_os("UPDATE_VECTORS").is_some() {
            std::fs::create_dir_all("testdata").unwrap();
            std::fs::write(path, vectors()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap(), vectors());
    }

    #[test]
    fn directions_favour_no_axis() {
        let (draws, dim) = (2_000u64, 16usize);
        let mut sums = vec![0i64; dim];
        for index in 0..draws {
            let direction = draw_direction(&Digest([4; 32]), index, dim);
            for (sum, component) in sums.iter_mut().zip(direction.as_fixed()) {
                *sum += i64::from(*component);
            }
        }
        // A component spreads by 1/√dim, so its mean over the draws by 1/√(dim · draws).
        let allowed = 5.0 * (1u64 << 30) as f64 / ((dim as u64 * draws) as f64).sqrt();
        for sum in sums {
            assert!((sum as f64 / draws as f64).abs() < allowed);
        }
    }

    #[test]
    fn normals_have_the_moments_of_the_normal_distribution() {
        let values: Vec<f64> = Normals::new([9; 32]).take(200_000).collect();
        let moment = |power| values.iter().map(|v| v.powi(power)).sum::<f64>() / 200_000.0;
        assert!(moment(1).abs() < 0.01);
        assert!((moment(2) - 1.0).abs() < 0.01);
        assert!(moment(3).abs() < 0.03);
        assert!((moment(4) - 3.0).abs() < 0.08);
    }
}
