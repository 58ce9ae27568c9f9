//! Specialists on their way to the chain.

use std::path::PathBuf;

use soma_model::{Cpu, ModelConfig, weights};
use soma_sdk::types::ModelId;
use soma_sdk::workflows::publish::{PublishAs, PublishState, Publisher};

use super::{COMMISSION, Game, STAKE};
use crate::error::DemoError;

impl Game<'_> {
    /// Numbers of an embedding.
    pub(super) fn dim(&self) -> usize {
        let size = ModelConfig::preset(&self.config.model_size);
        size.map_or(0, |size| size.embedding_dim)
    }

    /// Weights that nobody trained.
    pub(super) fn random_weights(&self, seed: u64) -> Result<PathBuf, DemoError> {
        let size = ModelConfig::preset(&self.config.model_size)
            .map_err(|error| DemoError::Settings(error.to_string()))?;
        let path = self.folder.join(format!("random-{seed}.safetensors"));
        let model = weights::random::<Cpu>(&size, 1_000_000 + seed, &Default::default());
        weights::write(&model, &path).map_err(DemoError::step("random weights"))?;
        Ok(path)
    }

    /// Creates all models and commits to their weights.
    pub(super) async fn commit_specialists(&self) -> Result<Vec<Publisher>, DemoError> {
        let mut publishers = Vec::new();
        for (account, specialist) in self.cast.trainers.iter().zip(self.specialists) {
            let folder = self.folder.join(format!("publish-{}", specialist.domain));
            let (account, store) = (account.clone(), self.store.clone());
            let mut publisher = Publisher::open(account, store, &folder).await?;
            let publish_as = PublishAs::New {
                stake: Some(STAKE),
                commission_bps: COMMISSION,
            };
            publisher
                .prepare(&specialist.weights, &specialist.embedding, publish_as)
                .await?;
            while publisher.advance(&|_| {}).await? == PublishState::Working {}
            publishers.push(publisher);
        }
        Ok(publishers)
    }

    /// Reveals them all.
    pub(super) async fn reveal_specialists(
        &self,
        publishers: &mut [Publisher],
    ) -> Result<Vec<ModelId>, DemoError> {
        let mut models = Vec::new();
        for publisher in publishers {
            models.extend(publisher.run(&|_| {}).await?);
        }
        Ok(models)
    }
}
