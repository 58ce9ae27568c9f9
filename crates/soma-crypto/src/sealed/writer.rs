//! Sealing.

use std::io::{Read, Write};

use chacha20poly1305::ChaCha20Poly1305;
use chacha20poly1305::KeyInit as _;
use chacha20poly1305::aead::stream::{NewStream as _, StreamPrimitive as _};
use sha3::{Digest as _, Sha3_256};
use soma_types::{Checksum, WeightsKey};

use super::chunks::Chunks;
use super::header::Header;
use super::{HEADER_BYTES, SEGMENT_BYTES, SealError, SealReport, Stream, TAG_BYTES};

/// Seals all of `reader` into `writer`, in constant memory. Use a [fresh key](super::fresh_key)
/// for each set of weights. Flushes the writer at the end.
///
/// # Errors
/// Reading or writing fails, or the input has more than 2^32 segments.
pub fn seal(
    reader: impl Read,
    writer: impl Write,
    key: &WeightsKey,
) -> Result<SealReport, SealError> {
    seal_from(reader, writer, key, &Header::fresh(), 0)
}

/// Seals bytes in memory.
///
/// # Errors
/// As [`seal`].
pub fn seal_bytes(plaintext: &[u8], key: &WeightsKey) -> Result<(Vec<u8>, SealReport), SealError> {
    let tags = (plaintext.len() / SEGMENT_BYTES + 1) * TAG_BYTES;
    let mut sealed = Vec::with_capacity(HEADER_BYTES + plaintext.len() + tags);
    let report = seal(plaintext, &mut sealed, key)?;
    Ok((sealed, report))
}

/// Seals with a given header, the first segment having number `first`.
pub(super) fn seal_from(
    reader: impl Read,
    mut writer: impl Write,
    key: &WeightsKey,
    header: &Header,
    first: u32,
) -> Result<SealReport, SealError> {
    let stream = Stream::from_aead(ChaCha20Poly1305::new(&key.0.into()), &header.nonce().into());
    let associated_data = header.associated_data();
    let (mut plaintext_hash, mut ciphertext_hash) = (Sha3_256::new(), Sha3_256::new());
    let (mut plaintext_len, mut sealed_len) = (0, HEADER_BYTES as u64);
    ciphertext_hash.update(header.as_bytes());
    writer
        .write_all(header.as_bytes())
        .map_err(SealError::Write)?;

    let mut chunks = Chunks::new(reader, SEGMENT_BYTES);
    let mut buffer = Vec::with_capacity(SEGMENT_BYTES + TAG_BYTES);
    let mut position = first;
    loop {
        let last = chunks.next(&mut buffer).map_err(SealError::Read)?;
        plaintext_hash.update(&buffer);
        plaintext_len += buffer.len() as u64;
        // The cipher fails only above 256 GiB a call.
        stream
            .encrypt_in_place(position, last, &associated_data, &mut buffer)
            .map_err(|_| SealError::TooLong)?;
        ciphertext_hash.update(&buffer);
        sealed_len += buffer.len() as u64;
        writer.write_all(&buffer).map_err(SealError::Write)?;
        if last {
            break;
        }
        position = position.checked_add(1).ok_or(SealError::TooLong)?;
    }
    writer.flush().map_err(SealError::Write)?;
    Ok(SealReport {
        plaintext_len,
        sealed_len,
        plaintext_checksum: Checksum(plaintext_hash.finalize().into()),
        ciphertext_checksum: Checksum(ciphertext_hash.finalize().into()),
    })
}
