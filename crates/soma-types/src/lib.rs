//! Values of the SOMA network: ids, money, embeddings, models, targets, transactions, blocks,
//! parameters and errors.
//!
//! # Place
//! The bottom layer: depends on no other crate of the workspace, does no I/O, reads no clock,
//! spawns nothing. Floats appear only in the conversions at the edge in [`embedding`].
//!
//! # The life of a value
//! ```text
//! text or floats ──checked constructor──▶ value ──codec::encode──▶ bytes ──▶ hash, signature, store
//!                                           ▲                        │
//!                                           └──── codec::decode ◀────┘   (hostile bytes: an error)
//! ```
//!
//! # Reading order
//! 1. [`money`], [`id`], [`time`], [`embedding`]: the small values.
//! 2. [`transaction`], [`error`], [`receipt`], [`block`]: what goes in and what comes out;
//!    [`consensus`]: what validators sign.
//! 3. [`account`], [`model`], [`target`], [`validator`], [`system`]: what the state holds.
//! 4. [`parameters`], [`genesis`]: what a chain starts from.
//! 5. [`bounded`], [`codec`]: how hostile bytes are kept harmless.
#![forbid(unsafe_code)]

pub mod account;
pub mod block;
pub mod bounded;
pub mod codec;
pub mod consensus;
pub mod embedding;
pub mod error;
pub mod event;
pub mod genesis;
pub mod id;
pub mod manifest;
pub mod model;
pub mod money;
pub mod parameters;
pub mod raw_embedding;
pub mod receipt;
pub mod system;
pub mod target;
pub mod time;
pub mod transaction;
pub mod validator;

pub use account::{
    Account, PoolOwner, PoolRate, PoolStatus, StakePosition, StakeState, StakingPool,
};
pub use block::{Block, Header, Proposal};
pub use consensus::{Certificate, CommitSignature, Evidence};
pub use embedding::{Distance, Embedding, EmbeddingError, Loss};
pub use error::ExecutionError;
pub use event::{EarningKind, Event, SlashReason};
pub use genesis::{Genesis, GenesisAccount, GenesisModel, GenesisValidator};
pub use id::{
    Address, ChainId, Checksum, Commitment, Digest, ModelId, PoolId, PublicKey, Salt, Signature,
    StakeId, TargetId, WeightsKey,
};
pub use manifest::{DataManifest, Url, WeightsManifest};
pub use model::{Model, ModelCommit, ModelStatus, PendingReveal, WeightsRecord};
pub use money::{Bps, MAX_SUPPLY, Ppm, Shannons};
pub use parameters::{ParameterOverrides, ParameterTable, Parameters};
pub use raw_embedding::RawEmbedding;
pub use receipt::{BalanceChange, ExecutionStatus, Fee, ObjectRef, Receipt};
pub use system::{
    DifficultyState, EpochSummary, Supply, SupplyCertificate, SystemState, TargetState,
};
pub use target::{
    Challenge, DataRecord, Fill, ModelFault, Payout, PinnedWeights, SubmissionFault, Target,
    TargetStatus,
};
pub use time::{Epoch, Height, TimestampMs};
pub use transaction::{Payment, SignedTransaction, Submission, Transaction, TransactionKind};
pub use validator::{
    Committee, CommitteeMember, MetadataUpdate, Misbehavior, MisbehaviorKind, Validator,
    ValidatorCandidate, ValidatorMetadata, ValidatorStatus,
};
