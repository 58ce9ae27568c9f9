//! The file of undecided blocks: on disk before the engine hears of a block.
//!
//! The engine's write-ahead log keeps ids only. A block that it may decide after a crash must be
//! found again, so each is appended here and synced first. The file holds one height; the first
//! block of the next height starts it anew, after the one before was committed.
//!
//! ```text
//! "somaund1" height | length checksum record | length checksum record | …
//! ```
//! A record that is cut or changed ends the reading: it was never answered for.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use soma_crypto::checksum;
use soma_types::Height;
use soma_types::codec::{decode, encode};

use super::Record;
use crate::error::ConsensusError;

/// The file that a log is in. The system's own files are the usual one.
pub trait LogFile: Read + Write + Seek + Send {
    /// Cuts the file, or fills it up with zeros, to `bytes` bytes.
    ///
    /// # Errors
    /// When the file cannot be changed.
    fn set_len(&mut self, bytes: u64) -> io::Result<()>;

    /// Returns once everything written before survives a crash of the machine.
    ///
    /// # Errors
    /// When the file cannot be written.
    fn sync_data(&mut self) -> io::Result<()>;
}

impl LogFile for File {
    fn set_len(&mut self, bytes: u64) -> io::Result<()> {
        File::set_len(self, bytes)
    }

    fn sync_data(&mut self) -> io::Result<()> {
        File::sync_data(self)
    }
}

const MAGIC: &[u8; 8] = b"somaund1";
const HEADER_BYTES: usize = 16;
const CHECKSUM_BYTES: usize = 32;

/// The open file.
pub(super) struct Log {
    /// For errors.
    path: PathBuf,
    file: Box<dyn LogFile>,
    height: Option<Height>,
    bytes: u64,
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (path, height) = (self.path.display(), self.height);
        write!(
            f,
            "Log of {} bytes in {path}, height {height:?}",
            self.bytes
        )
    }
}

impl Log {
    /// Opens the file in `folder` and reads what it holds.
    pub(super) fn open(folder: &Path) -> Result<(Self, Vec<Record>), ConsensusError> {
        let path = folder.join("undecided.log");
        let fail = |error| ConsensusError::Log {
            path: path.clone(),
            error,
        };
        std::fs::create_dir_all(folder).map_err(fail)?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(fail)?;
        // The file's name must survive a crash as well.
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(fail)?;
        Self::read(path, Box::new(file))
    }

    /// Reads what `file` holds; `path` is its name in errors.
    pub(super) fn read(
        path: PathBuf,
        mut file: Box<dyn LogFile>,
    ) -> Result<(Self, Vec<Record>), ConsensusError> {
        let fail = |error| ConsensusError::Log {
            path: path.clone(),
            error,
        };
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(fail)?;
        let (height, records, end) = read(&bytes);
        // What follows a cut record would hide what is appended after it.
        let end = u64::try_from(end).unwrap_or_default();
        file.set_len(end)
            .and_then(|()| file.seek(SeekFrom::End(0)).map(drop))
            .map_err(fail)?;
        let log = Self {
            path,
            file,
            height,
            bytes: end,
        };
        Ok((log, records))
    }

    /// The height that it holds.
    pub(super) fn height(&self) -> Option<Height> {
        self.height
    }

    /// Its length.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Appends a record of `height`; on disk when this returns.
    pub(super) fn append(&mut self, height: Height, record: &Record) -> Result<(), ConsensusError> {
        self.write(height, record)
            .map_err(|error| ConsensusError::Log {
                path: self.path.clone(),
                error,
            })
    }

    fn write(&mut self, height: Height, record: &Record) -> io::Result<()> {
        let mut out = Vec::new();
        if self.height != Some(height) {
            self.file.set_len(0)?;
            self.file.seek(SeekFrom::Start(0))?;
            self.bytes = 0;
            out.extend_from_slice(MAGIC);
            out.extend_from_slice(&height.to_be_bytes());
        }
        let body = encode(record);
        let length = u32::try_from(body.len())
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "the block is too large"))?;
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(&checksum(&body).0);
        out.extend_from_slice(&body);
        self.file.write_all(&out)?;
        self.file.sync_data()?;
        self.height = Some(height);
        self.bytes = self.bytes.saturating_add(out.len() as u64);
        Ok(())
    }
}

/// Height, whole records, and where they end.
fn read(bytes: &[u8]) -> (Option<Height>, Vec<Record>, usize) {
    let nothing = (None, Vec::new(), 0);
    let Some((header, mut rest)) = bytes.split_at_checked(HEADER_BYTES) else {
        return nothing;
    };
    let Some(height) = header.strip_prefix(MAGIC) else {
        return nothing;
    };
    let height = height
        .iter()
        .fold(0u64, |n, byte| n << 8 | u64::from(*byte));
    let mut records = Vec::new();
    while let Some((record, left)) = read_record(rest) {
        records.push(record);
        rest = left;
    }
    (Some(height), records, bytes.len() - rest.len())
}

fn read_record(bytes: &[u8]) -> Option<(Record, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (sum, rest) = rest.split_first_chunk::<CHECKSUM_BYTES>()?;
    let (body, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    if checksum(body).0 != *sum {
        return None;
    }
    Some((decode("an undecided block", body).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use soma_types::{Address, Digest};

    use super::*;
    use crate::undecided::Entry;

    fn block(fill: u8) -> Record {
        Record::Block {
            id: Digest([fill; 32]),
            payload: Bytes::from(vec![fill; 300]).into(),
        }
    }

    fn entry(round: u32) -> Record {
        Record::Entry(Entry {
            round,
            valid_round: None,
            proposer: Address([1; 32]),
            id: Digest([1; 32]),
            is_valid: true,
            signed: None,
        })
    }

    #[test]
    fn records_of_a_height_come_back_and_the_next_height_replaces_them() {
        let folder = tempfile::tempdir().unwrap();
        let (mut log, found) = Log::open(folder.path()).unwrap();
        assert!(found.is_empty());
        log.append(7, &block(1)).unwrap();
        log.append(7, &entry(0)).unwrap();
        let (mut log, found) = Log::open(folder.path()).unwrap();
        assert_eq!(log.height(), Some(7));
        assert_eq!(found, [block(1), entry(0)]);
        log.append(7, &entry(1)).unwrap();
        let (mut log, found) = Log::open(folder.path()).unwrap();
        assert_eq!(found, [block(1), entry(0), entry(1)]);
        log.append(8, &block(2)).unwrap();
        let (log, found) = Log::open(folder.path()).unwrap();
        assert_eq!((log.height(), found), (Some(8), vec![block(2)]));
    }

    #[test]
    fn a_file_cut_or_changed_anywhere_gives_the_records_before_and_takes_more() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("undecided.log");
        let (mut log, _) = Log::open(folder.path()).unwrap();
        log.append(3, &entry(0)).unwrap();
        let first = log.bytes() as usize;
        log.append(3, &block(5)).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for cut in (0..whole.len()).chain([whole.len()]) {
            for damage in [whole[..cut].to_vec(), {
                let mut changed = whole.clone();
                if let Some(byte) = changed.get_mut(cut) {
                    *byte ^= 0x10;
                }
                changed
            }] {
                std::fs::write(&path, &damage).unwrap();
                let (mut log, found) = Log::open(folder.path()).unwrap();
                let expected: &[Record] = match damage {
                    _ if damage == whole => &[entry(0), block(5)],
                    // The height's bytes have no checksum; the chain's head tells them wrong.
                    _ if damage.len() == whole.len() && (8..16).contains(&cut) => {
                        &[entry(0), block(5)]
                    }
                    _ if cut >= first => &[entry(0)],
                    _ => &[],
                };
                assert_eq!(found, expected, "at {cut}");
                log.append(9, &entry(4)).unwrap();
                let (_, found) = Log::open(folder.path()).unwrap();
                assert_eq!(found, [entry(4)]);
            }
        }
    }
}
