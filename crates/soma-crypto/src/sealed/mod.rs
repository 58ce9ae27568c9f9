//! Sealed weights: a stream of any length, encrypted and authenticated in constant memory.
//!
//! ```text
//! header (24 bytes)                                     segment 0 ‖ segment 1 ‖ … ‖ last segment
//! magic "somaseal" ‖ version ‖ segment size ‖ nonce ‖ 0  each: ChaCha20-Poly1305 of 1 MiB + tag
//! ```
//!
//! This is the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár 2015, in its 32-bit
//! big-endian form): the nonce of a segment is the header's 7 random bytes, the segment's number
//! and a flag that only the last one carries. The number makes moved, swapped and doubled
//! segments fail; the flag makes a cut or appended stream fail; the hash of the header is
//! associated data of each segment, so a changed header fails too. Plaintext leaves this module
//! only after its segment was authenticated; the stream as a whole is good when the end is
//! reached without an error.
//!
//! All segments but the last hold 1 MiB of plaintext. The last holds 1 byte to 1 MiB, or none when
//! there is no plaintext at all: one plaintext has one framing.
//!
//! A key opens whatever its owner sealed with it; that the *right* weights come out is checked
//! against the plaintext and ciphertext checksums, which both directions compute on the way.
//!
//! ```
//! use soma_crypto::sealed;
//!
//! let key = sealed::fresh_key();
//! let (bytes, sealed_report) = sealed::seal_bytes(b"weights", &key)?;
//! let (weights, opened_report) = sealed::open_bytes(&bytes, &key)?;
//! assert_eq!(weights, b"weights");
//! assert_eq!(sealed_report, opened_report);
//! # Ok::<(), sealed::SealError>(())
//! ```

mod chunks;
mod error;
mod header;
mod reader;
mod writer;

#[cfg(test)]
mod tests;

use chacha20poly1305::ChaCha20Poly1305;
use chacha20poly1305::aead::stream::StreamBE32;
use rand_core::{OsRng, RngCore as _};
use soma_types::{Checksum, WeightsKey};

pub use error::SealError;
pub use reader::{SealedReader, open, open_bytes};
pub use writer::{seal, seal_bytes};

/// Plaintext bytes in each segment but the last.
pub const SEGMENT_BYTES: usize = 1 << 20;

/// Bytes that each segment grows by: the Poly1305 tag.
pub const TAG_BYTES: usize = 16;

/// Bytes before the first segment.
pub const HEADER_BYTES: usize = header::BYTES;

type Stream = StreamBE32<ChaCha20Poly1305>;

/// What went through a seal or an open, the same for both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealReport {
    /// Bytes of the weights.
    pub plaintext_len: u64,
    /// Bytes of the sealed stream, header included.
    pub sealed_len: u64,
    /// SHA3-256 of the weights.
    pub plaintext_checksum: Checksum,
    /// SHA3-256 of the sealed stream: what the manifest names.
    pub ciphertext_checksum: Checksum,
}

/// A key for one set of weights, from the system's randomness.
///
/// # Panics
/// When the operating system gives no randomness.
pub fn fresh_key() -> WeightsKey {
    let mut bytes = [0; 32];
    OsRng.fill_bytes(&mut bytes);
    WeightsKey(bytes)
}

/// The length of the sealed stream of `plaintext_len` bytes; `None` when it has too many segments.
pub fn sealed_len(plaintext_len: u64) -> Option<u64> {
    let segments = plaintext_len.div_ceil(SEGMENT_BYTES as u64).max(1);
    // The highest number is left to the last segment, as everywhere in the construction.
    (segments <= 1 << 32).then(|| HEADER_BYTES as u64 + plaintext_len + segments * TAG_BYTES as u64)
}
