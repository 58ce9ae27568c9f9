//! Kept sealed weights, opened while they are read.

use std::fs::File;
use std::io::{self, BufReader, Read};

use soma_crypto::sealed::{SealError, SealedReader};
use soma_types::{Checksum, WeightsKey};

use crate::cache::CachedBlob;
use crate::error::BlobError;

/// The weights in a kept sealed file, as a stream. What is read is authenticated by the key;
/// [`SealedBlob::finish`] says whether it was all of the right weights.
pub struct SealedBlob {
    blob: CachedBlob,
    reader: SealedReader<BufReader<File>>,
    failure: Option<BlobError>,
}

impl SealedBlob {
    pub(crate) fn open(
        blob: CachedBlob,
        file: BufReader<File>,
        key: &WeightsKey,
    ) -> Result<Self, BlobError> {
        match SealedReader::new(file, key) {
            Ok(reader) => Ok(Self {
                blob,
                reader,
                failure: None,
            }),
            Err(error) => Err(explain(&blob, error)),
        }
    }

    /// Reads what is left, and checks both checksums: that of the sealed file and, when given,
    /// that of the weights.
    ///
    /// # Errors
    /// Why reading failed before or fails now; [`BlobError::PlaintextMismatch`].
    pub fn finish(mut self, plaintext: Option<Checksum>) -> Result<(), BlobError> {
        let drained = io::copy(&mut self, &mut io::sink());
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        drained.map_err(|error| self.blob.failed(&error))?;
        let Some(report) = self.reader.report() else {
            return Err(self.blob.damaged());
        };
        if report.ciphertext_checksum != self.blob.checksum() {
            return Err(self.blob.damaged());
        }
        match plaintext {
            Some(expected) if expected != report.plaintext_checksum => {
                Err(BlobError::PlaintextMismatch {
                    expected,
                    got: report.plaintext_checksum,
                })
            }
            _ => Ok(()),
        }
    }
}

impl Read for SealedBlob {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.failure.is_some() {
            return Err(io::Error::other("the sealed weights failed to open"));
        }
        self.reader.read(buffer).inspect_err(|error| {
            if error.kind() != io::ErrorKind::Interrupted {
                let inside = error.get_ref().and_then(|inside| inside.downcast_ref());
                self.failure = Some(match inside {
                    Some(error) => explain_ref(&self.blob, error),
                    None => self.blob.failed(error),
                });
            }
        })
    }
}

fn explain(blob: &CachedBlob, error: SealError) -> BlobError {
    match error {
        SealError::Read(error) | SealError::Write(error) => blob.failed(&error),
        error => explain_ref(blob, &error),
    }
}

/// A segment that does not open has another key, or lies on a failing disk: the checksum of the
/// file tells.
fn explain_ref(blob: &CachedBlob, error: &SealError) -> BlobError {
    match blob.verify() {
        Ok(()) => BlobError::Sealed {
            reason: error.to_string(),
        },
        Err(damaged) => damaged,
    }
}
