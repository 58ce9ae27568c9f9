//! Whose fault a failure is. Whatever does not surely follow from the blob is the auditor's own.

use soma_api::{ErrorBody, ErrorCode};
use soma_audit::Failure;
use soma_blobs::BlobError;

/// Why submitted data could not be had.
pub(super) fn of_data(error: &BlobError) -> Failure {
    match error {
        // Whoever has the settings can open it: that this node has none says nothing of the data.
        BlobError::SchemeNotAllowed { scheme, .. } if scheme == "s3" => Failure::Own,
        BlobError::Unavailable { .. }
        | BlobError::TooSlow { .. }
        // A URL that nobody may open is as good as none.
        | BlobError::InvalidUrl { .. }
        | BlobError::SchemeNotAllowed { .. }
        | BlobError::AddressNotAllowed { .. } => Failure::DataUnavailable,
        BlobError::SizeMismatch { .. } | BlobError::ChecksumMismatch { .. } => {
            Failure::DataMismatch
        }
        _ => Failure::Own,
    }
}

/// Why a scorer did not score data that this node has and has verified: either the weights, or the
/// scorer's own trouble. The chain takes no data that is empty or too large, so a scorer that says
/// so has other settings than the network.
pub(super) fn of_weights(error: &ErrorBody) -> Failure {
    let of = |name: &str| error.details.get(name).and_then(|value| value.as_str());
    if of("blob") != Some("weights") {
        return Failure::Own;
    }
    match error.known_code() {
        Some(ErrorCode::UrlNotAllowed) if of("cause") == Some("SchemeNotAllowed") => {
            // It may be a store that this scorer has no settings for.
            match error.message.contains("`s3`") {
                true => Failure::Own,
                false => Failure::WeightsUnavailable,
            }
        }
        Some(ErrorCode::UrlNotAllowed | ErrorCode::WeightsUnavailable) => {
            Failure::WeightsUnavailable
        }
        Some(ErrorCode::ChecksumMismatch) => Failure::WeightsMismatch,
        Some(ErrorCode::DecryptionFailed) => Failure::Undecryptable,
        Some(ErrorCode::PlaintextMismatch) => Failure::PlaintextMismatch,
        Some(ErrorCode::InvalidWeights) => Failure::InvalidWeights,
        _ => Failure::Own,
    }
}

/// True when the committed bytes prove the failure: it will be the same at every try.
pub(super) const fn is_proven(failure: Failure) -> bool {
    matches!(
        failure,
        Failure::Undecryptable | Failure::PlaintextMismatch | Failure::InvalidWeights
    )
}

#[cfg(test)]
mod tests {
    use soma_scoring::error::failure_of;

    use super::*;

    #[test]
    fn on_weights_the_node_and_the_scorer_agree() {
        for code in ErrorCode::ALL {
            let body = ErrorBody::new(*code, "text").with("blob", "weights");
            let scorers = match failure_of(&body) {
                // Data is checked by the node, which then knows that the scorer errs.
                Failure::DataUnavailable | Failure::DataMismatch | Failure::DataInvalid => {
                    Failure::Own
                }
                failure => failure,
            };
            assert_eq!(of_weights(&body), scorers, "{}", code.name());
            let data = ErrorBody::new(*code, "text").with("blob", "data");
            assert_eq!(of_weights(&data), Failure::Own);
            assert_eq!(of_weights(&ErrorBody::new(*code, "text")), Failure::Own);
        }
    }

    #[test]
    fn trouble_of_this_machine_is_never_the_submitters() {
        let url = "https://a.example/b".to_owned();
        let reason = String::new();
        let scheme = |scheme: &str| BlobError::SchemeNotAllowed {
            url: url.clone(),
            scheme: scheme.to_owned(),
            allowed: "https",
        };
        let offline = BlobError::Offline {
            url: url.clone(),
            reason: reason.clone(),
        };
        let disk = BlobError::DiskFull {
            reason: reason.clone(),
        };
        for error in [offline, disk, scheme("s3")] {
            assert_eq!(of_data(&error), Failure::Own, "{error}");
        }
        let gone = BlobError::Unavailable {
            url: url.clone(),
            reason,
            tries: 5,
        };
        for error in [gone, scheme("ftp")] {
            assert_eq!(of_data(&error), Failure::DataUnavailable, "{error}");
        }
    }
}
