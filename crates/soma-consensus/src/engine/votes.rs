//! The height up to which this node may have voted, whatever became of its chain.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::Path;

use soma_types::Height;

/// Bytes of a write-ahead log without entries: four of a version, eight of the height.
const EMPTY_WAL_BYTES: u64 = 12;
/// Holds the height of votes on blocks that the chain lost: the log itself goes on from where the
/// chain is.
const LOST: &str = "voted";

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
pub(super) fn voted_beyond(folder: &Path, wal: &Path, head: Height) -> io::Result<Option<Height>> {
    let kept = folder.join(LOST);
    // The height in work, whose votes the log has. Of votes at a kept height no log knows any more.
    let logged = logged_height(wal)?.filter(|height| *height > head.saturating_add(1));
    let lost = kept_height(&kept)?.filter(|height| *height > head);
    if let Some(voted) = logged.max(lost) {
        keep(folder, &kept, voted)?;
        return Ok(Some(voted));
    }
    match fs::remove_file(&kept) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(None),
    }
}

/// The height in work when the log at `path` was written last; `None` when there is no such log yet.
fn logged_height(path: &Path) -> io::Result<Option<Height>> {
    let mut head = [0; EMPTY_WAL_BYTES as usize];
    match File::open(path).and_then(|mut file| file.read_exact(&mut head)) {
        Ok(()) => Ok(head.last_chunk().copied().map(Height::from_be_bytes)),
        Err(error) if [ErrorKind::NotFound, ErrorKind::UnexpectedEof].contains(&error.kind()) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
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

    fn write_log(path: &Path, height: Height) {
        let log = [&[0, 0, 0, 1][..], &height.to_be_bytes(), b"entries"].concat();
        fs::write(path, log).unwrap();
    }

    #[test]
    fn the_log_says_at_which_height_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("consensus.wal");
        assert_eq!(logged_height(&path).unwrap(), None);
        fs::write(&path, [0; 5]).unwrap();
        assert_eq!(logged_height(&path).unwrap(), None);
        write_log(&path, 77);
        assert_eq!(logged_height(&path).unwrap(), Some(77));
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
