//! Publishing while training goes on: the best weights so far, again in each epoch.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use soma_sdk::types::{Checksum, ModelId};
use soma_sdk::workflows::publish::{PublishAs, PublishEvent, Publisher};
use soma_trainer::data::Documents;
use soma_trainer::{Finished, Trained, embedding};
use tokio::task::JoinHandle;

use super::{Train, say, snapshot};
use crate::commands::model::line;
use crate::context::Context;
use crate::error::CliError;

/// Time between two looks for better weights.
const LOOK: Duration = Duration::from_secs(5);

/// The weights of the best evaluation, in the folder of a run.
const BEST: &str = "best.safetensors";

/// A publisher beside the trainer.
pub(super) struct Publishing {
    publisher: Publisher,
    /// The run's folder.
    folder: PathBuf,
    /// What is published as; a model once there is one.
    publish_as: PublishAs,
    /// When the weights that were published last were written: the trainer replaces its file as a
    /// whole.
    written: Option<SystemTime>,
    /// The checksum of those weights, also of an earlier run.
    published: Option<Checksum>,
}

impl Publishing {
    /// Opens the folder `publish` of the run, and checks all that can be before training begins.
    pub(super) async fn open(context: &Context, train: &Train) -> Result<Self, CliError> {
        let store = train.storage.store(context)?;
        let sender = context.address(train.sender.as_ref())?;
        let account = context.client()?.account(context.secret_key(sender)?);
        let folder = train.arguments.out.clone();
        let publisher = Publisher::open(account, store, &folder.join("publish")).await?;
        let size = soma_model::ModelConfig::preset(&train.arguments.model_size)
            .map_err(|error| CliError::Usage(error.to_string()))?;
        let parameters = publisher.account().client().parameters().await?;
        if parameters.target_embedding_dim != size.embedding_dim as u64 {
            return Err(CliError::Usage(format!(
                "--model-size {} has embeddings of {} numbers, the network's have {}",
                train.arguments.model_size, size.embedding_dim, parameters.target_embedding_dim
            )));
        }
        let last = publisher.last().await?;
        let mut model = train.model;
        if let (None, Some(last)) = (model, last.as_ref().and_then(|last| last.model)) {
            // An interrupted run goes on with its model, as long as there is one.
            let view = publisher.account().client().model(&last, false).await?;
            model = (view.status != "inactive").then_some(last);
        }
        let sealed = last.and_then(|last| last.sealed.filter(|_| last.model == model));
        Ok(Self {
            publisher,
            folder,
            publish_as: match model {
                Some(model) => PublishAs::Model(model),
                None => PublishAs::New {
                    stake: train.stake_amount,
                    commission_bps: train.commission_rate,
                },
            },
            written: None,
            published: sealed.map(|sealed| sealed.plaintext_checksum),
        })
    }

    /// Publishes until training has ended and its best weights are revealed; after a stop, until what
    /// was committed is revealed.
    pub(super) async fn run(
        mut self,
        context: &Context,
        train: &Train,
        mut training: JoinHandle<Result<Trained, soma_trainer::TrainError>>,
    ) -> Result<(Trained, Option<ModelId>), CliError> {
        let say = say(context);
        let observe = move |event: PublishEvent<'_>| say(&line(&event));
        self.go_on(&observe).await?;
        let mut trained = None;
        loop {
            if trained.is_none() {
                // Whatever comes first: a look for better weights, or the end.
                if let Ok(result) = tokio::time::timeout(LOOK, &mut training).await {
                    let result = result
                        .map_err(|error| CliError::Invalid(format!("training stopped: {error}")))?;
                    trained = Some(result?);
                }
            }
            let is_stopped = |trained: &Trained| trained.finished == Finished::Stopped;
            let best = self.folder.join(BEST);
            let weights = match &trained {
                // Nothing new is begun: it would take until the next epoch.
                Some(trained) if is_stopped(trained) => return Ok((trained.clone(), self.model())),
                Some(trained) => trained.weights.clone(),
                None if best.exists() => best,
                None => continue,
            };
            if self.prepare(train, &weights).await? {
                self.go_on(&observe).await?;
            } else if let Some(trained) = trained {
                return Ok((trained, self.model()));
            }
        }
    }

    /// The model that was published, where there is one.
    fn model(&self) -> Option<ModelId> {
        match self.publish_as {
            PublishAs::Model(model) => Some(model),
            PublishAs::New { .. } => None,
        }
    }

    /// Reveals what is under way.
    async fn go_on(
        &mut self,
        observe: &(dyn Fn(PublishEvent<'_>) + Send + Sync),
    ) -> Result<(), CliError> {
        if let Some(model) = self.publisher.run(observe).await? {
            self.publish_as = PublishAs::Model(model);
        }
        Ok(())
    }

    /// Begins to publish `weights`; false when they were published already.
    async fn prepare(&mut self, train: &Train, weights: &Path) -> Result<bool, CliError> {
        let copy = self.folder.join("publish").join("weights.safetensors");
        let written = std::fs::metadata(weights).and_then(|meta| meta.modified());
        let written = written.map_err(CliError::file(weights))?;
        if self.written == Some(written) {
            return Ok(false);
        }
        // The trainer may write better ones meanwhile: what is published does not change.
        snapshot(weights, &copy)?;
        let checksum = std::fs::File::open(&copy)
            .and_then(soma_crypto::checksum_of_reader)
            .map_err(CliError::file(&copy))?;
        if self.published == Some(checksum) {
            self.written = Some(written);
            return Ok(false);
        }
        let (session, path) = (train.arguments.session(), copy.clone());
        let embedding = tokio::task::spawn_blocking(move || {
            let documents = Documents::open(session.data)?;
            let mut stream = documents.stream(session.stream);
            let size = session.train.check()?;
            embedding::of_weights(session.train.device, &size, &path, &mut stream)
        });
        let embedding = embedding
            .await
            .map_err(|error| CliError::Invalid(format!("the embedding: {error}")))??;
        self.publisher
            .prepare(&copy, &embedding, self.publish_as)
            .await?;
        self.written = Some(written);
        self.published = Some(checksum);
        Ok(true)
    }
}
