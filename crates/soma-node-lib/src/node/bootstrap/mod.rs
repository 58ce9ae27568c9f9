//! Starting a node from a snapshot: in an empty data folder, with sources named.
//!
//! ```text
//! sources: what is there? ─▶ hand-overs from the genesis (or a trusted block), each verified
//!      ─▶ manifest: is it that of the certified header? ─▶ chunks, each by its checksum
//!      ─▶ import beside the chain's place ─▶ the state's root is the header's? ─▶ `chain/`
//! ```
//! Whatever a source says is checked; a wrong one costs time and no more. The chain gets its place
//! as a whole: what a crash or a lie leaves behind never opens as a chain.

mod download;
mod error;
mod path;
mod source;
mod trusted;

use std::path::{Path as FilePath, PathBuf};
use std::time::Instant;

use soma_api::SnapshotManifest;
use soma_chain::{Handover, Import};
use soma_types::{Epoch, Genesis};

use super::NodeConfig;
use crate::snapshots::{MAX_CHUNK_BYTES, decode, sync};
use download::{Downloads, file};
pub use error::BootstrapError;
use error::{SourceError, TryError};
use path::Path;
use source::Source;
pub use trusted::TrustedBlock;

/// Starts the chain of `genesis` from a snapshot, when `config` names sources and there is no
/// chain yet. Nothing happens when all sources answer that they have none: the network is young,
/// and blocks from the genesis are the way.
///
/// # Errors
/// [`BootstrapError`]; then there is no chain.
pub(super) async fn bootstrap(
    genesis: &Genesis,
    config: &NodeConfig,
) -> Result<(), BootstrapError> {
    if config.snapshot_urls.is_empty() {
        return Ok(());
    }
    let data_dir = config.data_dir.as_ref();
    let data_dir = data_dir.ok_or(BootstrapError::NoDataFolder)?;
    if has_files(&data_dir.join("chain")) {
        tracing::info!("there is a chain already; snapshot sources are not asked");
        return Ok(());
    }
    let sources = config.snapshot_urls.iter().map(|url| Source::new(url));
    let sources = sources.collect::<Result<Vec<_>, _>>()?;
    let Some(offers) = Offers::ask(&sources).await? else {
        tracing::warn!("no source has a snapshot yet; starting from the genesis by blocks");
        return Ok(());
    };
    let start = Start {
        genesis,
        config,
        data_dir,
        downloads: Downloads::new(
            data_dir.join("bootstrap").join("chunks"),
            config.snapshots.parallel,
        )?,
        path: Path::begin(genesis, config.trusted_block, &sources).await?,
        reasons: offers.reasons.clone(),
    };
    start.run(&sources, offers).await
}

fn has_files(folder: &FilePath) -> bool {
    std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some())
}

/// What sources offer.
struct Offers {
    /// Epochs, newest first, with the places of their sources.
    epochs: Vec<(Epoch, Vec<usize>)>,
    /// Why some sources offer nothing.
    reasons: Vec<String>,
}

impl Offers {
    /// Asks all sources; none when all answer that they have nothing.
    async fn ask(sources: &[Source]) -> Result<Option<Self>, BootstrapError> {
        let (mut epochs, mut reasons) = (std::collections::BTreeMap::new(), Vec::new());
        let asked = futures::future::join_all(sources.iter().map(Source::offers)).await;
        for (place, (source, offered)) in sources.iter().zip(asked).enumerate() {
            match offered {
                Ok(offered) => {
                    for epoch in offered {
                        epochs.entry(epoch).or_insert_with(Vec::new).push(place);
                    }
                }
                Err(error) => {
                    tracing::warn!(source = source.url, %error, "a snapshot source is of no use");
                    reasons.push(format!("{}: {error}", source.url));
                }
            }
        }
        match (epochs.is_empty(), reasons.is_empty()) {
            (true, true) => Ok(None),
            (true, false) => Err(BootstrapError::NoSource { reasons }),
            (false, _) => Ok(Some(Self {
                epochs: epochs.into_iter().rev().collect(),
                reasons,
            })),
        }
    }
}

/// A start under way.
struct Start<'a> {
    genesis: &'a Genesis,
    config: &'a NodeConfig,
    data_dir: &'a FilePath,
    downloads: Downloads,
    path: Path,
    /// What was wrong so far.
    reasons: Vec<String>,
}

impl Start<'_> {
    async fn run(mut self, sources: &[Source], offers: Offers) -> Result<(), BootstrapError> {
        for (epoch, places) in offers.epochs {
            let handover = match self.path.reach(epoch, sources).await {
                Ok(handover) => handover.clone(),
                Err(reasons) => {
                    self.note(reasons);
                    continue;
                }
            };
            let offering = places.iter().map(|place| &sources[*place]);
            for (manifest, sources) in self.manifests(&handover, offering.collect()).await {
                match self.take(&handover, &manifest, &sources).await {
                    Ok(()) => return Ok(()),
                    Err(TryError::Own(error)) => return Err(error),
                    Err(TryError::Source(error)) => {
                        let urls: Vec<_> = sources.iter().map(|s| s.url.as_str()).collect();
                        self.note(vec![format!("{}: {error}", urls.join(", "))]);
                    }
                }
            }
        }
        let reasons = self.reasons;
        Err(BootstrapError::NoSource { reasons })
    }

    fn note(&mut self, reasons: Vec<String>) {
        for reason in reasons {
            tracing::warn!(reason, "a snapshot source is of no use");
            if !self.reasons.contains(&reason) {
                self.reasons.push(reason);
            }
        }
    }

    /// The different snapshots of one epoch that `sources` give, with the sources of each; what
    /// most of them give comes first.
    async fn manifests<'s>(
        &mut self,
        handover: &Handover,
        sources: Vec<&'s Source>,
    ) -> Vec<(SnapshotManifest, Vec<&'s Source>)> {
        let max_bytes = self.config.snapshots.max_bytes;
        let get = |source: &'s Source| source.manifest(handover, max_bytes);
        let found = futures::future::join_all(sources.iter().copied().map(get)).await;
        let mut groups: Vec<(SnapshotManifest, Vec<&'s Source>)> = Vec::new();
        for (source, manifest) in sources.into_iter().zip(found) {
            match manifest {
                Ok(manifest) => match groups.iter_mut().find(|group| group.0 == manifest) {
                    Some(group) => group.1.push(source),
                    None => groups.push((manifest, vec![source])),
                },
                Err(error) => self.note(vec![format!("{}: {error}", source.url)]),
            }
        }
        groups.sort_by_key(|group| std::cmp::Reverse(group.1.len()));
        groups
    }

    /// Downloads and imports one snapshot.
    async fn take(
        &self,
        handover: &Handover,
        manifest: &SnapshotManifest,
        sources: &[&Source],
    ) -> Result<(), TryError> {
        let since = Instant::now();
        let header = handover.committee.header;
        tracing::info!(
            epoch = header.epoch.0,
            height = header.height,
            bytes = manifest.size(),
            chunks = manifest.chunks.len(),
            sources = sources.len(),
            "starting from a snapshot"
        );
        let downloaded = self.downloads.get(manifest, sources).await?;
        let content: u64 = manifest.chunks.iter().map(|chunk| chunk.content_size).sum();
        tracing::info!(downloaded, content, "snapshot: importing");
        let job = ImportJob {
            beside: self.data_dir.join("bootstrap").join("chain"),
            place: self.data_dir.join("chain"),
            cache_bytes: self.config.cache_bytes,
            genesis: self.genesis.clone(),
            handover: handover.clone(),
            past: self.path.before(header.epoch),
            chunks: manifest
                .chunks
                .iter()
                .map(|chunk| (self.downloads.file(chunk), chunk.content_size))
                .collect(),
        };
        let imported = tokio::task::spawn_blocking(move || job.run()).await;
        let imported = imported.map_err(|_| BootstrapError::Panicked)?;
        if let Err(TryError::Source(_)) = &imported {
            self.downloads.remove(manifest);
        }
        imported?;
        let seconds = since.elapsed().as_secs_f64();
        tracing::info!(
            height = header.height,
            downloaded,
            seconds,
            "snapshot: imported"
        );
        let folder = self.data_dir.join("bootstrap");
        if let Err(error) = std::fs::remove_dir_all(&folder) {
            tracing::warn!(folder = %folder.display(), %error, "cannot be removed");
        }
        Ok(())
    }
}

/// Everything that an import needs.
struct ImportJob {
    beside: PathBuf,
    place: PathBuf,
    cache_bytes: u64,
    genesis: Genesis,
    handover: Handover,
    past: Vec<Handover>,
    chunks: Vec<(PathBuf, u64)>,
}

impl ImportJob {
    /// Imports the chunks, checks the root, and gives the chain its place. Blocks the thread.
    fn run(self) -> Result<(), TryError> {
        remove(&self.beside)?;
        let imported = self.import();
        if imported.is_err() {
            remove(&self.beside)?;
        }
        imported?;
        // An empty folder may be in the way.
        remove(&self.place)?;
        std::fs::rename(&self.beside, &self.place).map_err(file(&self.place))?;
        if let Some(folder) = self.place.parent() {
            sync(folder).map_err(file(folder))?;
        }
        Ok(())
    }

    fn import(&self) -> Result<(), TryError> {
        let store = super::open_store(&self.beside, self.cache_bytes);
        let store = store.map_err(soma_chain::ChainError::from)?;
        let import = Import::begin(store, self.genesis.clone(), self.handover.clone());
        let mut import = import.with_past(self.past.clone());
        for (index, (path, content_size)) in self.chunks.iter().enumerate() {
            let size = std::fs::metadata(path).map_err(file(path))?.len();
            let refuse = |reason| SourceError::Chunk { index, reason };
            if size > MAX_CHUNK_BYTES {
                return Err(refuse(format!("it has {size} bytes")).into());
            }
            let bytes = std::fs::read(path).map_err(file(path))?;
            import.add(decode(&bytes, *content_size).map_err(refuse)?)?;
        }
        // The store is flushed and closed here.
        import.finish()?;
        Ok(())
    }
}

fn remove(folder: &FilePath) -> Result<(), BootstrapError> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(file(folder)(error)),
        _ => Ok(()),
    }
}
