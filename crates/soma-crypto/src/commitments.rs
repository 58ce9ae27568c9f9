//! Commitments of a model: to its key, its embedding, and the checksum of its opened weights.
//!
//! An owner commits in one epoch and reveals in the next. Between the two everybody reads the
//! commit, so it must not help a copyist:
//!
//! - All three values are bound to the model's id: a commitment copied from another model opens to
//!   nothing for one's own.
//! - The plaintext checksum identifies the weights, and the first owner to register one holds it.
//!   Written openly, a copyist could put it into a commit of their own in the same epoch and claim
//!   to have been first. So it is masked: XOR with a hash of the key, which nobody else knows
//!   until the reveal. The key's commitment is fixed by then, so there is one checksum only that
//!   the mask can be taken off to.

use soma_types::{Checksum, Commitment, Embedding, ModelId, WeightsKey};

use crate::hash::{Domain, Hasher};

/// The commitment to the key of sealed weights, shown with the commit. Opened by the key itself.
pub fn key_commitment(model: &ModelId, key: &WeightsKey) -> Commitment {
    Commitment(
        Hasher::new(Domain::WeightsKey)
            .chain(model)
            .chain(key)
            .finish(),
    )
}

/// The commitment to a model's embedding: over its fixed-point components as little-endian bytes.
pub fn embedding_commitment(model: &ModelId, embedding: &Embedding) -> Commitment {
    let hasher = Hasher::new(Domain::Embedding).chain(model);
    Commitment(hasher.chain(embedding.to_le_bytes()).finish())
}

fn mask(model: &ModelId, key: &WeightsKey) -> [u8; 32] {
    Hasher::new(Domain::WeightsMask)
        .chain(model)
        .chain(key)
        .finish()
}

fn xor(a: [u8; 32], b: [u8; 32]) -> [u8; 32] {
    let mut out = a;
    for (byte, other) in out.iter_mut().zip(b) {
        *byte ^= other;
    }
    out
}

/// Masks the checksum of opened weights until their key is revealed.
///
/// ```
/// use soma_crypto::commitments::{mask_checksum, unmask_checksum};
/// use soma_types::{Checksum, ModelId, WeightsKey};
///
/// let (model, key, plaintext) = (ModelId([1; 32]), WeightsKey([2; 32]), Checksum([3; 32]));
/// let masked = mask_checksum(&model, &key, &plaintext);
/// assert_eq!(unmask_checksum(&model, &key, &masked), plaintext);
/// ```
pub fn mask_checksum(model: &ModelId, key: &WeightsKey, plaintext: &Checksum) -> Commitment {
    Commitment(xor(plaintext.0, mask(model, key)))
}

/// Undoes [`mask_checksum`], with the key that the reveal shows.
pub fn unmask_checksum(model: &ModelId, key: &WeightsKey, masked: &Commitment) -> Checksum {
    Checksum(xor(masked.0, mask(model, key)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODEL: ModelId = ModelId([1; 32]);
    const KEY: WeightsKey = WeightsKey([2; 32]);

    #[test]
    fn commitments_are_golden_values() {
        // SHA3-256 over length-prefixed tag and message, computed independently.
        let embedding = Embedding::from_fixed(vec![1 << 30, 0]).unwrap();
        let masked = mask_checksum(&MODEL, &KEY, &Checksum([3; 32]));
        assert_eq!(
            hex::encode(key_commitment(&MODEL, &KEY)),
            "68ccd3d182631befa945da3384fa92c016c4d5c66702a3fab09287393b267bef"
        );
        assert_eq!(
            hex::encode(embedding_commitment(&MODEL, &embedding)),
            "c3b791ab4d96f72f90a4d24e8a63f44a9e5a745a1eee68602f67831912e32cbe"
        );
        assert_eq!(
            hex::encode(masked),
            "9ba3bcc43f49afed6f573860e279020b6077175f7a330089d1bab9a67041b715"
        );
    }

    #[test]
    fn another_model_or_key_gives_other_values() {
        let (other_model, other_key) = (ModelId([9; 32]), WeightsKey([9; 32]));
        let plaintext = Checksum([3; 32]);
        let masked = mask_checksum(&MODEL, &KEY, &plaintext);
        assert_eq!(unmask_checksum(&MODEL, &KEY, &masked), plaintext);
        assert_ne!(unmask_checksum(&other_model, &KEY, &masked), plaintext);
        assert_ne!(unmask_checksum(&MODEL, &other_key, &masked), plaintext);
        assert_ne!(
            key_commitment(&MODEL, &KEY),
            key_commitment(&other_model, &KEY)
        );
        assert_ne!(
            key_commitment(&MODEL, &KEY),
            key_commitment(&MODEL, &other_key)
        );
        assert_ne!(key_commitment(&MODEL, &KEY).0, mask(&MODEL, &KEY));
    }
}
