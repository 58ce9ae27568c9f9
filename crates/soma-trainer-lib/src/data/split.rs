//! Which documents are held out.

use sha3::{Digest, Sha3_256};

use super::DataError;

/// The two sides that documents are split into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Training,
    HeldOut,
}

/// The split: each document stands for itself, so more documents move none of the others.
///
/// A document is held out when the hash of the seed and its name lies below the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Split {
    pub(super) seed: u64,
    /// Hashes below it are held out.
    pub(super) limit: u64,
}

impl Split {
    /// Errors: `BadFraction`.
    pub(super) fn new(seed: u64, fraction: f64) -> Result<Self, DataError> {
        if !(0.0..1.0).contains(&fraction) {
            return Err(DataError::BadFraction { fraction });
        }
        // 2^64 is exact as a float, and the product is below it as the fraction is below 1.
        let limit = (fraction * 18_446_744_073_709_551_616.0) as u64;
        Ok(Self { seed, limit })
    }

    /// The hash of the document at `row` of the file `name`, or of the file itself.
    pub(super) fn hash(&self, name: &[u8], row: Option<u64>) -> u64 {
        let mut hasher = Sha3_256::new();
        hasher.update(b"soma training data split");
        hasher.update(self.seed.to_le_bytes());
        // A row comes after a zero byte and a mark that no name ends with.
        hasher.update(name);
        if let Some(row) = row {
            hasher.update(b"\0row");
            hasher.update(row.to_le_bytes());
        }
        let [a, b, c, d, e, f, g, h, ..] = <[u8; 32]>::from(hasher.finalize());
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }

    /// The side of a document with `hash`.
    pub(super) fn side(&self, hash: u64) -> Side {
        match hash < self.limit {
            true => Side::HeldOut,
            false => Side::Training,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn about_the_fraction_of_the_documents_is_held_out() {
        let split = Split::new(7, 0.05).expect("fraction");
        let held = (0..20_000)
            .filter(|row| split.side(split.hash(b"a.jsonl", Some(*row))) == Side::HeldOut)
            .count();
        // Five standard deviations around 1,000.
        assert!((846..=1_154).contains(&held), "{held}");
    }

    #[test]
    fn seed_name_and_row_each_change_the_hash() {
        let split = Split::new(7, 0.05).expect("fraction");
        let other = Split::new(8, 0.05).expect("fraction");
        let hash = split.hash(b"a", None);
        assert_eq!(hash, split.hash(b"a", None));
        assert_ne!(hash, split.hash(b"b", None));
        assert_ne!(hash, split.hash(b"a", Some(0)));
        assert_ne!(hash, other.hash(b"a", None));
    }

    #[test]
    fn fractions_outside_zero_to_one_are_refused() {
        for fraction in [-0.1, 1.0, f64::NAN, f64::INFINITY] {
            let error = Split::new(0, fraction).expect_err("no fraction");
            assert_eq!(error.name(), "BadFraction");
        }
        assert_eq!(Split::new(0, 0.0).expect("none").limit, 0);
    }
}
