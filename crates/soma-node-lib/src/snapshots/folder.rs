//! Snapshots on disk: `EPOCH/manifest.json` and `EPOCH/chunks/INDEX`.
//!
//! A snapshot is written beside the others and gets its name when it is complete, so that a crash
//! leaves nothing that looks like one.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use soma_api::{SNAPSHOT_FORMAT, SnapshotChunk, SnapshotManifest};
use soma_types::{ChainId, Epoch};

/// What is not complete begins with this.
const UNFINISHED: &str = "unfinished-";

/// Where snapshots lie.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Opens or makes the folder, and removes what a crash left behind or another chain made.
    /// Gives the snapshots that are there.
    pub(super) fn open(
        path: PathBuf,
        chain_id: ChainId,
    ) -> io::Result<(Self, Vec<SnapshotManifest>)> {
        fs::create_dir_all(&path)?;
        let folder = Self { path };
        let mut found = Vec::new();
        for entry in fs::read_dir(&folder.path)? {
            let name = entry?.file_name();
            let name = name.to_string_lossy();
            if name.starts_with(UNFINISHED) {
                fs::remove_dir_all(folder.path.join(&*name))?;
                continue;
            }
            let Ok(epoch) = name.parse::<u64>() else {
                continue;
            };
            match folder.read(Epoch(epoch), chain_id) {
                Ok(manifest) => found.push(manifest),
                Err(error) => {
                    tracing::warn!(epoch, %error, "a snapshot is of no use and is removed");
                    folder.remove(Epoch(epoch))?;
                }
            }
        }
        Ok((folder, found))
    }

    fn read(&self, epoch: Epoch, chain_id: ChainId) -> io::Result<SnapshotManifest> {
        let refuse = |text: String| io::Error::new(io::ErrorKind::InvalidData, text);
        let text = fs::read(self.of(epoch).join("manifest.json"))?;
        let manifest: SnapshotManifest =
            serde_json::from_slice(&text).map_err(|error| refuse(error.to_string()))?;
        let key = (manifest.format, manifest.chain_id, manifest.epoch);
        if key != (SNAPSHOT_FORMAT, chain_id, epoch) {
            return Err(refuse("it is of another chain, epoch or form".to_owned()));
        }
        for (index, chunk) in manifest.chunks.iter().enumerate() {
            let size = fs::metadata(self.chunk(epoch, index))?.len();
            if size != chunk.size {
                let text = format!("chunk {index} has {size} bytes, not {}", chunk.size);
                return Err(refuse(text));
            }
        }
        Ok(manifest)
    }

    fn of(&self, epoch: Epoch) -> PathBuf {
        self.path.join(epoch.to_string())
    }

    /// The file of a chunk.
    pub(super) fn chunk(&self, epoch: Epoch, index: usize) -> PathBuf {
        self.of(epoch).join("chunks").join(index.to_string())
    }

    /// Begins a snapshot.
    pub(super) fn begin(&self, epoch: Epoch) -> io::Result<Unfinished> {
        let path = self.path.join(format!("{UNFINISHED}{epoch}"));
        if path.exists() {
            fs::remove_dir_all(&path)?;
        }
        fs::create_dir_all(path.join("chunks"))?;
        Ok(Unfinished {
            path,
            chunks: Vec::new(),
        })
    }

    /// Gives a snapshot its name. All of it is on disk when this returns.
    pub(super) fn finish(
        &self,
        unfinished: Unfinished,
        manifest: &SnapshotManifest,
    ) -> io::Result<()> {
        let text = serde_json::to_vec_pretty(manifest)?;
        write(&unfinished.path.join("manifest.json"), &text)?;
        sync(&unfinished.path.join("chunks"))?;
        sync(&unfinished.path)?;
        let place = self.of(manifest.epoch);
        if place.exists() {
            fs::remove_dir_all(&place)?;
        }
        fs::rename(&unfinished.path, &place)?;
        sync(&self.path)
    }

    /// Removes a snapshot. Who reads a chunk of it now can read on.
    pub(super) fn remove(&self, epoch: Epoch) -> io::Result<()> {
        // Under its own name it would look complete while it goes.
        let gone = self.path.join(format!("{UNFINISHED}{epoch}"));
        if gone.exists() {
            fs::remove_dir_all(&gone)?;
        }
        fs::rename(self.of(epoch), &gone)?;
        fs::remove_dir_all(&gone)
    }
}

/// A snapshot that is being written. It is removed when it is dropped unfinished.
pub(super) struct Unfinished {
    path: PathBuf,
    pub(super) chunks: Vec<SnapshotChunk>,
}

impl Unfinished {
    /// Adds a chunk.
    pub(super) fn add(&mut self, bytes: &[u8], content_size: u64) -> io::Result<()> {
        let index = self.chunks.len().to_string();
        write(&self.path.join("chunks").join(index), bytes)?;
        self.chunks.push(SnapshotChunk {
            checksum: soma_crypto::checksum(bytes),
            size: bytes.len() as u64,
            content_size,
        });
        Ok(())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // It is not there any more once it is finished; the next start removes what stays.
        let _ = fs::remove_dir_all(&self.path);
    }
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes names in a folder survive a crash of the machine.
pub(crate) fn sync(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}
