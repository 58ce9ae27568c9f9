//! The models to score with.

use std::iter::once;
use std::path::Path;

use soma_blobs::{BlobError, BlobRef, Cache, CacheConfig, Fetcher};
use soma_scoring::error::LoadError;
use soma_scoring::{ModelConfig, ModelSource, SealedWeights, WeightsFile, largest_sealed};
use soma_sdk::api::{ModelView, WeightsView};
use soma_sdk::types::ModelId;

use super::Score;
use super::judge::Judge;
use crate::commands::model::fetch_config;
use crate::context::Context;
use crate::error::CliError;

/// Folders of kept downloads: as many commands score with models of the network at the same time.
const MAX_CACHES: u32 = 8;

/// Models with their names, all of one size.
pub(super) struct Models {
    pub(super) size: ModelConfig,
    pub(super) all: Vec<(String, Box<dyn ModelSource>)>,
}

impl Models {
    /// Those that the arguments name; what lies on the network is downloaded.
    pub(super) async fn find(
        context: &Context,
        score: &Score,
        judge: Option<&Judge>,
    ) -> Result<Self, CliError> {
        let mut all: Vec<(String, Box<dyn ModelSource>)> = Vec::new();
        for path in &score.weights {
            let file = WeightsFile::new(path)?;
            all.push((path.display().to_string(), Box::new(file)));
        }
        if let Some(judge) = judge
            && judge.active.is_empty()
            && !score.dry_run
        {
            let target = judge.target.id;
            let text = format!(
                "no model of target {target} is active, so nothing can be submitted for it; name \
                 models with --model ID"
            );
            return Err(CliError::Invalid(text));
        }
        let of_target = judge.map(|judge| judge.active.as_slice());
        let ids = score.models.iter().chain(of_target.unwrap_or_default());
        let mut wanted: Vec<ModelId> = Vec::new();
        for id in ids {
            if !wanted.contains(id) {
                wanted.push(*id);
            }
        }
        let on_network = judge.is_some() || !wanted.is_empty();
        let size = size(context, score, on_network).await?;
        if !wanted.is_empty() {
            download(context, score, &size, &wanted, &mut all).await?;
        }
        Ok(Self { size, all })
    }
}

/// The size that was named, or that of the network, or that of the first file.
async fn size(context: &Context, score: &Score, on_network: bool) -> Result<ModelConfig, CliError> {
    if let Some(name) = &score.model_size {
        let size = ModelConfig::preset(name);
        return size.map_err(|error| CliError::Usage(error.to_string()));
    }
    let hint = "name it with --model-size";
    if on_network {
        let dim = context.client()?.parameters().await?.target_embedding_dim;
        let found = ModelConfig::presets().find(|(_, size)| size.embedding_dim as u64 == dim);
        return found.map(|(_, size)| size).ok_or_else(|| {
            let text = format!("no model size has the network's {dim} components; {hint}");
            CliError::Usage(text)
        });
    }
    let path = score.weights.first().map_or(Path::new(""), |path| path);
    size_of(path)
}

/// The size of the model in a weights file.
pub(crate) fn size_of(path: &Path) -> Result<ModelConfig, CliError> {
    let bytes = std::fs::metadata(path).map_err(CliError::file(path))?.len();
    by_file_size(bytes).ok_or_else(|| {
        let path = path.display();
        let text = format!("{path} has the size of no model; name it with --model-size");
        CliError::Usage(text)
    })
}

/// The size whose weights, in 32 or 16 bits a number, fill a file but for its header.
fn by_file_size(bytes: u64) -> Option<ModelConfig> {
    let fits = |weights: u64| {
        let header = 1_000 + weights / 100;
        (weights..weights + header.max(100_000)).contains(&bytes)
    };
    let mut sizes = ModelConfig::presets().map(|(_, size)| size);
    sizes.find(|size| fits(size.weight_bytes()) || fits(size.weight_bytes() / 2))
}

async fn download(
    context: &Context,
    score: &Score,
    size: &ModelConfig,
    wanted: &[ModelId],
    all: &mut Vec<(String, Box<dyn ModelSource>)>,
) -> Result<(), CliError> {
    let client = context.client()?;
    let fetcher = Fetcher::new(fetch_config(context, score.allow_private_addresses)?)?;
    let cache = open_cache(context.dir.dir(), &fetcher)?;
    let max = largest_sealed(size);
    for id in wanted {
        let model = client.model(id, false).await?;
        let weights = weights(&model)?;
        if weights.size > max {
            let size = weights.size;
            let error = LoadError::TooLarge { size, max };
            let text = format!("model {id} cannot be scored with: {error}");
            return Err(CliError::Invalid(text));
        }
        context.say(&format!(
            "Getting the weights of {id} ({} bytes).",
            weights.size
        ));
        let blob = BlobRef {
            url: weights.url.clone(),
            checksum: weights.checksum,
            size: weights.size,
        };
        let kept = cache.get(&blob).await.map_err(|error| CliError::Model {
            name: id.to_string(),
            code: error.name(),
            error: Box::new(LoadError::Blob(error)),
        });
        let source = SealedWeights {
            blob: kept?,
            key: weights.key,
            plaintext_checksum: Some(weights.plaintext_checksum),
        };
        all.push((id.to_string(), Box::new(source)));
    }
    Ok(())
}

/// Kept downloads. One process at a time uses such a folder, so that each of several commands at
/// the same time has its own.
fn open_cache(parent: &Path, fetcher: &Fetcher) -> Result<Cache, BlobError> {
    let open = |name: &str| Cache::open(CacheConfig::new(parent.join(name)), fetcher.clone());
    let others = (2..=MAX_CACHES).map(|number| format!("blobs-{number}"));
    let mut names = once("blobs".to_owned()).chain(others);
    let free = names.find_map(|name| match open(&name) {
        Err(BlobError::CacheInUse { .. }) => None,
        opened => Some(opened),
    });
    free.unwrap_or_else(|| {
        let folder = parent.to_owned();
        Err(BlobError::CacheInUse { folder })
    })
}

fn weights(model: &ModelView) -> Result<&WeightsView, CliError> {
    model.weights.as_ref().ok_or_else(|| {
        let text = format!(
            "model {} is {} and has no revealed weights; choose an active one",
            model.id, model.status
        );
        CliError::Invalid(text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_follows_from_the_file() {
        for (_, size) in ModelConfig::presets() {
            let bytes = size.weight_bytes();
            assert_eq!(by_file_size(bytes + 4_000), Some(size));
            assert_eq!(by_file_size(bytes / 2 + 4_000), Some(size));
        }
        assert_eq!(by_file_size(17), None);
    }
}
