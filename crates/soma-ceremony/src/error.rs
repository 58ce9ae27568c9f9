//! Why a step of the ceremony is refused.

use std::path::{Path, PathBuf};

use soma_chain::ChainError;
use soma_crypto::SignatureError;
use soma_types::genesis::ChainName;
use soma_types::{Address, ChainId, Shannons};
use thiserror::Error;

/// Why what a validator tells about itself is refused.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum InfoError {
    /// Made for something else.
    #[error(
        "it was made for {got}, not for {wanted}; make it again with `soma validator make-info`"
    )]
    OtherPurpose {
        /// What it was made for.
        got: String,
        /// What it is used for.
        wanted: String,
    },
    /// The account's key is not that of the address.
    #[error("`account_key` is the key of {key}, not of `address` {address}")]
    OtherAccount {
        /// The address of the key.
        key: Address,
        /// The address that is claimed.
        address: Address,
    },
    /// A signature does not hold.
    #[error(
        "the signature by the {key} does not hold: {reason}; the file was changed after it was \
         signed, or signed with another key"
    )]
    Signature {
        /// Which key.
        key: &'static str,
        /// Why.
        reason: SignatureError,
    },
}

/// Why a step of the ceremony is refused.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CeremonyError {
    /// A file cannot be read or written.
    #[error("cannot use {}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// A file does not hold what it should.
    #[error("{}: {reason}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A ceremony was begun here before.
    #[error("{}: there is a ceremony here already; take another folder", .0.display())]
    Begun(PathBuf),
    /// There is none here.
    #[error("{}: no ceremony here; begin one with `soma genesis init`", .0.display())]
    NotBegun(PathBuf),
    /// A name that is not fit for commands and files.
    #[error(
        "the chain cannot be named `{0}`: use 1 to 32 letters, digits, `-`, `_` and `.`, and no spaces"
    )]
    ChainName(ChainName),
    /// What a validator tells about itself.
    #[error("{}: {error}", path.display())]
    Info {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: InfoError,
    },
    /// Two validators with the same of what only one may have.
    #[error("{field} {value} is that of validator {other} already")]
    Taken {
        /// What.
        field: &'static str,
        /// Its value.
        value: String,
        /// Whose it is.
        other: Address,
    },
    /// A model is listed already.
    #[error("these weights are listed already: {}", .0.display())]
    ModelListed(PathBuf),
    /// A model whose embedding has another dimension than the chain's.
    #[error("{}: its embedding has {got} numbers, this chain's have {expected}", path.display())]
    Dimension {
        /// The model's file.
        path: PathBuf,
        /// The dimension of its embedding.
        got: usize,
        /// That of the chain.
        expected: u64,
    },
    /// A model whose weights nobody can download.
    #[error(
        "{}: nobody can download its weights, {size} bytes at `{url}`; give an https or http URL and the \
         size of the sealed file",
        path.display()
    )]
    NoWeights {
        /// The model's file.
        path: PathBuf,
        /// Where they should lie.
        url: String,
        /// Their size in bytes.
        size: u64,
    },
    /// A stake of zero.
    #[error("a validator of the genesis needs a stake above 0")]
    NoStake,
    /// The genesis cannot start a chain.
    #[error("this genesis cannot start a chain: {0}")]
    Chain(#[from] ChainError),
    /// No genesis was built.
    #[error("{}: nothing was built yet; build it with `soma genesis build`", .0.display())]
    NotBuilt(PathBuf),
    /// The folder changed since the genesis was built.
    #[error(
        "{} is not what the folder gives now (chain {built}, now {now}): somebody changed one of \
         them; build it again, and sign again",
        path.display()
    )]
    Stale {
        /// The built file.
        path: PathBuf,
        /// Its chain.
        built: ChainId,
        /// The chain that the folder gives.
        now: ChainId,
    },
    /// The signer is not listed.
    #[error("no listed validator has this consensus key ({0})")]
    NotListed(soma_types::PublicKey),
    /// Somebody has not signed.
    #[error("not signed by: {}", list(.0))]
    Unsigned(Vec<Address>),
    /// A signature is for another genesis, by somebody else, or does not hold.
    #[error("the signature of {validator}: {reason}")]
    Approval {
        /// Whose.
        validator: Address,
        /// What is wrong.
        reason: String,
    },
    /// The supply does not add up.
    #[error("the supply of this genesis is {0}, not 10000000 SOMA")]
    Supply(Shannons),
}

fn list(addresses: &[Address]) -> String {
    let texts: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    texts.join(", ")
}

impl CeremonyError {
    pub(crate) fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::File { path, error }
    }

    pub(crate) fn content(path: &Path, reason: impl ToString) -> Self {
        Self::Content {
            path: path.to_owned(),
            reason: reason.to_string(),
        }
    }

    /// A stable name for scripts.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::File { .. } => "File",
            Self::Content { .. } => "Content",
            Self::Begun(_) => "CeremonyBegun",
            Self::NotBegun(_) => "CeremonyNotBegun",
            Self::ChainName(_) => "InvalidChainName",
            Self::Info { .. } => "InvalidValidatorInfo",
            Self::Taken { .. } => "DuplicateValidatorMetadata",
            Self::ModelListed(_) => "DuplicateModel",
            Self::Dimension { .. } => "EmbeddingDimensionMismatch",
            Self::NoWeights { .. } => "WeightsUnavailable",
            Self::NoStake => "NoStake",
            Self::Chain(_) => "InvalidGenesis",
            Self::NotBuilt(_) => "GenesisNotBuilt",
            Self::Stale { .. } => "GenesisChanged",
            Self::NotListed(_) => "NotAValidator",
            Self::Unsigned(_) => "GenesisNotSigned",
            Self::Approval { .. } => "InvalidSignature",
            Self::Supply(_) => "SupplyMismatch",
        }
    }
}
