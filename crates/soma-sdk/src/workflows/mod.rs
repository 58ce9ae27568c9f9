//! What people do with the network, in several steps: publish weights, submit data, claim rewards,
//! fetch what the chain names.
//!
//! Each step asks the chain how things are, so that a workflow that was broken off is simply
//! started again. Only publishing keeps something on disk: the key of sealed weights, without which
//! they are lost.

mod claim;
mod fetch;
pub mod publish;
mod submit;

pub use claim::{ClaimReport, ClaimWhich, FailedClaim};
pub use fetch::Downloads;
pub use submit::{Hit, Miss, Scored};
