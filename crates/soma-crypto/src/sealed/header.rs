//! The header of a sealed stream.

use rand_core::{OsRng, RngCore as _};

use super::{SEGMENT_BYTES, SealError};
use crate::hash::{Domain, hash};

const MAGIC: [u8; 8] = *b"somaseal";
const VERSION: u32 = 1;

/// Bytes of the header: magic 8, version 4 and segment size 4 (little-endian), nonce 7, zero 1.
pub(super) const BYTES: usize = 24;

/// Bytes of the nonce that all segments share.
pub(super) const NONCE_BYTES: usize = 7;

/// The header as it stands in the stream.
pub(super) struct Header([u8; BYTES]);

impl Header {
    /// A header with a random nonce.
    pub(super) fn fresh() -> Self {
        let mut nonce = [0; NONCE_BYTES];
        OsRng.fill_bytes(&mut nonce);
        Self::with_nonce(nonce)
    }

    pub(super) fn with_nonce(nonce: [u8; NONCE_BYTES]) -> Self {
        let mut bytes = [0; BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..16].copy_from_slice(&(SEGMENT_BYTES as u32).to_le_bytes());
        bytes[16..23].copy_from_slice(&nonce);
        Self(bytes)
    }

    /// Reads a header. Only one segment size exists, so a hostile one cannot claim memory.
    pub(super) fn parse(bytes: [u8; BYTES]) -> Result<Self, SealError> {
        if bytes[..8] != MAGIC {
            return Err(SealError::BadHeader(
                "the magic bytes `somaseal` are missing",
            ));
        }
        if bytes[8..12] != VERSION.to_le_bytes() {
            return Err(SealError::BadHeader(
                "the format version is not 1; update this program",
            ));
        }
        if bytes[12..16] != (SEGMENT_BYTES as u32).to_le_bytes() {
            return Err(SealError::BadHeader("the segment size is not 1 MiB"));
        }
        if bytes[23] != 0 {
            return Err(SealError::BadHeader("the reserved byte is not zero"));
        }
        Ok(Self(bytes))
    }

    pub(super) fn as_bytes(&self) -> &[u8; BYTES] {
        &self.0
    }

    pub(super) fn nonce(&self) -> [u8; NONCE_BYTES] {
        let mut nonce = [0; NONCE_BYTES];
        nonce.copy_from_slice(&self.0[16..23]);
        nonce
    }

    /// What each segment authenticates besides its own bytes.
    pub(super) fn associated_data(&self) -> [u8; 32] {
        hash(Domain::SealedWeights, self.0)
    }
}
