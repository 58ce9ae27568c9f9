//! Proofs that a value is, or is not, part of the state of a block.

use serde::{Deserialize, Serialize};
use soma_types::Digest;

use crate::block::HeaderView;
use crate::bytes::Base64;

/// A value of the state with the proof that the header's state root holds it.
///
/// A client checks the proof against `header.state_root`, and the header against its digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProofView {
    /// Digest of the header.
    pub digest: Digest,
    /// The header that the proof leads to.
    pub header: HeaderView,
    /// The key in the state.
    pub key: Base64,
    /// Canonical encoding (BCS) of the value; absent when the state has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Base64>,
    /// The Merkle proof.
    pub proof: Base64,
}
