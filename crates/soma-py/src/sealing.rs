//! Sealed weights and checksums, read and written where Python keeps them.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;
use soma_crypto::sealed::{self, HEADER_BYTES, SEGMENT_BYTES, SealError, SealReport, TAG_BYTES};
use soma_types::{Checksum, WeightsKey};
use tempfile::NamedTempFile;

use crate::arguments::parse;
use crate::errors::Failure;
use crate::exit::compute;

/// Bytes read from or written to a file at a time.
const PART: usize = 1 << 20;

/// Where weights lie: in memory, where Python keeps them, or in a file.
#[derive(Debug, FromPyObject)]
pub(crate) enum Place {
    Bytes(PyBackedBytes),
    File(PathBuf),
}

impl Place {
    /// Reads from the beginning.
    pub(crate) fn open(&self) -> io::Result<Box<dyn Read + '_>> {
        Ok(match self {
            Self::Bytes(bytes) => Box::new(&bytes[..]),
            Self::File(path) => Box::new(BufReader::with_capacity(PART, File::open(path)?)),
        })
    }

    /// Size in bytes.
    pub(crate) fn size(&self) -> io::Result<u64> {
        Ok(match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File(path) => path.metadata()?.len(),
        })
    }
}

/// A fresh key, in Base58.
#[pyfunction]
pub(crate) fn fresh_key(py: Python<'_>) -> PyResult<String> {
    compute(py, || Ok(sealed::fresh_key().to_string()))
}

/// Checks a key and gives it as it is printed.
#[pyfunction]
pub(crate) fn parse_key(py: Python<'_>, name: &str, text: &str) -> PyResult<String> {
    let key: Result<WeightsKey, _> = parse(name, text);
    key.map(|key| key.to_string())
        .map_err(|failure| failure.raise(py))
}

/// Checks a checksum and gives it as it is printed.
#[pyfunction]
pub(crate) fn parse_checksum(py: Python<'_>, name: &str, text: &str) -> PyResult<String> {
    let checksum: Result<Checksum, _> = parse(name, text);
    checksum
        .map(|checksum| checksum.to_string())
        .map_err(|failure| failure.raise(py))
}

/// SHA3-256 in Base58.
#[pyfunction]
pub(crate) fn checksum(data: &Bound<'_, PyBytes>) -> PyResult<String> {
    let bytes = data.as_bytes();
    compute(data.py(), || Ok(soma_crypto::checksum(bytes).to_string()))
}

/// SHA3-256 of a file in Base58, without holding it.
#[pyfunction]
pub(crate) fn checksum_file(py: Python<'_>, path: PathBuf) -> PyResult<String> {
    compute(py, || {
        let unreadable = |error| Failure::file(&path, error);
        let file = BufReader::with_capacity(PART, File::open(&path).map_err(unreadable)?);
        let checksum = soma_crypto::checksum_of_reader(file).map_err(unreadable)?;
        Ok(checksum.to_string())
    })
}

/// Seals bytes.
#[pyfunction]
pub(crate) fn seal<'py>(data: &Bound<'py, PyBytes>, key: &str) -> PyResult<Bound<'py, PyBytes>> {
    let py = data.py();
    let key: WeightsKey = parse("key", key).map_err(|failure| failure.raise(py))?;
    let plain = data.as_bytes();
    let size = sealed::sealed_len(plain.len() as u64).and_then(|size| usize::try_from(size).ok());
    let size = size.ok_or_else(|| bad_data(SealError::TooLong).raise(py))?;
    PyBytes::new_with(py, size, |out| {
        compute(py, || {
            sealed::seal(plain, out, &key).map_err(bad_data)?;
            Ok(())
        })
    })
}

/// Opens sealed bytes.
#[pyfunction]
pub(crate) fn unseal<'py>(data: &Bound<'py, PyBytes>, key: &str) -> PyResult<Bound<'py, PyBytes>> {
    let py = data.py();
    let key: WeightsKey = parse("key", key).map_err(|failure| failure.raise(py))?;
    let sealed = data.as_bytes();
    // What is too short has no plaintext; opening it says why.
    let size = plain_len(sealed.len() as u64).unwrap_or_default();
    let size = usize::try_from(size).unwrap_or_default();
    PyBytes::new_with(py, size, |out| {
        compute(py, || {
            sealed::open(sealed, out, &key).map_err(bad_data)?;
            Ok(())
        })
    })
}

/// Seals a file into another, in constant memory. Gives checksum and size of the sealed file, and
/// the checksum of the open one.
#[pyfunction]
pub(crate) fn seal_file(
    py: Python<'_>,
    source: PathBuf,
    destination: PathBuf,
    key: &str,
) -> PyResult<(String, u64, String)> {
    let key: WeightsKey = parse("key", key).map_err(|failure| failure.raise(py))?;
    convert(
        py,
        &source,
        &destination,
        soma_blobs::readable_file,
        move |from, to| sealed::seal(from, to, &key),
    )
}

/// Opens a sealed file into another, in constant memory. Gives checksum and size of the sealed
/// file, and the checksum of the open one.
#[pyfunction]
pub(crate) fn unseal_file(
    py: Python<'_>,
    source: PathBuf,
    destination: PathBuf,
    key: &str,
) -> PyResult<(String, u64, String)> {
    let key: WeightsKey = parse("key", key).map_err(|failure| failure.raise(py))?;
    convert(py, &source, &destination, private_file, move |from, to| {
        sealed::open(from, to, &key)
    })
}

/// A new file for its owner only: weights are secret until they are revealed.
fn private_file(folder: &Path) -> io::Result<NamedTempFile> {
    NamedTempFile::new_in(folder)
}

/// The destination is replaced, by a file that `new_file` makes beside it, only when all is well.
fn convert(
    py: Python<'_>,
    source: &Path,
    destination: &Path,
    new_file: fn(&Path) -> io::Result<NamedTempFile>,
    work: impl FnOnce(&mut dyn Read, &mut dyn Write) -> Result<SealReport, SealError> + Send,
) -> PyResult<(String, u64, String)> {
    compute(py, || {
        let file = File::open(source).map_err(|error| Failure::file(source, error))?;
        // What lies there is replaced: a device or a link must not be.
        if destination
            .symlink_metadata()
            .is_ok_and(|there| !there.is_file())
        {
            let error = std::io::Error::other("it is there and no regular file");
            return Err(Failure::file(destination, error));
        }
        let mut reader = BufReader::with_capacity(PART, file);
        let folder = match destination.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        let unwritable = |error: std::io::Error| Failure::file(destination, error);
        let part = new_file(folder).map_err(unwritable)?;
        let mut writer = BufWriter::with_capacity(PART, part);
        let report = work(&mut reader, &mut writer).map_err(|error| match error {
            SealError::Read(error) => Failure::file(source, error),
            SealError::Write(error) => unwritable(error),
            other => Failure::argument("source", other),
        })?;
        let part = writer.into_inner();
        let part = part.map_err(|error| unwritable(error.into_error()))?;
        // Whole on disk before it takes its place.
        part.as_file().sync_all().map_err(unwritable)?;
        part.persist(destination)
            .map_err(|error| unwritable(error.error))?;
        Ok((
            report.ciphertext_checksum.to_string(),
            report.sealed_len,
            report.plaintext_checksum.to_string(),
        ))
    })
}

/// Bytes of the plaintext of a sealed stream; none when it is shorter than any.
pub(crate) fn plain_len(sealed: u64) -> Option<u64> {
    let (segment, tag) = (SEGMENT_BYTES as u64, TAG_BYTES as u64);
    let body = sealed.checked_sub(HEADER_BYTES as u64)?;
    let segments = body.div_ceil(segment + tag).max(1);
    body.checked_sub(segments * tag)
}

fn bad_data(error: SealError) -> Failure {
    Failure::argument("data", error)
}
