//! Commitments of a model: to its key, its embedding, and the checksum of its opened weights.
//!
//! All are bound to the model's id, so that nobody can commit to another model's values. The
//! plaintext checksum is masked with a hash of the key: it can be read once the key is revealed,
//! and until then nobody can register it first.

use soma_types::{Checksum, Commitment, Embedding, ModelId, WeightsKey};

use crate::hash::{Domain, Hasher};

/// The commitment to the key of sealed weights.
pub fn key_commitment(model: &ModelId, key: &WeightsKey) -> Commitment {
    Commitment(
        Hasher::new(Domain::WeightsKey)
            .chain(model)
            .chain(key)
            .finish(),
    )
}

/// The commitment to a model's embedding.
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
pub fn mask_checksum(model: &ModelId, key: &WeightsKey, plaintext: &Checksum) -> Commitment {
    Commitment(xor(plaintext.0, mask(model, key)))
}

/// Undoes [`mask_checksum`].
pub fn unmask_checksum(model: &ModelId, key: &WeightsKey, masked: &Commitment) -> Checksum {
    Checksum(xor(masked.0, mask(model, key)))
}
