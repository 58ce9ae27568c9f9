//! Where a model's weights come from.

use std::fmt::Debug;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use soma_blobs::{BlobError, CachedBlob};
use soma_model::weights::WeightsError;
use soma_types::{Checksum, WeightsKey};

use crate::error::LoadError;

/// Names weights: equal keys, equal weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModelKey(pub [u8; 32]);

impl ModelKey {
    fn of(text: impl AsRef<[u8]>) -> Self {
        Self(soma_crypto::checksum(text).0)
    }
}

/// Reads a weights file as a stream.
pub type ReadWeights<'a> = &'a mut dyn FnMut(&mut dyn Read) -> Result<(), WeightsError>;

/// A weights file somewhere.
pub trait ModelSource: Send + Sync + Debug {
    /// Names the weights.
    fn key(&self) -> ModelKey;

    /// Opens the file for `read`, and checks afterwards that it was the right one.
    ///
    /// # Errors
    /// What is wrong with the file comes before what is wrong with the weights in it: only weights
    /// that are surely those named can be called invalid.
    fn load(&self, read: ReadWeights<'_>) -> Result<(), LoadError>;
}

/// Sealed weights that were downloaded.
#[derive(Clone, Debug)]
pub struct SealedWeights {
    /// The sealed file.
    pub blob: CachedBlob,
    /// The key that opens it.
    pub key: WeightsKey,
    /// SHA3-256 of the opened file, when known.
    pub plaintext_checksum: Option<Checksum>,
}

impl ModelSource for SealedWeights {
    fn key(&self) -> ModelKey {
        // The plaintext checksum is part of it: weights that were loaded without it were not
        // checked against it.
        let plaintext = self.plaintext_checksum.map(|checksum| checksum.0);
        let text = [
            self.blob.checksum().0,
            self.key.0,
            plaintext.unwrap_or_default(),
        ];
        ModelKey::of(text.concat())
    }

    fn load(&self, read: ReadWeights<'_>) -> Result<(), LoadError> {
        let mut blob = self.blob.open_sealed(&self.key)?;
        let read = read(&mut blob);
        blob.finish(self.plaintext_checksum)?;
        read.map_err(|error| LoadError::Invalid(Arc::new(error)))
    }
}

/// Weights in a file of this machine, not sealed.
#[derive(Clone, Debug)]
pub struct WeightsFile {
    path: PathBuf,
    key: ModelKey,
}

impl WeightsFile {
    /// The file as it is now: when it changes, it counts as other weights.
    ///
    /// # Errors
    /// [`BlobError::Io`] when there is no such file.
    pub fn new(path: impl Into<PathBuf>) -> Result<Self, BlobError> {
        let path = path.into();
        let found = path.metadata();
        let metadata = found.map_err(|error| unreadable(&path, &error))?;
        let modified = metadata.modified().ok();
        let modified = modified.and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
        let place = path.canonicalize().unwrap_or_else(|_| path.clone());
        let text = format!("{} {modified:?} {}", metadata.len(), place.display());
        Ok(Self {
            path,
            key: ModelKey::of(text),
        })
    }
}

impl ModelSource for WeightsFile {
    fn key(&self) -> ModelKey {
        self.key
    }

    fn load(&self, read: ReadWeights<'_>) -> Result<(), LoadError> {
        let file = File::open(&self.path).map_err(|error| unreadable(&self.path, &error))?;
        let read = read(&mut BufReader::with_capacity(1 << 18, file));
        read.map_err(|error| LoadError::Invalid(Arc::new(error)))
    }
}

fn unreadable(path: &std::path::Path, error: &std::io::Error) -> BlobError {
    BlobError::Io {
        what: format!("cannot read {}", path.display()),
        reason: error.to_string(),
    }
}
