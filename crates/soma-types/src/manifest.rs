//! Manifests: where a file lies and what it must be.

use serde::{Deserialize, Serialize};

use crate::bounded::BoundedText;
use crate::id::{Checksum, WeightsKey};

/// The longest URL that the chain stores, in bytes.
pub const MAX_URL_BYTES: usize = 1_024;

/// A URL of at most [`MAX_URL_BYTES`] bytes.
pub type Url = BoundedText<MAX_URL_BYTES>;

/// Submission data: where it lies, its checksum and size.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataManifest {
    /// Where validators download the data.
    pub url: Url,
    /// SHA3-256 of the data.
    pub checksum: Checksum,
    /// Size of the data in bytes.
    pub size: u64,
}

/// Sealed weights: where they lie, and once revealed, how to open them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WeightsManifest {
    /// Where the sealed file lies.
    pub url: Url,
    /// SHA3-256 of the sealed file.
    pub checksum: Checksum,
    /// Size of the sealed file in bytes.
    pub size: u64,
    /// The key that opens it.
    pub key: WeightsKey,
    /// SHA3-256 of the opened file.
    pub plaintext_checksum: Checksum,
}
