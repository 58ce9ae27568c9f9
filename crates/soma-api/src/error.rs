//! Errors of the API: one body for everything that can go wrong, with a stable code.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What every failed request answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ErrorBody {
    /// Stable name: one of [`ErrorCode`], or of the chain's execution errors.
    pub code: String,
    /// A sentence for people: what was wrong, which value, what to do.
    pub message: String,
    /// Values of the message by name; an empty object when there are none.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub details: Value,
}

impl ErrorBody {
    /// An error without details.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code: code.name().to_owned(),
            message: message.into(),
            details: Value::Object(serde_json::Map::new()),
        }
    }

    /// The same error with a named value.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        if !self.details.is_object() {
            self.details = Value::Object(serde_json::Map::new());
        }
        if let Value::Object(details) = &mut self.details {
            details.insert(name.to_owned(), value.into());
        }
        self
    }

    /// The code, when it is one that this build knows.
    pub fn known_code(&self) -> Option<ErrorCode> {
        ErrorCode::from_name(&self.code)
    }
}

impl fmt::Display for ErrorBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for ErrorBody {}

macro_rules! error_codes {
    ($($(#[$doc:meta])* $name:ident = $status:literal, $retry:literal;)*) => {
        /// Why a request failed, apart from failures of a transaction on chain.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorCode {
            $($(#[$doc])* $name,)*
        }

        impl ErrorCode {
            /// All codes.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The code in JSON.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }

            /// The code with this name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $(stringify!($name) => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// The HTTP status that it comes with.
            pub const fn http_status(self) -> u16 {
                match self {
                    $(Self::$name => $status,)*
                }
            }

            /// True where the same request may succeed later.
            pub const fn is_retryable(self) -> bool {
                match self {
                    $(Self::$name => $retry,)*
                }
            }
        }
    };
}

error_codes! {
    /// A path, query or header value is not what it must be.
    InvalidRequest = 400, false;
    /// The body is not JSON, or not of the right shape.
    InvalidJson = 400, false;
    /// The bytes are not a transaction, or its signature is not its sender's.
    InvalidTransaction = 400, false;
    /// The transaction is for another chain.
    WrongChain = 400, false;
    /// The transaction is larger than the network allows.
    TransactionTooLarge = 400, false;
    /// The transaction's last height has passed.
    TransactionExpired = 400, false;
    /// The nonce was used already.
    NonceTooLow = 409, false;
    /// The nonce is too far ahead of the account's.
    NonceGap = 409, true;
    /// The sender cannot pay the base fee.
    InsufficientGas = 400, true;
    /// Another transaction with this nonce is being put into a block.
    NonceInUse = 409, false;
    /// The sender has too many waiting transactions.
    SenderLimit = 429, true;
    /// The node holds as many waiting transactions as it may.
    MempoolFull = 503, true;
    /// There is no such object, block, transaction or epoch.
    NotFound = 404, false;
    /// There is no such route.
    RouteNotFound = 404, false;
    /// The node has dropped this old block or state.
    Pruned = 410, false;
    /// The route does not take this method.
    MethodNotAllowed = 405, false;
    /// The body is larger than the node takes.
    BodyTooLarge = 413, false;
    /// The body is not declared as JSON.
    UnsupportedMediaType = 415, false;
    /// Too many requests from this address.
    RateLimited = 429, true;
    /// The answer took longer than the node allows.
    Timeout = 503, true;
    /// The node has too much to do.
    Overloaded = 503, true;
    /// The node is stopping or has stopped making blocks.
    Unavailable = 503, true;
    /// The faucet has no money left.
    FaucetEmpty = 503, true;
    /// The chain's genesis does not allow epochs to be ended by hand.
    ForcedEpochsNotAllowed = 403, false;
    /// The data to score cannot be downloaded.
    DataUnavailable = 424, true;
    /// Weights cannot be downloaded.
    WeightsUnavailable = 424, true;
    /// What was downloaded has another checksum or size; `details.blob` says `data` or `weights`.
    ChecksumMismatch = 422, true;
    /// The key does not open the sealed weights.
    DecryptionFailed = 422, false;
    /// The opened weights have another checksum than committed.
    PlaintextMismatch = 422, false;
    /// The opened weights are not a model of this size, or have numbers that are not finite.
    InvalidWeights = 422, false;
    /// There is no byte to score.
    EmptyData = 422, false;
    /// The data is larger than the service scores.
    DataTooLarge = 422, false;
    /// The URL is not one that the service may open.
    UrlNotAllowed = 422, false;
    /// The model does not fit in the memory that the service may use.
    OutOfMemory = 507, false;
    /// The service's disk is full or fails.
    StorageFailed = 507, true;
    /// The service's device does not work.
    DeviceFailed = 503, true;
    /// The service's queue is full.
    Busy = 503, true;
    /// A bug or a failing disk; the node's log says more.
    Internal = 500, true;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_found_by_its_name() {
        for code in ErrorCode::ALL {
            assert_eq!(ErrorCode::from_name(code.name()), Some(*code));
            assert!((400..600).contains(&code.http_status()));
        }
        assert_eq!(ErrorCode::from_name("Nonsense"), None);
    }

    #[test]
    fn details_are_always_an_object() {
        let body = ErrorBody::new(ErrorCode::NotFound, "no such block").with("height", 7);
        let json = serde_json::to_value(&body).unwrap();
        assert_eq!(json["details"]["height"], 7);
        assert_eq!(serde_json::from_value::<ErrorBody>(json).unwrap(), body);
    }
}
