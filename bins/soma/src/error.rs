//! What can go wrong, with a stable code and a hint.

use std::path::PathBuf;

use serde_json::json;
use soma_blobs::BlobError;
use soma_crypto::SecretKeyError;
use soma_crypto::keystore::{AliasError, KeystoreError};
use soma_crypto::mnemonic::MnemonicError;
use soma_crypto::password::PasswordError;
use soma_localnet::NetworkError;
use soma_model::weights::WeightsError;
use soma_scoring::ScoringError;
use soma_scoring::arguments::RunError;
use soma_scoring::error::LoadError;
use soma_sdk::api::ReceiptView;
use soma_sdk::{SdkError, Service};
use soma_submitter::SubmitterError;
use soma_submitter::run::Nothing;
use thiserror::Error;

use crate::output::Output;

/// How errors begin about values that are written in Base58.
const BASE58: [&str; 3] = [
    "invalid checksum",
    "invalid commitment",
    "invalid weights key",
];

/// Why a command failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CliError {
    /// The network, the node or the chain.
    #[error(transparent)]
    Sdk(#[from] SdkError),
    /// The wallet's file.
    #[error(transparent)]
    Keystore(#[from] KeystoreError),
    /// A password could not be had.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// A name that is neither alias nor address.
    #[error(transparent)]
    Alias(#[from] AliasError),
    /// A key file.
    #[error(transparent)]
    KeyFile(#[from] soma_crypto::key_file::KeyFileError),
    /// What a validator tells about itself.
    #[error(transparent)]
    Info(#[from] soma_ceremony::InfoError),
    /// A step of a genesis.
    #[error(transparent)]
    Ceremony(#[from] soma_ceremony::CeremonyError),
    /// A recovery phrase or derivation path.
    #[error(transparent)]
    Mnemonic(#[from] MnemonicError),
    /// A secret key.
    #[error(transparent)]
    SecretKey(#[from] SecretKeyError),
    /// A localnet could not start, or stopped.
    #[error(transparent)]
    Localnet(#[from] NetworkError),
    /// A node could not start, or stopped.
    #[error(transparent)]
    Node(#[from] soma_node::NodeError),
    /// A download.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// Something cannot be scored.
    #[error(transparent)]
    Scoring(#[from] ScoringError),
    /// No file could be scored.
    #[error("nothing was scored: each of the files ({files}) is refused, see why above")]
    NothingScored {
        /// How many there were.
        files: usize,
        /// All files, with why not.
        output: Box<Output>,
    },
    /// The scoring service could not start.
    #[error(transparent)]
    ScoringService(#[from] RunError),
    /// Submitting stopped.
    #[error(transparent)]
    Submitter(#[from] SubmitterError),
    /// `soma submit once` had nothing to submit.
    #[error("nothing was submitted: {0}")]
    NothingSubmitted(Nothing),
    /// Some of the claims of `soma target claim-all` were not executed.
    #[error("{failed} of {claims} claims failed: {source}")]
    ClaimsFailed {
        /// How many.
        failed: usize,
        /// How many there were.
        claims: usize,
        /// Why the first of them failed.
        source: Box<SdkError>,
        /// All claims.
        output: Box<Output>,
    },
    /// A submission is not what was measured.
    #[error("the claim does not hold: {reason}")]
    ClaimDoesNotHold {
        /// What of it is wrong.
        reason: String,
        /// Claim and measurements.
        output: Box<Output>,
    },
    /// A submission cannot be measured.
    #[error(
        "the claim cannot be judged: the claimed winner's weights as of the fill are not known"
    )]
    ClaimNotJudged {
        /// Claim and measurements.
        output: Box<Output>,
    },
    /// Training.
    #[error(transparent)]
    Training(#[from] soma_trainer::TrainError),
    /// Training ended well, but its weights could not be published.
    #[error("training has ended and its weights are in {}, but they are not published: {source}", weights.display())]
    NotPublished {
        /// The trained weights.
        weights: PathBuf,
        /// Why not.
        source: Box<CliError>,
    },
    /// The demo could not be played.
    #[error(transparent)]
    Demo(#[from] soma_demo::DemoError),
    /// The demo was told to stop.
    #[error("stopped before the game was played; it begins anew next time")]
    Stopped,
    /// The demo was played, and showed something to be wrong.
    #[error("something that had to hold does not: see the checks above")]
    DemoFailed {
        /// What came of it.
        output: Box<Output>,
    },
    /// The demo was played well, but its report cannot be written.
    #[error("cannot use {}: {reason}", path.display())]
    NoReport {
        /// Where it was to be.
        path: PathBuf,
        /// Why not.
        reason: String,
        /// What came of the demo.
        output: Box<Output>,
    },
    /// A model cannot be scored with.
    #[error("model {name}: {error}")]
    Model {
        /// Its file or id.
        name: String,
        /// Stable name of the error.
        code: &'static str,
        /// Why not.
        error: Box<LoadError>,
    },
    /// Checks of `soma doctor` failed.
    #[error("{failed} of the checks failed")]
    Unhealthy {
        /// How many.
        failed: usize,
        /// All checks.
        output: Box<Output>,
    },
    /// A file could not be read or written.
    #[error("cannot use {}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A file holds no weights of the network's models.
    #[error("cannot use {} as weights: {source}", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: WeightsError,
    },
    /// A password is needed, and nobody is there to type it.
    #[error("the keystore {} needs a password, and there is no terminal to type it", .0.display())]
    PasswordNeeded(PathBuf),
    /// No key to act with.
    #[error("no active address")]
    NoActiveAddress,
    /// No environment to work in.
    #[error("no active environment")]
    NoActiveEnv,
    /// No environment of this name.
    #[error("no environment `{0}`")]
    UnknownEnv(String),
    /// Arguments that parse but make no sense together.
    #[error("{0}")]
    Usage(String),
    /// Bytes that are not what they should be.
    #[error("{0}")]
    Invalid(String),
    /// A simulated transaction would fail.
    #[error("the transaction would fail: {code}: {message}")]
    WouldFail {
        /// Stable name of the error.
        code: String,
        /// A sentence for people.
        message: String,
    },
    /// The runtime could not start.
    #[error("cannot start: {0}")]
    Runtime(#[source] std::io::Error),
}

impl CliError {
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |error| Self::File {
            path,
            reason: error.to_string(),
        }
    }

    pub(crate) fn weights(path: impl Into<PathBuf>) -> impl FnOnce(WeightsError) -> Self {
        let path = path.into();
        move |source| Self::Weights { path, source }
    }

    /// 2 for arguments that make no sense, 1 for everything else.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            _ => 1,
        }
    }

    /// A stable name for scripts.
    pub fn code(&self) -> &str {
        match self {
            Self::Sdk(error) => error.name(),
            Self::Keystore(KeystoreError::NotFound(_)) => "KeyNotFound",
            Self::Keystore(KeystoreError::WrongPassword) => "WrongPassword",
            Self::Keystore(_) => "Keystore",
            Self::Password(_) | Self::PasswordNeeded(_) => "Password",
            Self::Alias(_) => "InvalidAlias",
            Self::KeyFile(_) => "KeyFile",
            Self::Info(_) => "InvalidValidatorInfo",
            Self::Ceremony(error) => error.name(),
            Self::Mnemonic(_) => "InvalidMnemonic",
            Self::SecretKey(_) => "InvalidSecretKey",
            Self::Localnet(_) => "Localnet",
            Self::Node(_) => "Node",
            Self::Blob(error) => error.name(),
            Self::Scoring(error) => error.code().name(),
            Self::NothingScored { .. } => "NothingScored",
            Self::ScoringService(_) => "ScoringService",
            Self::Submitter(error) => error.name(),
            Self::NothingSubmitted(nothing) => nothing.name(),
            Self::ClaimsFailed { source, .. } => source.name(),
            Self::ClaimDoesNotHold { .. } => "ClaimDoesNotHold",
            Self::ClaimNotJudged { .. } => "ClaimNotJudged",
            Self::Training(_) => "Training",
            Self::NotPublished { source, .. } => source.code(),
            Self::Demo(_) => "Demo",
            Self::Stopped => "Stopped",
            Self::DemoFailed { .. } => "DemoFailed",
            Self::Unhealthy { .. } => "Unhealthy",
            Self::File { .. } | Self::NoReport { .. } => "File",
            Self::Weights { .. } => "Weights",
            Self::NoActiveAddress => "NoActiveAddress",
            Self::NoActiveEnv => "NoActiveEnv",
            Self::UnknownEnv(_) => "UnknownEnv",
            Self::Usage(_) => "Usage",
            Self::Invalid(_) => "Invalid",
            Self::WouldFail { code, .. } => code,
            Self::Model { code, .. } => code,
            Self::Runtime(_) => "Runtime",
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        let text = match self.code() {
            "Transport" if self.is_about_scorer() => {
                "start a scorer with `soma start scoring`, or choose another with --scorer"
            }
            "Transport" => {
                "start a local network with `soma start localnet`, or choose another with \
                 `soma env switch`"
            }
            "NoActiveAddress" => {
                "make a key with `soma wallet new`, or choose one with `soma wallet switch`"
            }
            "NoActiveEnv" => "choose one with `soma env switch`, or add one with `soma env new`",
            "UnknownEnv" => "list them with `soma env list`, add one with `soma env new`",
            "KeyNotFound" => "list the keys with `soma wallet list`",
            "Password" => {
                "give the password with `--password-file FILE` or in the variable SOMA_PASSWORD; a new \
                 wallet needs none with `--unencrypted`"
            }
            "Weights" => {
                "validators slash the stake of a model whose weights do not load: publish what \
                 `soma train` saves for the network's size of models"
            }
            "NoModels" => "models are assigned when targets are drawn: wait for the next epoch",
            "NoHit" => "try other data, or smaller pieces with `--max-bytes`",
            "InsufficientGas"
            | "InsufficientCoinBalance"
            | "InsufficientBond"
            | "NotAffordable" => "ask the faucet for money with `soma faucet`",
            "ModelNotFound" => "list the models with `soma model list`",
            "TargetNotFound" => "list the targets with `soma target list`",
            "CommissionRateTooHigh" => "a commission is at most 10000 basis points",
            "NotConfigured" => {
                "set the URL in the environment: `soma env new NAME --rpc URL --scorer URL …`"
            }
            "WrongChain" => {
                "another network is at the environment's URL than when it was made; add that network \
                 with `soma env new NAME --rpc URL`"
            }
            "AddressNotAllowed" => {
                "`soma score` and `soma start scoring` open it with --allow-private-addresses"
            }
            "TransactionExpired" => "build and sign the transaction again",
            _ => return self.hint_by_text(),
        };
        Some(text.to_owned())
    }

    fn is_about_scorer(&self) -> bool {
        let (Self::Sdk(error) | Self::Submitter(SubmitterError::Sdk(error))) = self else {
            return false;
        };
        matches!(
            error,
            SdkError::Transport {
                service: Service::Scoring,
                ..
            }
        )
    }

    fn hint_by_text(&self) -> Option<String> {
        let text = self.to_string();
        if !text.contains("must be exactly 32 bytes") || self.code() == "InvalidSecretKey" {
            return None;
        }
        let is_base58 = BASE58.iter().any(|kind| text.contains(kind));
        let form = match is_base58 {
            true => "it is Base58, 43 or 44 characters as they were printed",
            false => "ids and addresses are 0x and 64 hex digits",
        };
        Some(form.to_owned())
    }

    /// What is printed in spite of the error.
    pub fn output(&self) -> Option<&Output> {
        match self {
            Self::ClaimsFailed { output, .. }
            | Self::ClaimDoesNotHold { output, .. }
            | Self::ClaimNotJudged { output }
            | Self::DemoFailed { output }
            | Self::NoReport { output, .. }
            | Self::NothingScored { output, .. }
            | Self::Unhealthy { output, .. } => Some(output),
            _ => None,
        }
    }

    /// What the transaction did, when it failed on chain.
    pub fn failed_receipt(&self) -> Option<&ReceiptView> {
        match self {
            Self::Sdk(SdkError::TransactionFailed { receipt, .. }) => Some(receipt),
            _ => None,
        }
    }

    /// Prints to standard error.
    pub fn print(&self, as_json: bool) {
        let hint = self.hint();
        if as_json {
            let body = json!({ "code": self.code(), "message": self.to_string(), "hint": hint });
            eprintln!("{body:#}");
            return;
        }
        eprintln!("Error: {self}");
        if let Some(hint) = hint {
            eprintln!("Hint: {hint}");
        }
    }
}
