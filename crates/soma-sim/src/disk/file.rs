//! A file on a virtual disk.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use malachite::app::wal::Storage;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use soma_consensus::LogFile;

use super::{Fuse, Honesty};

/// Something done to a file that may not be on disk yet.
#[derive(Clone, Debug)]
enum Change {
    Write { at: usize, bytes: Vec<u8> },
    SetLen(usize),
}

impl Change {
    fn apply(&self, data: &mut Vec<u8>) {
        match self {
            Self::Write { at, bytes } => {
                let end = at + bytes.len();
                if data.len() < end {
                    data.resize(end, 0);
                }
                data[*at..end].copy_from_slice(bytes);
            }
            Self::SetLen(length) => data.resize(*length, 0),
        }
    }

    /// A write whose last bytes did not reach the disk.
    fn torn(&self, dice: &mut ChaCha8Rng) -> Option<Self> {
        let Self::Write { at, bytes } = self else {
            return None;
        };
        let kept = dice.gen_range(0..bytes.len().max(1));
        Some(Self::Write {
            at: *at,
            bytes: bytes[..kept].to_vec(),
        })
    }
}

#[derive(Debug, Default)]
struct Content {
    /// As programs see it.
    data: Vec<u8>,
    /// As it is after a crash.
    synced: Vec<u8>,
    /// As it was one sync earlier: what a lying disk may go back to.
    before: Vec<u8>,
    changes: Vec<Change>,
}

/// An open file; clones share the content, not the position.
#[derive(Debug)]
pub struct VirtualFile {
    content: Arc<Mutex<Content>>,
    position: usize,
    fuse: Fuse,
    honesty: Honesty,
}

impl Clone for VirtualFile {
    /// As opening the file anew.
    fn clone(&self) -> Self {
        Self {
            content: Arc::clone(&self.content),
            position: 0,
            fuse: self.fuse.clone(),
            honesty: self.honesty,
        }
    }
}

impl VirtualFile {
    pub(super) fn new(fuse: Fuse, honesty: Honesty) -> Self {
        Self {
            content: Arc::default(),
            position: 0,
            fuse,
            honesty,
        }
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its length.
    pub fn len(&self) -> usize {
        self.content().data.len()
    }

    /// True without any content.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn check(&self) -> io::Result<()> {
        match self.fuse.burn() {
            true => Ok(()),
            false => Err(io::Error::other("the virtual disk has no power")),
        }
    }

    fn change(&self, change: Change) -> io::Result<()> {
        self.check()?;
        let mut content = self.content();
        change.apply(&mut content.data);
        content.changes.push(change);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.check()?;
        let mut content = self.content();
        if !content.changes.is_empty() {
            content.changes.clear();
            let data = content.data.clone();
            content.before = std::mem::replace(&mut content.synced, data);
        }
        Ok(())
    }

    /// Keeps a random first part of what was not synced; the last change of it may be torn.
    pub(super) fn crash(&self, dice: &mut ChaCha8Rng) {
        let mut content = self.content();
        let content = &mut *content;
        let changes = std::mem::take(&mut content.changes);
        let kept = dice.gen_range(0..=changes.len());
        let mut data = content.synced.clone();
        for change in &changes[..kept] {
            change.apply(&mut data);
        }
        if let Some(torn) = changes.get(kept).and_then(|change| change.torn(dice))
            && dice.gen_bool(0.5)
        {
            torn.apply(&mut data);
        }
        if self.honesty == Honesty::Lies {
            data = std::mem::take(&mut content.before);
        }
        content.data.clone_from(&data);
        content.before.clone_from(&data);
        content.synced = data;
    }
}

impl Read for VirtualFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = {
            let content = self.content();
            let rest = content.data.get(self.position..).unwrap_or_default();
            let count = rest.len().min(buffer.len());
            buffer[..count].copy_from_slice(&rest[..count]);
            count
        };
        self.position += count;
        Ok(count)
    }
}

impl Write for VirtualFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.change(Change::Write {
            at: self.position,
            bytes: bytes.to_vec(),
        })?;
        self.position += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for VirtualFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let from = |start: usize, by: i64| i64::try_from(start).ok()?.checked_add(by);
        let place = match to {
            SeekFrom::Start(place) => i64::try_from(place).ok(),
            SeekFrom::End(by) => from(self.len(), by),
            SeekFrom::Current(by) => from(self.position, by),
        };
        let place = place.and_then(|place| usize::try_from(place).ok());
        self.position = place.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position as u64)
    }
}

fn length(bytes: u64) -> io::Result<usize> {
    usize::try_from(bytes).map_err(|_| io::ErrorKind::InvalidInput.into())
}

impl LogFile for VirtualFile {
    fn set_len(&mut self, bytes: u64) -> io::Result<()> {
        self.change(Change::SetLen(length(bytes)?))
    }

    fn sync_data(&mut self) -> io::Result<()> {
        self.sync()
    }
}

impl Storage for VirtualFile {
    /// The file itself: virtual disks have no folders.
    type OpenOptions = Self;

    fn open_with(_path: impl AsRef<Path>, file: Self) -> io::Result<Self> {
        Ok(file)
    }

    fn size_bytes(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }

    fn truncate_to(&mut self, size: u64) -> io::Result<()> {
        self.change(Change::SetLen(length(size)?))
    }

    fn sync_all(&mut self) -> io::Result<()> {
        self.sync()
    }
}
