//! What lets a client trust nobody.

use serde::{Deserialize, Serialize};
use soma_types::Epoch;

use crate::block::CertificateView;
use crate::proof::ProofView;

/// How the committee of an epoch handed over to the next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HandoverView {
    /// The epoch that ended.
    pub epoch: Epoch,
    /// Proof that its last block is final.
    pub certificate: CertificateView,
    /// Proof of the next committee in that block's state.
    pub committee: ProofView,
}
