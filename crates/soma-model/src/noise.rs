//! The noise of SIGReg: the same numbers for everybody.

use soma_crypto::{Domain, Hasher};
use soma_targets::Normals;

/// Normal numbers with mean 0 and deviation 1, as a matrix of `dim` rows and `slices` columns,
/// row after row, for batch number `batch` of an evaluation with `seed`.
///
/// The generator is ChaCha20, seeded with the SHA3-256 hash of the seed and the batch number (both
/// as eight bytes, the lowest first) under the domain `soma/sigreg-noise`; the numbers are those of
/// [`Normals`], rounded to 32 bits. Vectors that others can check themselves against lie in
/// `testdata/noise.json`; they were made by another implementation.
pub fn sigreg_noise(seed: u64, batch: u64, dim: usize, slices: usize) -> Vec<f32> {
    let seed = Hasher::new(Domain::SigRegNoise)
        .chain(seed.to_le_bytes())
        .chain(batch.to_le_bytes())
        .finish();
    Normals::new(seed)
        .map(|number| number as f32)
        .take(dim * slices)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_fixed_by_seed_and_batch() {
        let noise = sigreg_noise(0, 0, 4, 3);
        assert_eq!(noise.len(), 12);
        assert_eq!(noise, sigreg_noise(0, 0, 4, 3));
        assert_ne!(noise, sigreg_noise(1, 0, 4, 3));
        assert_ne!(noise, sigreg_noise(0, 1, 4, 3));
        // A smaller matrix is the beginning of a larger one.
        assert_eq!(noise[..6], sigreg_noise(0, 0, 2, 3));
    }

    #[derive(serde::Deserialize)]
    struct Vectors {
        vectors: Vec<Vector>,
    }

    #[derive(serde::Deserialize)]
    struct Vector {
        seed: String,
        batch: String,
        dim: usize,
        slices: usize,
        first: Vec<f32>,
        last: f32,
        sha3_256: String,
    }

    #[test]
    fn the_published_vectors_come_out_to_the_last_bit() {
        let text = include_str!("../testdata/noise.json");
        let Vectors { vectors } = serde_json::from_str(text).unwrap();
        assert!(vectors.len() >= 4);
        for vector in vectors {
            let (seed, batch) = (vector.seed.parse().unwrap(), vector.batch.parse().unwrap());
            let noise = sigreg_noise(seed, batch, vector.dim, vector.slices);
            assert_eq!(noise[..vector.first.len()], vector.first);
            assert_eq!(noise.last(), Some(&vector.last));
            let bytes: Vec<u8> = noise
                .iter()
                .flat_map(|number| number.to_le_bytes())
                .collect();
            let hash: String = soma_crypto::checksum(bytes)
                .0
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            assert_eq!(hash, vector.sha3_256, "seed {seed}, batch {batch}");
        }
    }

    #[test]
    fn the_first_numbers_are_those_that_are_written_down() {
        assert_eq!(
            sigreg_noise(7, 3, 1, 4),
            [1.8912438, 0.38208255, 0.11648357, 0.3628268]
        );
    }
}
