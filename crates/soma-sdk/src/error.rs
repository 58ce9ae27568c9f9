//! Why a call failed.

use std::time::Duration;

use serde_json::Value;
use soma_api::{ErrorBody, ErrorCode, ExecutionErrorView, ReceiptView};
use soma_chain::{LightError, ProofError};
use soma_crypto::consensus::CertificateError;
use soma_types::{ChainId, Digest, TargetId};
use thiserror::Error;

use crate::config::Service;

/// Why a call failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SdkError {
    /// The service could not be reached, or the connection broke.
    #[error("cannot reach the {service} at {url}: {reason}")]
    Transport {
        /// Which service.
        service: Service,
        /// Its URL.
        url: String,
        /// The innermost cause, such as `Connection refused`.
        reason: String,
        /// False when there was no connection in any try: then nothing was sent.
        sent: bool,
    },
    /// No answer in time.
    #[error("the {service} at {url} did not answer within {} ms", after.as_millis())]
    Timeout {
        /// Which service.
        service: Service,
        /// Its URL.
        url: String,
        /// The deadline.
        after: Duration,
    },
    /// The service refused.
    #[error("{code}: {message}")]
    Api {
        /// Stable code: see [`ErrorCode`].
        code: String,
        /// A sentence for people.
        message: String,
        /// Values of the message by name.
        details: Value,
    },
    /// The answer is not what the API promises; most often the URL is that of something else.
    #[error("the {service} at {url} answered with something unexpected: {reason}")]
    UnexpectedAnswer {
        /// Which service.
        service: Service,
        /// The URL of the request.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The transaction is in a block, and did nothing but pay its base fee.
    #[error("Transaction failed (digest: {digest}): {name}: {message}")]
    TransactionFailed {
        /// The transaction.
        digest: Digest,
        /// Stable name of the error, such as `TargetNotOpen`.
        name: String,
        /// A sentence for people.
        message: String,
        /// What it did.
        receipt: Box<ReceiptView>,
    },
    /// The transaction was sent, but was not in a block when the deadline came. It may still be.
    #[error(
        "transaction {digest} was sent, but is in no block after {} ms; it may still be executed", after.as_millis()
    )]
    NotExecuted {
        /// The transaction.
        digest: Digest,
        /// The deadline.
        after: Duration,
    },
    /// Other programs took the account's nonces again and again.
    #[error(
        "other transactions of {address} took its nonce {tries} times; stop the other program that signs for it"
    )]
    NonceContention {
        /// The account.
        address: soma_types::Address,
        /// Attempts.
        tries: u32,
    },
    /// No URL was given for the service.
    #[error("Service not configured: no URL of the {service}; set it with `{setting}`")]
    NotConfigured {
        /// Which service.
        service: Service,
        /// The builder's method that sets it.
        setting: &'static str,
    },
    /// A text that is no URL of a service.
    #[error("invalid URL `{url}` of the {service}: {reason}")]
    InvalidUrl {
        /// Which service.
        service: Service,
        /// The text.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// An argument that no node would take.
    #[error("{0}")]
    InvalidArgument(String),
    /// The node's answer was of another chain than before.
    #[error("the node is of chain {got}, expected {expected}")]
    WrongChain {
        /// The chain expected.
        expected: ChainId,
        /// The chain of the answer.
        got: ChainId,
    },
    /// Assigned models have other weights than those that the data was scored with. No bond was
    /// sent.
    #[error(
        "models of target {target} have revealed other weights since the data was scored; score it again, and submit what it gives then"
    )]
    ModelsChanged {
        /// The target.
        target: TargetId,
    },
    /// The node's proof does not prove its answer.
    #[error("the node's proof does not hold: {0}")]
    Proof(#[from] ProofError),
    /// The node cannot show the way from what is trusted.
    #[error("the node does not show the way to the chain's head: {0}")]
    Light(#[from] LightError),
    /// The node's certificate does not prove a block final.
    #[error("the node's certificate does not hold: {0}")]
    NotFinal(#[from] CertificateError),
    /// A blob cannot be had, opened or put somewhere.
    #[cfg(feature = "workflows")]
    #[error(transparent)]
    Blob(#[from] soma_blobs::BlobError),
    /// A local file or folder cannot be used.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file.
        path: std::path::PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The weights file is not what it was when the publication began.
    #[error(
        "the weights in {} changed since their publication began (SHA3-256 {got}, was {expected}); publish them again", path.display()
    )]
    WeightsChanged {
        /// The file.
        path: std::path::PathBuf,
        /// Its checksum at the beginning.
        expected: soma_types::Checksum,
        /// Its checksum now.
        got: soma_types::Checksum,
    },
    /// The chain would refuse the reveal of these weights: they are another model's. Nothing was
    /// sent.
    #[error(
        "these weights are those of model {model} of {owner}: a copy is refused when it is revealed, and half the stake of a new model is lost; publish weights of your own, each set as one model"
    )]
    WeightsAlreadyRevealed {
        /// The model that has or had them.
        model: soma_types::ModelId,
        /// Its owner.
        owner: soma_types::Address,
    },
    /// The chain would refuse this data: it filled a target before. Nothing was sent.
    #[error(
        "this data was submitted by {submitter} in epoch {epoch}, and counts once: only its submitter may fill more targets with it, in that epoch; submit other data"
    )]
    DuplicateData {
        /// Who submitted it first.
        submitter: soma_types::Address,
        /// When.
        epoch: soma_types::Epoch,
    },
    /// Committed weights were not revealed in the one epoch in which that counts.
    #[error(
        "the weights of model {model} were to be revealed in epoch {reveal_epoch}, which is over; a first commit is lost with half the stake, an update is dropped: look at `soma model info {model}` and publish again"
    )]
    RevealMissed {
        /// The model.
        model: soma_types::ModelId,
        /// The epoch in which the reveal would have counted.
        reveal_epoch: soma_types::Epoch,
    },
    /// The epoch did not change in time.
    #[error("Epoch did not advance within {}s", after.as_secs_f64())]
    EpochWait {
        /// The deadline.
        after: Duration,
    },
}

impl SdkError {
    /// True where the same call may succeed later without any change.
    ///
    /// A transaction that was sent and is in no block is not among them: whether it will be
    /// executed is not known yet.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Transport { .. } | Self::Timeout { .. } => true,
            Self::Api { .. } => self.api_code().is_some_and(ErrorCode::is_retryable),
            _ => false,
        }
    }

    /// False when nothing left this machine.
    pub(crate) fn was_sent(&self) -> bool {
        !matches!(self, Self::Transport { sent: false, .. })
    }

    /// True for trouble on the way or of the moment, which waiting a little may end.
    pub(crate) fn is_transient(&self) -> bool {
        use ErrorCode::{MempoolFull, Overloaded, RateLimited, SenderLimit, Unavailable};
        match self {
            Self::Transport { .. } | Self::Timeout { .. } => true,
            Self::Api { .. } => matches!(
                self.api_code(),
                Some(
                    MempoolFull
                        | Overloaded
                        | RateLimited
                        | SenderLimit
                        | ErrorCode::Timeout
                        | Unavailable
                )
            ),
            _ => false,
        }
    }

    /// The service's code, when it refused with one that this build knows.
    pub fn api_code(&self) -> Option<ErrorCode> {
        match self {
            Self::Api { code, .. } => ErrorCode::from_name(code),
            _ => None,
        }
    }

    /// The names of this type's own kinds; services, chain and downloads have their own lists.
    pub const NAMES: &'static [&'static str] = &[
        "Transport",
        "Timeout",
        "UnexpectedAnswer",
        "NotExecuted",
        "NonceContention",
        "NotConfigured",
        "InvalidUrl",
        "InvalidArgument",
        "WrongChain",
        "ModelsChanged",
        "InvalidProof",
        "InvalidHandover",
        "NotFinal",
        "FileError",
        "WeightsChanged",
        "RevealMissed",
        "EpochWait",
    ];

    /// A stable name for scripts: the service's code, the execution error's name, or the kind of
    /// this error.
    pub fn name(&self) -> &str {
        match self {
            Self::Transport { .. } => "Transport",
            Self::Timeout { .. } => "Timeout",
            Self::Api { code, .. } => code,
            Self::UnexpectedAnswer { .. } => "UnexpectedAnswer",
            Self::TransactionFailed { name, .. } => name,
            Self::NotExecuted { .. } => "NotExecuted",
            Self::NonceContention { .. } => "NonceContention",
            Self::NotConfigured { .. } => "NotConfigured",
            Self::InvalidUrl { .. } => "InvalidUrl",
            Self::InvalidArgument(_) => "InvalidArgument",
            Self::WrongChain { .. } => "WrongChain",
            Self::ModelsChanged { .. } => "ModelsChanged",
            Self::Proof(_) => "InvalidProof",
            Self::Light(_) => "InvalidHandover",
            Self::NotFinal(_) => "NotFinal",
            #[cfg(feature = "workflows")]
            Self::Blob(error) => error.name(),
            Self::File { .. } => "FileError",
            Self::WeightsChanged { .. } => "WeightsChanged",
            Self::WeightsAlreadyRevealed { .. } => "WeightsAlreadyRevealed",
            Self::DuplicateData { .. } => "DuplicateData",
            Self::RevealMissed { .. } => "RevealMissed",
            Self::EpochWait { .. } => "EpochWait",
        }
    }

    /// True when the account's nonce is beyond this transaction's: signed with the next nonce, it
    /// is the only one of the two that can be executed.
    pub(crate) fn is_overtaken(&self) -> bool {
        self.api_code() == Some(ErrorCode::NonceTooLow)
    }

    /// True when one node prefers another transaction with this one's nonce. That says nothing of
    /// the other nodes: who has this one may still put it into a block.
    pub(crate) fn is_contested(&self) -> bool {
        self.api_code() == Some(ErrorCode::NonceInUse)
    }

    /// True when this transaction can never be executed any more, whoever has it.
    pub(crate) fn is_lost(&self) -> bool {
        matches!(
            self.api_code(),
            Some(ErrorCode::NonceTooLow | ErrorCode::TransactionExpired)
        )
    }

    pub(crate) fn failed(receipt: ReceiptView) -> Self {
        let unnamed = || ExecutionErrorView {
            code: "Unknown".to_owned(),
            message: "the node gave no reason".to_owned(),
            details: Value::Null,
        };
        let error = receipt.error.clone().unwrap_or_else(unnamed);
        Self::TransactionFailed {
            digest: receipt.transaction,
            name: error.code,
            message: error.message,
            receipt: Box::new(receipt),
        }
    }
}

impl From<ErrorBody> for SdkError {
    fn from(body: ErrorBody) -> Self {
        Self::Api {
            code: body.code,
            message: body.message,
            details: body.details,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_pass_by_itself_is_retryable() {
        let api = |code| SdkError::from(ErrorBody::new(code, "text"));
        assert!(api(ErrorCode::Overloaded).is_retryable());
        assert!(!api(ErrorCode::NotFound).is_retryable());
        // What one node does not want may wait at another.
        assert!(api(ErrorCode::NonceTooLow).is_lost());
        assert!(!api(ErrorCode::NonceInUse).is_lost());
        let unknown = SdkError::Api {
            code: "FromTheFuture".into(),
            message: String::new(),
            details: Value::Null,
        };
        assert!(!unknown.is_retryable());
        assert_eq!(unknown.name(), "FromTheFuture");
    }
}
