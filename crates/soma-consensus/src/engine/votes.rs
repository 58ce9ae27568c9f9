//! The height up to which this node may have voted, whatever became of its chain.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::Path;

use soma_types::Height;

use crate::error::ConsensusError;

/// Bytes of a write-ahead log without entries: four of a version, eight of the height.
const EMPTY_WAL_BYTES: u64 = 12;
/// The version's bytes.
const WAL_VERSION: [u8; 4] = 1_u32.to_be_bytes();
/// Bytes of an entry before its data.
const ENTRY_HEAD: usize = 1 + 8 + 4;
/// No chain gets here in a million years: a log of such a height is damaged.
const HEIGHT_LIMIT: Height = 1 << 48;
/// Holds the height of votes on blocks that the chain lost: the log itself goes on from where the
/// chain is.
const LOST: &str = "voted";
/// A damaged log after a start without a key: the key is refused while it is there.
const DAMAGED: &str = "consensus.wal.damaged";

/// True for a write-ahead log of `bytes` bytes whose very first write was cut by a crash. The engine
/// refuses to open it; nothing was logged yet, so it may be emptied.
pub fn is_torn_wal(bytes: u64) -> bool {
    (1..EMPTY_WAL_BYTES).contains(&bytes)
}

/// Empties a write-ahead log that [`is_torn_wal`]: a node that crashed in its first moment would
/// never start again.
pub(super) fn mend_wal(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(metadata) if is_torn_wal(metadata.len()) => {
            let file = OpenOptions::new().write(true).open(path)?;
            file.set_len(0)?;
            file.sync_all()
        }
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The height of votes that this node may have given and that neither its chain, whose last block is
/// `head`, nor its log knows: blocks are lost then, and it must not vote again before its chain has
/// that height. It is kept in `folder` until then, also while the node runs without its key.
///
/// # Errors
/// [`ConsensusError::DamagedLog`], and [`ConsensusError::Log`] when a file fails.
pub(super) fn voted_beyond(
    folder: &Path,
    wal: &Path,
    head: Height,
) -> Result<Option<Height>, ConsensusError> {
    let kept = folder.join(LOST);
    let fails = |error| ConsensusError::Log {
        path: kept.clone(),
        error,
    };
    // The height in work, whose votes the log has. Of votes at a kept height no log knows any more.
    let logged = logged_height(wal, head)?.filter(|height| *height > head.saturating_add(1));
    let lost = kept_height(&kept).map_err(fails)?;
    let lost = lost.filter(|height| *height > head);
    if let Some(voted) = logged.max(lost) {
        keep(folder, &kept, voted).map_err(fails)?;
        return Ok(Some(voted));
    }
    match fs::remove_file(&kept) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(fails(error)),
        _ => Ok(None),
    }
}

/// Sets a damaged log aside for a node without a key, which votes for nothing. Only then: what the log
/// hides would let a key sign twice.
///
/// # Errors
/// [`ConsensusError::Log`] when a file fails.
pub(super) fn set_damaged_aside(
    folder: &Path,
    wal: &Path,
    head: Height,
) -> Result<(), ConsensusError> {
    let reason = match logged_height(wal, head) {
        Ok(_) => return Ok(()),
        Err(ConsensusError::DamagedLog { reason, .. }) => reason,
        Err(error) => return Err(error),
    };
    let aside = folder.join(DAMAGED);
    let moved = aside.try_exists().and_then(|is_there| match is_there {
        // That one may be of votes; no key was used since.
        true => fs::remove_file(wal),
        false => fs::rename(wal, &aside),
    });
    if let Err(error) = moved.and_then(|()| File::open(folder)?.sync_all()) {
        return Err(ConsensusError::Log { path: aside, error });
    }
    tracing::warn!(aside = %aside.display(), %reason, "a damaged log of votes is set aside");
    Ok(())
}

/// Refuses a key while a damaged log is set aside.
///
/// # Errors
/// [`ConsensusError::DamagedLog`], and [`ConsensusError::Log`] when the folder fails.
pub(super) fn refuse_set_aside(folder: &Path) -> Result<(), ConsensusError> {
    let path = folder.join(DAMAGED);
    match path.try_exists() {
        Ok(false) => Ok(()),
        Ok(true) => Err(ConsensusError::DamagedLog {
            path,
            reason: "a start without the key set it aside as damaged".to_owned(),
        }),
        Err(error) => Err(ConsensusError::Log { path, error }),
    }
}

/// The height in work when the log at `path` was written last; `None` when there is no such log yet.
///
/// Whatever is damaged is told here: the engine cuts a log at the first entry that it cannot read,
/// and at the next start nobody would know of the votes behind it.
fn logged_height(path: &Path, head: Height) -> Result<Option<Height>, ConsensusError> {
    let log = match fs::read(path) {
        Ok(log) => log,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            let path = path.to_owned();
            return Err(ConsensusError::Log { path, error });
        }
    };
    let Some((begin, entries)) = log.split_at_checked(EMPTY_WAL_BYTES as usize) else {
        return Ok(None);
    };
    let damaged = |reason: String| ConsensusError::DamagedLog {
        path: path.to_owned(),
        reason,
    };
    // A height of a damaged log would keep the key away for ever.
    if !begin.starts_with(&WAL_VERSION) {
        return Err(damaged("it does not begin as one".to_owned()));
    }
    let height = begin.last_chunk().copied().map(Height::from_be_bytes);
    if let Some(height) = height.filter(|height| *height >= HEIGHT_LIMIT) {
        return Err(damaged(format!("it says to be of height {height}")));
    }
    // Of a height that is decided the engine keeps nothing.
    let height = height.filter(|height| *height > head);
    if height.is_some() {
        check_entries(entries).map_err(|at| {
            let at = at + EMPTY_WAL_BYTES as usize;
            damaged(format!("its entry at byte {at} is not as it was written"))
        })?;
    }
    Ok(height)
}

/// Checks a log's entries: a byte (0), eight of the length, four of the CRC-32, the data. One that a
/// crash cut may be the last, and was synced by nobody: no vote of it was sent. Gives the place of
/// what is damaged.
fn check_entries(entries: &[u8]) -> Result<(), usize> {
    let mut rest = entries;
    while !rest.is_empty() {
        let at = entries.len() - rest.len();
        match entry(rest) {
            Entry::Whole(after) => rest = after,
            Entry::Damaged => return Err(at),
            // A damaged length looks like a cut: then there are more entries behind, or its data is
            // whole without it.
            Entry::Cut => {
                let is_whole = |at| matches!(entry(&rest[at..]), Entry::Whole(_));
                let hides_more = (1..rest.len()).any(is_whole);
                let hides_itself =
                    rest.split_first_chunk::<ENTRY_HEAD>()
                        .is_some_and(|(head, data)| {
                            !data.is_empty() && crc_of(head) == crc32fast::hash(data)
                        });
                return match hides_more || hides_itself {
                    true => Err(at),
                    false => Ok(()),
                };
            }
        }
    }
    Ok(())
}

/// What lies at the beginning of some bytes of a log.
enum Entry<'a> {
    /// An entry, and these bytes after it.
    Whole(&'a [u8]),
    /// The beginning of one.
    Cut,
    /// No entry that the engine writes.
    Damaged,
}

fn entry(bytes: &[u8]) -> Entry<'_> {
    let Some((head, after)) = bytes.split_first_chunk::<ENTRY_HEAD>() else {
        return Entry::Cut;
    };
    let length = head[1..9].first_chunk().copied().map(u64::from_be_bytes);
    let length = length.and_then(|length| usize::try_from(length).ok());
    let Some((data, after)) = length.and_then(|length| after.split_at_checked(length)) else {
        return Entry::Cut;
    };
    // The engine writes nothing empty, and compresses nothing.
    match head[0] == 0 && !data.is_empty() && crc_of(head) == crc32fast::hash(data) {
        true => Entry::Whole(after),
        false => Entry::Damaged,
    }
}

fn crc_of(head: &[u8; ENTRY_HEAD]) -> u32 {
    head.last_chunk().copied().map_or(0, u32::from_be_bytes)
}

fn kept_height(path: &Path) -> io::Result<Option<Height>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let height = text.trim().parse().map_err(|_| {
        let reason = format!("{} does not hold a height", path.display());
        io::Error::new(ErrorKind::InvalidData, reason)
    });
    height.map(Some)
}

fn keep(folder: &Path, path: &Path, height: Height) -> io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    writeln!(file, "{height}")?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    // The name is on disk only when the folder is.
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where the entries of [`write_log`] begin, and where the last ends.
    const ENTRIES: [usize; 4] = [12, 12 + 13 + 20, 12 + 2 * 13 + 60, 12 + 3 * 13 + 120];

    fn write_log(path: &Path, height: Height) {
        let mut log = [&WAL_VERSION[..], &height.to_be_bytes()].concat();
        for (number, length) in [20_u64, 40, 60].into_iter().enumerate() {
            let data = vec![number as u8 + 1; length as usize];
            log.push(0);
            log.extend(length.to_be_bytes());
            log.extend(crc32fast::hash(&data).to_be_bytes());
            log.extend(data);
        }
        fs::write(path, log).unwrap();
    }

    #[test]
    fn the_log_says_at_which_height_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("consensus.wal");
        assert_eq!(logged_height(&path, 76).unwrap(), None);
        fs::write(&path, [0; 5]).unwrap();
        assert_eq!(logged_height(&path, 76).unwrap(), None);
        write_log(&path, 77);
        assert_eq!(logged_height(&path, 76).unwrap(), Some(77));
    }

    #[test]
    fn a_damaged_log_is_told_and_its_height_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let path = folder.join("consensus.wal");
        write_log(&path, 77);
        let good = fs::read(&path).unwrap();
        assert_eq!(good.len(), ENTRIES[3]);
        // A bit anywhere; of the height only what no chain gets to.
        let bits = (0..4).chain([4, 5]).chain(12..good.len());
        for at in bits {
            let mut bytes = good.clone();
            bytes[at] ^= 0x10;
            fs::write(&path, bytes).unwrap();
            let error = voted_beyond(folder, &path, 76).unwrap_err();
            assert!(
                matches!(error, ConsensusError::DamagedLog { .. }),
                "{error}"
            );
            assert!(!folder.join(LOST).exists());
        }
        // The good one, put back; and one that a crash cut in its last entry.
        for length in [good.len(), good.len() - 1, ENTRIES[2] + 5, ENTRIES[2], 12] {
            fs::write(&path, &good[..length]).unwrap();
            let height = voted_beyond(folder, &path, 76).unwrap();
            assert_eq!(height, None, "{length} bytes");
        }
        // Votes of a decided height are of no use any more.
        fs::write(&path, [&good[..12], b"damaged"].concat()).unwrap();
        assert_eq!(voted_beyond(folder, &path, 77).unwrap(), None);
    }

    #[test]
    fn who_follows_goes_on_without_a_damaged_log_which_keeps_its_key_away() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let path = folder.join("consensus.wal");
        let damage = || {
            write_log(&path, 77);
            let mut bytes = fs::read(&path).unwrap();
            bytes[ENTRIES[1]] ^= 0x10;
            fs::write(&path, &bytes).unwrap();
            bytes
        };
        write_log(&path, 77);
        set_damaged_aside(folder, &path, 76).unwrap();
        refuse_set_aside(folder).unwrap();
        assert!(path.exists());

        let first = damage();
        set_damaged_aside(folder, &path, 76).unwrap();
        assert_eq!(voted_beyond(folder, &path, 76).unwrap(), None);
        let error = refuse_set_aside(folder).unwrap_err();
        assert!(
            matches!(error, ConsensusError::DamagedLog { .. }),
            "{error}"
        );
        // One that is damaged later does not replace it.
        fs::write(&path, b"no log of any version").unwrap();
        set_damaged_aside(folder, &path, 76).unwrap();
        assert!(!path.exists());
        assert_eq!(fs::read(folder.join(DAMAGED)).unwrap(), first);
    }

    #[test]
    fn the_height_of_lost_blocks_is_kept_until_the_chain_is_past_it() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let path = folder.join("consensus.wal");
        let beyond = |head| voted_beyond(folder, &path, head).unwrap();
        assert_eq!(beyond(0), None);
        write_log(&path, 77);
        // At work on the block after its last: the rule.
        assert_eq!(beyond(76), None);
        assert_eq!(beyond(10), Some(77));
        // It ran without its key, and its log went on from there.
        write_log(&path, 40);
        assert_eq!(beyond(39), Some(77));
        // What it voted at 77 is in no log any more.
        write_log(&path, 77);
        assert_eq!(beyond(76), Some(77));
        write_log(&path, 78);
        assert_eq!(beyond(77), None);
        assert_eq!(beyond(77), None);
        fs::write(folder.join(LOST), "much").unwrap();
        let error = voted_beyond(folder, &path, 39).unwrap_err();
        assert!(error.to_string().contains("does not hold a height"));
    }

    #[test]
    fn only_a_log_cut_in_its_first_write_is_emptied() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("consensus.wal");
        mend_wal(&path).unwrap();
        assert!(!path.exists());
        for (before, after) in [(0, 0), (1, 0), (11, 0), (12, 12), (200, 200)] {
            fs::write(&path, vec![1; before]).unwrap();
            mend_wal(&path).unwrap();
            assert_eq!(fs::read(&path).unwrap().len(), after);
        }
    }
}
