//! Values of the SOMA network.
#![forbid(unsafe_code)]

pub mod bounded;
pub mod embedding;
pub mod id;
pub mod money;

pub use embedding::{Distance, Embedding, EmbeddingError, Loss};
pub use id::{
    Address, ChainId, Checksum, Commitment, Digest, ModelId, PoolId, PublicKey, Salt, Signature,
    StakeId, TargetId, WeightsKey,
};
pub use money::{Bps, Ppm, Shannons};
