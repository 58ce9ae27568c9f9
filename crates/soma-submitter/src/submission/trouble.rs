//! What an error means for a submission.

use soma_sdk::SdkError;

use crate::error::SubmitterError;
use crate::journal::{LostReason, State};

/// What an error means for a submission.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Trouble {
    /// It may pass.
    Passing,
    /// The chain does not have the commitment (any more): seal again.
    Unsealed,
    /// The reward cannot be claimed now.
    Early,
    /// The submission came to nothing.
    Lost(LostReason),
    /// The whole program cannot go on.
    Fatal,
}

pub(super) fn trouble_of(error: &SubmitterError, state: &State) -> Trouble {
    let has_bond_out = state.opened().is_some();
    match error {
        SubmitterError::Sdk(SdkError::TransactionFailed { name, message, .. }) => {
            match (name.as_str(), has_bond_out) {
                // Money may still come: from claims, or from outside.
                ("InsufficientBond" | "InsufficientGas" | "InsufficientCoinBalance", _) => {
                    Trouble::Passing
                }
                // A look at the target will say what became of it.
                (_, true) => Trouble::Early,
                (name, false) => failed(name, message),
            }
        }
        SubmitterError::Sdk(error) if error.api_code().is_some_and(is_nonce) => Trouble::Passing,
        SubmitterError::Source { .. } => Trouble::Lost(LostReason::SourceChanged),
        error if error.is_retryable() => Trouble::Passing,
        // Of this file only.
        SubmitterError::NotServed { .. } | SubmitterError::Sdk(SdkError::InvalidArgument(_))
            if !has_bond_out =>
        {
            Trouble::Lost(LostReason::Refused {
                code: error.name().to_owned(),
                message: error.to_string(),
            })
        }
        _ => Trouble::Fatal,
    }
}

fn is_nonce(code: soma_api::ErrorCode) -> bool {
    use soma_api::ErrorCode::{NonceInUse, NonceTooLow, TransactionExpired};
    matches!(code, NonceTooLow | NonceInUse | TransactionExpired)
}

fn failed(name: &str, message: &str) -> Trouble {
    Trouble::Lost(match name {
        "SubmissionNotCommitted" | "DuplicateCommitment" => return Trouble::Unsealed,
        "TargetNotOpen" => LostReason::Taken,
        "TargetExpired" | "TargetNotFound" => LostReason::Expired,
        "DuplicateData" => LostReason::DuplicateData,
        "ModelNotActive" | "ModelNotInTarget" | "ModelNotFound" | "ModelWeightsChanged" => {
            LostReason::ModelsChanged
        }
        _ => LostReason::Refused {
            code: name.to_owned(),
            message: message.to_owned(),
        },
    })
}
