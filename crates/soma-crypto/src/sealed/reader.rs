//! Opening.

use std::io::{self, Read, Write};

use chacha20poly1305::ChaCha20Poly1305;
use chacha20poly1305::KeyInit as _;
use chacha20poly1305::aead::stream::{NewStream as _, StreamPrimitive as _};
use sha3::{Digest as _, Sha3_256};
use soma_types::{Checksum, WeightsKey};

use super::chunks::Chunks;
use super::header::Header;
use super::{HEADER_BYTES, SEGMENT_BYTES, SealError, SealReport, Stream, TAG_BYTES};

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Reading,
    Finished,
    Failed,
}

/// Opens a sealed stream while it is read, and gives out authenticated plaintext only.
///
/// What was read is the beginning of the weights; it is all of them once the end is reached
/// without an error. Then [`SealedReader::report`] has the checksums.
///
/// ```
/// use soma_crypto::sealed::{SealedReader, fresh_key, seal_bytes};
/// use std::io::Read as _;
///
/// let key = fresh_key();
/// let (sealed, report) = seal_bytes(b"weights", &key)?;
/// let mut reader = SealedReader::new(sealed.as_slice(), &key)?;
/// let mut weights = String::new();
/// reader.read_to_string(&mut weights)?;
/// assert_eq!((weights.as_str(), reader.report()), ("weights", Some(report)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SealedReader<R> {
    chunks: Chunks<R>,
    stream: Stream,
    associated_data: [u8; 32],
    position: u32,
    state: State,
    // The opened segment, and how much of it `Read` has given out.
    segment: Vec<u8>,
    given: usize,
    plaintext_hash: Sha3_256,
    ciphertext_hash: Sha3_256,
    plaintext_len: u64,
    sealed_len: u64,
}

impl<R: Read> SealedReader<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// [`SealError::Read`] or [`SealError::BadHeader`].
    pub fn new(mut inner: R, key: &WeightsKey) -> Result<Self, SealError> {
        let mut bytes = [0; HEADER_BYTES];
        inner
            .read_exact(&mut bytes)
            .map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => SealError::BadHeader("shorter than the header"),
                _ => SealError::Read(error),
            })?;
        let header = Header::parse(bytes)?;
        let aead = ChaCha20Poly1305::new(&key.0.into());
        Ok(Self {
            chunks: Chunks::new(inner, SEGMENT_BYTES + TAG_BYTES),
            stream: Stream::from_aead(aead, &header.nonce().into()),
            associated_data: header.associated_data(),
            position: 0,
            state: State::Reading,
            segment: Vec::with_capacity(SEGMENT_BYTES + TAG_BYTES + 1),
            given: 0,
            plaintext_hash: Sha3_256::new(),
            ciphertext_hash: Sha3_256::new_with_prefix(bytes),
            plaintext_len: 0,
            sealed_len: HEADER_BYTES as u64,
        })
    }

    /// The next authenticated piece of plaintext, at most 1 MiB; `None` after the last.
    ///
    /// # Errors
    /// [`SealError`]; then the stream is of no use any more.
    pub fn next_segment(&mut self) -> Result<Option<&[u8]>, SealError> {
        match self.state {
            State::Reading => {}
            State::Finished => return Ok(None),
            State::Failed => return Err(SealError::Failed),
        }
        // Until the segment is good, the reader counts as failed: no early return can leave
        // ciphertext to be taken for plaintext.
        self.state = State::Failed;
        self.given = 0;
        let last = self.fill().inspect_err(|_| self.segment.clear())?;
        self.state = if last {
            State::Finished
        } else {
            State::Reading
        };
        Ok(Some(&self.segment))
    }

    fn fill(&mut self) -> Result<bool, SealError> {
        let last = self
            .chunks
            .next(&mut self.segment)
            .map_err(SealError::Read)?;
        self.ciphertext_hash.update(&self.segment);
        self.sealed_len += self.segment.len() as u64;
        if !self.decrypts(last) {
            return Err(self.diagnose(last));
        }
        // An empty last segment after others is a second framing of the same weights.
        if last && self.position > 0 && self.segment.is_empty() {
            return Err(SealError::Tampered {
                segment: self.position.into(),
            });
        }
        self.plaintext_hash.update(&self.segment);
        self.plaintext_len += self.segment.len() as u64;
        if !last {
            self.position = self.position.checked_add(1).ok_or(SealError::TooLong)?;
        }
        Ok(last)
    }

    // Leaves the segment as it is when the tag is wrong.
    fn decrypts(&mut self, last: bool) -> bool {
        let (position, data) = (self.position, &self.associated_data);
        self.stream
            .decrypt_in_place(position, last, data, &mut self.segment)
            .is_ok()
    }

    /// Names what is wrong with the segment that did not open: a good segment with the other
    /// flag means that the stream was cut or lengthened at a boundary.
    fn diagnose(&mut self, last: bool) -> SealError {
        let segment = self.position.into();
        if last && self.segment.len() < TAG_BYTES {
            return SealError::Truncated { segments: segment };
        }
        match (self.decrypts(!last), last) {
            (true, true) => SealError::Truncated {
                segments: segment + 1,
            },
            (true, false) => SealError::TrailingBytes { segment },
            (false, _) if segment == 0 => SealError::WrongKeyOrCorrupt,
            (false, _) => SealError::Tampered { segment },
        }
    }

    /// Lengths and checksums, once the whole stream was read and found good.
    pub fn report(&self) -> Option<SealReport> {
        (self.state == State::Finished).then(|| SealReport {
            plaintext_len: self.plaintext_len,
            sealed_len: self.sealed_len,
            plaintext_checksum: Checksum(self.plaintext_hash.clone().finalize().into()),
            ciphertext_checksum: Checksum(self.ciphertext_hash.clone().finalize().into()),
        })
    }

    /// The reader below.
    pub fn into_inner(self) -> R {
        self.chunks.into_inner()
    }
}

impl<R: Read> Read for SealedReader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        if self.given == self.segment.len() {
            self.next_segment()?;
        }
        let piece = self.segment.get(self.given..).unwrap_or_default();
        let count = piece.len().min(out.len());
        out[..count].copy_from_slice(&piece[..count]);
        self.given += count;
        Ok(count)
    }
}

/// Opens all of `reader` into `writer`, in constant memory. Flushes the writer at the end.
///
/// # Errors
/// [`SealError`]; what was written until then is to be thrown away.
pub fn open(
    reader: impl Read,
    mut writer: impl Write,
    key: &WeightsKey,
) -> Result<SealReport, SealError> {
    let mut reader = SealedReader::new(reader, key)?;
    while let Some(segment) = reader.next_segment()? {
        writer.write_all(segment).map_err(SealError::Write)?;
    }
    writer.flush().map_err(SealError::Write)?;
    reader.report().ok_or(SealError::Failed)
}

/// Opens bytes in memory.
///
/// # Errors
/// As [`open`].
pub fn open_bytes(sealed: &[u8], key: &WeightsKey) -> Result<(Vec<u8>, SealReport), SealError> {
    let mut plaintext = Vec::with_capacity(sealed.len());
    let report = open(sealed, &mut plaintext, key)?;
    Ok((plaintext, report))
}
