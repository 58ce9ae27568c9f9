//! Whose fault a failure is. Whatever does not surely follow from the blob is the auditor's own.

use soma_api::{ErrorBody, ErrorCode};
use soma_audit::Failure;
use soma_blobs::BlobError;

/// Why submitted data could not be had.
pub(super) fn of_data(error: &BlobError) -> Failure {
    match error {
        BlobError::Unavailable { .. }
        | BlobError::TooSlow { .. }
        // A URL that nobody can be expected to open is as good as none.
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
///
/// `url` is where the weights of the model at fault lie: one that this node's network can open.
/// `local` says that nodes of this network open files and private addresses.
pub(super) fn of_weights(error: &ErrorBody, url: &str, local: bool) -> Failure {
    let of = |name: &str| error.details.get(name).and_then(|value| value.as_str());
    if of("blob") != Some("weights") {
        return Failure::Own;
    }
    match (error.known_code(), of("cause")) {
        // What this network opens, the scorer does not: it has other settings.
        (Some(ErrorCode::UrlNotAllowed), Some("SchemeNotAllowed")) if is_file(url) => Failure::Own,
        (Some(ErrorCode::UrlNotAllowed), Some("AddressNotAllowed")) if local => Failure::Own,
        (Some(ErrorCode::UrlNotAllowed | ErrorCode::WeightsUnavailable), _) => {
            Failure::WeightsUnavailable
        }
        (Some(ErrorCode::ChecksumMismatch), _) => Failure::WeightsMismatch,
        (Some(ErrorCode::DecryptionFailed), _) => Failure::Undecryptable,
        (Some(ErrorCode::PlaintextMismatch), _) => Failure::PlaintextMismatch,
        (Some(ErrorCode::InvalidWeights), _) => Failure::InvalidWeights,
        _ => Failure::Own,
    }
}

fn is_file(url: &str) -> bool {
    url.starts_with("file:")
}

/// Weights at a URL that nobody can be expected to open, as a scorer would say it of the model at
/// `place` in its request.
pub(super) fn not_published(error: &BlobError, place: usize) -> ErrorBody {
    ErrorBody::new(ErrorCode::UrlNotAllowed, format!("model {place}: {error}"))
        .with("blob", "weights")
        .with("cause", error.name())
        .with("model", place as u64)
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
    use soma_scoring::ScoringError;
    use soma_scoring::error::LoadError;

    use super::*;

    const URL: &str = "https://a.example/b";

    fn unavailable() -> BlobError {
        BlobError::Unavailable {
            url: URL.to_owned(),
            reason: "gone".to_owned(),
            tries: 5,
        }
    }

    fn scheme(scheme: &str) -> BlobError {
        BlobError::SchemeNotAllowed {
            url: URL.to_owned(),
            scheme: scheme.to_owned(),
            allowed: "https",
        }
    }

    fn disk_full() -> BlobError {
        BlobError::DiskFull {
            reason: "no space".to_owned(),
        }
    }

    fn private() -> BlobError {
        BlobError::AddressNotAllowed {
            host: "a".to_owned(),
            address: "10.0.0.1".to_owned(),
        }
    }

    /// What the scorer says of weights is read as it is meant.
    fn read(error: impl Into<LoadError>, url: &str, local: bool) -> Failure {
        let error = error.into();
        of_weights(&ScoringError::Model { model: 2, error }.body(), url, local)
    }

    #[test]
    fn what_a_scorer_says_of_weights_is_told_from_its_own_trouble() {
        assert_eq!(read(unavailable(), URL, false), Failure::WeightsUnavailable);
        assert_eq!(read(private(), URL, false), Failure::WeightsUnavailable);
        // Behind a redirect.
        assert_eq!(read(scheme("s3"), URL, false), Failure::WeightsUnavailable);
        let device = LoadError::Device {
            reason: "lost".to_owned(),
        };
        let memory = LoadError::OutOfMemory {
            needed: 2,
            budget: 1,
        };
        let keys = BlobError::Settings("wrong keys".to_owned());
        for own in [device, memory, disk_full().into(), keys.into()] {
            assert_eq!(read(own.clone(), URL, false), Failure::Own, "{own}");
        }
        let busy = ScoringError::Busy {
            waiting: 1,
            retry_after_s: 1,
        };
        for own in [
            busy,
            ScoringError::Stopping,
            ScoringError::Timeout { seconds: 1 },
            ScoringError::EmptyData,
            // The node has the data, and has checked it.
            ScoringError::Data(unavailable()),
        ] {
            assert_eq!(of_weights(&own.body(), URL, false), Failure::Own, "{own}");
        }
    }

    #[test]
    fn a_scorer_that_opens_less_than_its_network_is_own_trouble() {
        let file = "file:///a/b";
        assert_eq!(read(scheme("file"), file, true), Failure::Own);
        assert_eq!(read(private(), URL, true), Failure::Own);
    }

    #[test]
    fn no_code_of_a_scorer_is_held_against_data() {
        for code in ErrorCode::ALL {
            let body = ErrorBody::new(*code, "text");
            assert_eq!(of_weights(&body, URL, false), Failure::Own);
            let data = body.with("blob", "data");
            assert_eq!(of_weights(&data, URL, false), Failure::Own);
        }
    }

    #[test]
    fn weights_that_nobody_can_open_are_unavailable() {
        for error in [scheme("s3"), scheme("file")] {
            let body = not_published(&error, 1);
            let failure = of_weights(&body, "s3://bucket/key", true);
            assert_eq!(failure, Failure::WeightsUnavailable);
            assert_eq!(body.details["model"], 1);
        }
    }

    #[test]
    fn trouble_of_this_machine_is_never_the_submitters() {
        let offline = BlobError::Offline {
            url: URL.to_owned(),
            reason: String::new(),
        };
        for error in [offline, disk_full(), BlobError::Settings(String::new())] {
            assert_eq!(of_data(&error), Failure::Own, "{error}");
        }
        for error in [unavailable(), scheme("ftp"), scheme("s3"), private()] {
            assert_eq!(of_data(&error), Failure::DataUnavailable, "{error}");
        }
    }
}
