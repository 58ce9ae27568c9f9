//! Verification that remembers decompressed keys.

use quick_cache::sync::Cache;
use soma_types::{PublicKey, Signature};

use crate::keys::{SignatureError, decompress, verify_with};

/// Checks signatures like [`verify_digest`](crate::verify_digest) and remembers the points of
/// recently used keys, which saves about a tenth of each verification for senders seen before.
///
/// Bounded and safe to share between threads. The cache never changes an answer: a key that is
/// no point is not remembered, and a signature is checked each time.
///
/// ```
/// use soma_crypto::{SecretKey, Verifier};
///
/// let key = SecretKey::generate();
/// let digest = soma_crypto::hash(soma_crypto::Domain::Transaction, b"message");
/// let verifier = Verifier::new(10_000);
/// let signature = key.sign_digest(&digest);
/// assert_eq!(verifier.verify(&key.public_key(), &digest, &signature), Ok(()));
/// ```
#[derive(Debug)]
pub struct Verifier {
    points: Cache<PublicKey, secp256k1::PublicKey>,
}

impl Verifier {
    /// Remembers about `capacity` keys, at less than 300 bytes each.
    pub fn new(capacity: usize) -> Self {
        Self {
            points: Cache::new(capacity),
        }
    }

    /// Checks a signature over a digest.
    ///
    /// # Errors
    /// [`SignatureError`].
    pub fn verify(
        &self,
        key: &PublicKey,
        digest: &[u8; 32],
        signature: &Signature,
    ) -> Result<(), SignatureError> {
        if let Some(point) = self.points.get(key) {
            return verify_with(&point, digest, signature);
        }
        let point = decompress(key)?;
        let verdict = verify_with(&point, digest, signature);
        // Only a key with a good signature earns a place: made-up keys cost nothing to send and
        // would push out the senders that are worth remembering.
        if verdict.is_ok() {
            self.points.insert(*key, point);
        }
        verdict
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{SecretKey, verify_digest};

    #[test]
    fn the_cache_answers_as_the_plain_check_does() {
        let verifier = Verifier::new(2);
        let keys: Vec<_> = (0..5).map(|_| SecretKey::generate()).collect();
        let digest = [1; 32];
        for _ in 0..3 {
            for (index, key) in keys.iter().enumerate() {
                let public = key.public_key();
                let good = key.sign_digest(&digest);
                let foreign = keys[(index + 1) % 5].sign_digest(&digest);
                for signature in [good, foreign, Signature([0; 64])] {
                    let plain = verify_digest(&public, &digest, &signature);
                    assert_eq!(verifier.verify(&public, &digest, &signature), plain);
                }
            }
        }
        let no_point = PublicKey([0; 33]);
        let signature = keys[0].sign_digest(&digest);
        let refused = Err(SignatureError::BadPublicKey);
        assert_eq!(verifier.verify(&no_point, &digest, &signature), refused);
    }

    #[test]
    fn a_key_without_a_good_signature_takes_no_room() {
        let verifier = Verifier::new(8);
        let key = SecretKey::generate().public_key();
        let foreign = SecretKey::generate().sign_digest(&[1; 32]);
        assert!(verifier.verify(&key, &[1; 32], &foreign).is_err());
        assert!(verifier.points.is_empty());
    }

    #[test]
    fn threads_share_one_verifier() {
        let verifier = Verifier::new(4);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let key = SecretKey::generate();
                    let signature = key.sign_digest(&[2; 32]);
                    for _ in 0..3 {
                        let verdict = verifier.verify(&key.public_key(), &[2; 32], &signature);
                        assert_eq!(verdict, Ok(()));
                    }
                });
            }
        });
    }
}
