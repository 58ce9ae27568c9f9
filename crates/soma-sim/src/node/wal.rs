//! The engine's write-ahead log on a virtual disk: the real log and the real entries.

use std::io::{self, Cursor};

use malachite::app::consensus::Input;
use malachite::app::engine::wal::{decode_entry, encode_entry};
use malachite::app::wal::log::Log;
use soma_consensus::codec::WireCodec;
use soma_consensus::context::{Height, SomaContext};
use soma_consensus::engine::is_torn_wal;

use crate::disk::VirtualFile;

/// The log of the height in work.
pub(crate) struct Wal {
    log: Log<VirtualFile>,
    /// The height that was started since the log was opened.
    height: Option<Height>,
}

impl Wal {
    /// Opens the log.
    pub(crate) fn open(mut file: VirtualFile) -> io::Result<Self> {
        use malachite::app::wal::Storage;
        if is_torn_wal(file.len() as u64) {
            file.truncate_to(0)?;
        }
        Ok(Self {
            log: Log::open_with("consensus.wal", file)?,
            height: None,
        })
    }

    /// A height starts: what is known of it, or nothing and a fresh log.
    pub(crate) fn start(&mut self, height: Height) -> io::Result<Vec<Input<SomaContext>>> {
        if self.height == Some(height) {
            return Ok(Vec::new());
        }
        self.height = Some(height);
        if self.log.sequence() != height.0 {
            self.log.reset(height.0)?;
            return Ok(Vec::new());
        }
        let entries: io::Result<Vec<Vec<u8>>> = self.log.iter()?.collect();
        let read = |bytes: Vec<u8>| decode_entry(&WireCodec, Cursor::new(&bytes));
        entries?.into_iter().map(read).collect()
    }

    /// Forgets everything: this node does not vote at `height`.
    pub(crate) fn reset(&mut self, height: Height) -> io::Result<()> {
        self.height = Some(height);
        self.log.reset(height.0)
    }

    /// Appends an entry of `height`; not on disk before [`Wal::flush`].
    pub(crate) fn append(&mut self, height: Height, entry: Input<SomaContext>) -> io::Result<()> {
        if self.height != Some(height) {
            return Ok(());
        }
        let mut bytes = Vec::new();
        encode_entry(entry, &WireCodec, &mut bytes)?;
        match bytes.is_empty() {
            true => Ok(()),
            false => self.log.append(&bytes),
        }
    }

    /// Syncs the log.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.log.flush()
    }
}
