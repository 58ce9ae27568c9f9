//! The file of undecided blocks: on disk before the engine hears of a block.
//!
//! The engine's write-ahead log keeps ids only. A block that it may decide after a crash must be
//! found again, so each is appended here and synced first. The file holds one height; the first
//! block of the next height starts it anew, after the one before was committed. Until then it only
//! grows: an old round's block may still be decided, by precommits that come late. Its size follows
//! the rounds, which each bring a few blocks and take longer than the one before.
//!
//! ```text
//! "somaund1" height | length checksum record | length checksum record | …
//! ```
//! A record that is cut or changed ends the reading: it was never answered for.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
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
const HEADER_BYTES: u64 = 16;
/// Length and checksum.
const RECORD_HEAD_BYTES: u64 = 4 + 32;

/// The open file.
pub(super) struct Log {
    /// For errors.
    path: PathBuf,
    file: Box<dyn LogFile>,
    height: Option<Height>,
    /// Its length.
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

/// The file of `folder`, and its path.
pub(super) fn open(folder: &Path) -> Result<(PathBuf, Box<dyn LogFile>), ConsensusError> {
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
    Ok((path, Box::new(file)))
}

impl Log {
    /// Reads what `file` holds, a record at a time, each `found` with its place; `path` is the
    /// file's name in errors.
    pub(super) fn read(
        path: PathBuf,
        mut file: Box<dyn LogFile>,
        found: impl FnMut(u64, Record),
    ) -> Result<Self, ConsensusError> {
        let fail = |error| ConsensusError::Log {
            path: path.clone(),
            error,
        };
        let (height, bytes) = read(&mut BufReader::new(&mut file), found).map_err(fail)?;
        // What follows a cut record would hide what is appended after it.
        file.set_len(bytes).map_err(fail)?;
        Ok(Self {
            path,
            file,
            height,
            bytes,
        })
    }

    /// The height that it holds.
    pub(super) fn height(&self) -> Option<Height> {
        self.height
    }

    /// Appends a record of `height`; on disk when this returns. Gives its place.
    pub(super) fn append(
        &mut self,
        height: Height,
        record: &Record,
    ) -> Result<u64, ConsensusError> {
        let written = self.write(height, record);
        written.map_err(|error| self.failed(error))
    }

    /// The record at `place`.
    pub(super) fn record(&mut self, place: u64) -> Result<Record, ConsensusError> {
        let sought = self.file.seek(SeekFrom::Start(place));
        let record = sought.and_then(|_| read_record(&mut self.file));
        let record = record.and_then(|record| {
            record.ok_or_else(|| {
                let reason = format!("the record at byte {place} was changed on disk");
                io::Error::new(io::ErrorKind::InvalidData, reason)
            })
        });
        let record = record.map_err(|error| self.failed(error))?;
        Ok(record.0)
    }

    fn failed(&self, error: io::Error) -> ConsensusError {
        ConsensusError::Log {
            path: self.path.clone(),
            error,
        }
    }

    fn write(&mut self, height: Height, record: &Record) -> io::Result<u64> {
        let mut out = Vec::new();
        if self.height != Some(height) {
            self.file.set_len(0)?;
            self.bytes = 0;
            out.extend_from_slice(MAGIC);
            out.extend_from_slice(&height.to_be_bytes());
        }
        let place = self.bytes.saturating_add(out.len() as u64);
        let body = encode(record);
        let length = u32::try_from(body.len())
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "the block is too large"))?;
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(&checksum(&body).0);
        out.extend_from_slice(&body);
        self.file.seek(SeekFrom::Start(self.bytes))?;
        self.file.write_all(&out)?;
        self.file.sync_data()?;
        self.height = Some(height);
        self.bytes = self.bytes.saturating_add(out.len() as u64);
        Ok(place)
    }
}

/// The height, and where the last whole record ends; each record is `found` with its place.
fn read(
    from: &mut impl Read,
    mut found: impl FnMut(u64, Record),
) -> io::Result<(Option<Height>, u64)> {
    let header = read_bytes(from, HEADER_BYTES)?;
    let Some(height) = header
        .as_deref()
        .and_then(|header| header.strip_prefix(MAGIC))
    else {
        return Ok((None, 0));
    };
    let height = height
        .iter()
        .fold(0u64, |n, byte| n << 8 | u64::from(*byte));
    let mut end = HEADER_BYTES;
    while let Some((record, bytes)) = read_record(from)? {
        found(end, record);
        end = end.saturating_add(bytes);
    }
    Ok((Some(height), end))
}

/// A record and how many bytes it takes; none where it is cut or changed.
fn read_record(from: &mut impl Read) -> io::Result<Option<(Record, u64)>> {
    let Some(head) = read_bytes(from, RECORD_HEAD_BYTES)? else {
        return Ok(None);
    };
    let Some((length, sum)) = head.split_first_chunk::<4>() else {
        return Ok(None);
    };
    let length = u64::from(u32::from_be_bytes(*length));
    let body = read_bytes(from, length)?.filter(|body| checksum(body).0.as_slice() == sum);
    let record = body.and_then(|body| decode("an undecided block", &body).ok());
    Ok(record.map(|record| (record, RECORD_HEAD_BYTES.saturating_add(length))))
}

/// So many bytes; none when there are fewer.
fn read_bytes(from: &mut impl Read, count: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    from.take(count).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 == count).then_some(bytes))
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

    fn open(folder: &Path) -> (Log, Vec<Record>) {
        let (path, file) = super::open(folder).unwrap();
        let mut found = Vec::new();
        let log = Log::read(path, file, |place, record| found.push((place, record)));
        let mut log = log.unwrap();
        for (place, record) in &found {
            assert_eq!(log.record(*place).unwrap(), *record);
        }
        (log, found.into_iter().map(|(_, record)| record).collect())
    }

    #[test]
    fn records_of_a_height_come_back_and_the_next_height_replaces_them() {
        let folder = tempfile::tempdir().unwrap();
        let (mut log, found) = open(folder.path());
        assert!(found.is_empty());
        log.append(7, &block(1)).unwrap();
        log.append(7, &entry(0)).unwrap();
        let (mut log, found) = open(folder.path());
        assert_eq!(log.height(), Some(7));
        assert_eq!(found, [block(1), entry(0)]);
        log.append(7, &entry(1)).unwrap();
        let (mut log, found) = open(folder.path());
        assert_eq!(found, [block(1), entry(0), entry(1)]);
        log.append(8, &block(2)).unwrap();
        let (log, found) = open(folder.path());
        assert_eq!((log.height(), found), (Some(8), vec![block(2)]));
    }

    #[test]
    fn a_file_cut_or_changed_anywhere_gives_the_records_before_and_takes_more() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("undecided.log");
        let (mut log, _) = open(folder.path());
        log.append(3, &entry(0)).unwrap();
        let first = log.bytes as usize;
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
                let (mut log, found) = open(folder.path());
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
                let (_, found) = open(folder.path());
                assert_eq!(found, [entry(4)]);
            }
        }
    }
}
