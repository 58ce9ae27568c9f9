//! Faucet and admin: services beside the node's own API, on ports of their own.

use serde::{Deserialize, Serialize};
use soma_types::{Address, Digest, Epoch, Shannons};

/// Asks the faucet for money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct FaucetRequest {
    /// Who gets it.
    pub address: Address,
}

/// What the faucet sent. The money is on the account when this arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FaucetResponse {
    /// Who got it.
    pub address: Address,
    /// How much, in shannons.
    pub amount: Shannons,
    /// The transaction.
    pub transaction: Digest,
    /// The block that contains it.
    pub height: u64,
}

/// Answer of the admin's `advance-epoch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AdvanceEpochResponse {
    /// The epoch that began.
    pub epoch: Epoch,
    /// The block that ended the one before.
    pub height: u64,
    /// Targets that are open in it when the answer was sent.
    pub targets_drawn: u64,
}
