//! Which submissions are audited when not all are.

use soma_crypto::SecretKey;
use soma_types::TargetId;

/// All of 10,000.
const ALL: u64 = 10_000;

/// Chooses submissions by a secret: whoever submits cannot know whether a validator will look.
#[derive(Clone)]
pub(super) struct Sample {
    secret: [u8; 32],
    bps: u64,
}

impl Sample {
    pub(super) fn new(key: &SecretKey, bps: u16) -> Self {
        let mut seed = b"soma/audit-sample".to_vec();
        seed.extend_from_slice(&*key.to_bytes());
        Self {
            secret: soma_crypto::checksum(&seed).0,
            bps: u64::from(bps),
        }
    }

    /// True when the submission on `target` is audited. Always the same answer.
    pub(super) fn has(&self, target: &TargetId) -> bool {
        if self.bps >= ALL {
            return true;
        }
        let drawn = soma_crypto::checksum([self.secret, target.0].concat()).0;
        let [a, b, c, d, e, f, g, h, ..] = drawn;
        // 2^64 is so much more than 10,000 that the remainder favours none.
        u64::from_be_bytes([a, b, c, d, e, f, g, h]) % ALL < self.bps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(number: u64) -> TargetId {
        TargetId(soma_crypto::checksum(number.to_be_bytes()).0)
    }

    fn count(sample: &Sample) -> usize {
        (0..4_000).filter(|n| sample.has(&target(*n))).count()
    }

    #[test]
    fn about_as_many_are_audited_as_asked_for() {
        let key = SecretKey::generate();
        assert_eq!(count(&Sample::new(&key, 10_000)), 4_000);
        assert_eq!(count(&Sample::new(&key, 0)), 0);
        let half = count(&Sample::new(&key, 5_000));
        assert!((1_700..2_300).contains(&half), "{half}");
    }

    #[test]
    fn each_validator_has_a_choice_of_its_own_and_keeps_it() {
        let (a, b) = (SecretKey::generate(), SecretKey::generate());
        let chosen = |key: &SecretKey| -> Vec<bool> {
            let sample = Sample::new(key, 5_000);
            (0..200).map(|n| sample.has(&target(n))).collect()
        };
        assert_eq!(chosen(&a), chosen(&a));
        assert_ne!(chosen(&a), chosen(&b));
    }
}
