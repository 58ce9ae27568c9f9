//! Why weights could not be sealed or opened.

use std::io;

use thiserror::Error;

/// Why weights could not be sealed or opened. Output written before the error is to be thrown
/// away: it may be the true beginning of a stream that is not whole.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SealError {
    /// The input could not be read.
    #[error("cannot read the input: {0}")]
    Read(#[source] io::Error),
    /// The output could not be written.
    #[error("cannot write the output: {0}")]
    Write(#[source] io::Error),
    /// The stream does not start like sealed weights of a version known here.
    #[error("not sealed weights: {0}")]
    BadHeader(&'static str),
    /// The first segment does not open: another key, or a changed header or segment.
    #[error("the weights do not open with this key: it is another key, or the file was changed")]
    WrongKeyOrCorrupt,
    /// A later segment does not open.
    #[error("segment {segment} of the sealed weights was changed, moved or cut; fetch them again")]
    Tampered {
        /// Number of the segment, from 0.
        segment: u64,
    },
    /// The stream ends before its last segment.
    #[error("the sealed weights end after {segments} whole segments, before their last one")]
    Truncated {
        /// Segments that are there and good.
        segments: u64,
    },
    /// Something follows the last segment.
    #[error("bytes follow the last segment ({segment}) of the sealed weights")]
    TrailingBytes {
        /// Number of the last segment, from 0.
        segment: u64,
    },
    /// More segments than their numbers can count (4 PiB).
    #[error("too long to seal: a stream holds at most 2^32 segments of 1 MiB")]
    TooLong,
    /// The reader was used after it had reported an error.
    #[error("this stream failed before; nothing more can be read from it")]
    Failed,
}

impl From<SealError> for io::Error {
    fn from(error: SealError) -> Self {
        match error {
            SealError::Read(error) | SealError::Write(error) => error,
            other => Self::new(io::ErrorKind::InvalidData, other),
        }
    }
}
