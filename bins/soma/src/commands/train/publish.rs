//! Publishing while training goes on: the best weights so far, again in each epoch.
//!
//! Training is never lost for it. While it goes on, whatever is wrong with publishing is said and
//! tried again; what can never succeed gives way to the next publication.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use soma_sdk::SdkError;
use soma_sdk::types::{Checksum, ModelId};
use soma_sdk::workflows::publish::{Publication, PublishAs, PublishEvent, Publisher};
use soma_trainer::data::Documents;
use soma_trainer::{Finished, Session, StopFlag, Trained, embedding};
use tokio::task::JoinHandle;

use super::{Train, ended, say, snapshot};
use crate::commands::model::{check_new, check_own, line, remember};
use crate::context::Context;
use crate::error::CliError;

/// Time between two looks for better weights.
const LOOK: Duration = Duration::from_secs(2);

/// Pause after trouble; doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// Time between two looks at whether to stop.
const STOP_LOOK: Duration = Duration::from_millis(100);

/// The weights of the best evaluation, in the folder of a run.
const BEST: &str = "best.safetensors";

/// Told what happens.
type Observe<'a> = &'a (dyn Fn(PublishEvent<'_>) + Send + Sync);

/// A publisher beside the trainer.
pub(super) struct Publishing {
    publisher: Publisher,
    /// What is trained.
    session: Session,
    /// What is published as; a model once there is one.
    publish_as: PublishAs,
    /// How a model is created where there is none, or it has ended; none where its owner named one.
    new: Option<PublishAs>,
    /// When the weights that were published last were written: the trainer replaces its file as a
    /// whole.
    written: Option<SystemTime>,
    /// The checksum of those weights, also of an earlier run.
    published: Option<Checksum>,
}

/// How publishing ended.
enum Went {
    /// Everything that was begun is revealed.
    On,
    /// It was told to stop before anything was committed.
    Stopped,
}

impl Publishing {
    /// Opens the folder `publish` of the run, and checks all that can be before training begins.
    pub(super) async fn open(
        context: &Context,
        train: &Train,
        session: &Session,
    ) -> Result<Self, CliError> {
        let store = train.storage.store(context)?;
        let sender = context.address(train.sender.as_ref())?;
        let account = context.client()?.account(context.secret_key(sender)?);
        let folder = train.publish_folder();
        let publisher = Publisher::open(account, store, &folder).await?;
        remember(context, &folder)?;
        let preset = &session.train.preset;
        let size = soma_model::ModelConfig::preset(preset)
            .map_err(|error| CliError::Usage(error.to_string()))?;
        let parameters = publisher.account().client().parameters().await?;
        if parameters.target_embedding_dim != size.embedding_dim as u64 {
            return Err(CliError::Usage(format!(
                "--model-size {preset} has embeddings of {} numbers, the network's have {}",
                size.embedding_dim, parameters.target_embedding_dim
            )));
        }
        let new = PublishAs::New {
            stake: train.stake_amount,
            commission_bps: train.commission_rate,
        };
        let mut publishing = Self {
            publisher,
            session: session.clone(),
            publish_as: new,
            new: train.model.is_none().then_some(new),
            written: None,
            published: None,
        };
        match train.model {
            Some(model) => {
                // What is under way is gone on with in any case: its reveal may be due.
                if publishing.publisher.current().is_none() {
                    check_own(publishing.publisher.account(), model).await?;
                }
                publishing.publish_as = PublishAs::Model(model);
                let last = publishing.publisher.last().await?;
                publishing.is_published(last.filter(|last| last.model == Some(model)));
            }
            // An interrupted run goes on with its model, as long as there is one.
            None => {
                publishing.choose().await?;
                let current = publishing.publisher.current();
                let is_created = current.is_some_and(|current| current.model.is_some());
                if publishing.model().is_none() && !is_created {
                    let account = publishing.publisher.account();
                    check_new(context, account, train.stake_amount, train.commission_rate).await?;
                }
            }
        }
        Ok(publishing)
    }

    /// Publishes until training has ended and its best weights are revealed; after a stop, until what
    /// was committed is revealed.
    pub(super) async fn run(
        mut self,
        context: &Context,
        mut training: JoinHandle<Result<Trained, soma_trainer::TrainError>>,
        stop: &StopFlag,
    ) -> Result<(Trained, Option<ModelId>), CliError> {
        let say = say(context);
        let observe = |event: PublishEvent<'_>| say(&line(&event));
        let mut trained = None;
        let (mut pause, mut last_trouble) = (FIRST_PAUSE, Instant::now());
        loop {
            let error = match self
                .publish(&mut training, &mut trained, stop, &observe)
                .await
            {
                Ok(()) => match trained.take() {
                    Some(trained) => return Ok((trained, self.model())),
                    // Only the end of training ends it.
                    None => continue,
                },
                Err(Trouble::Training(error)) => return Err(error),
                Err(Trouble::Publishing(error)) => error,
            };
            // What was under way may be lost with its model; then another one takes its place.
            let is_lost = self.publisher.current().is_none();
            let can_go_on =
                !is_refused(&error) && (!is_lost || self.choose().await.unwrap_or(true));
            if !can_go_on && trained.is_none() {
                let again = match self.new {
                    None => "; start it again without --model to publish a new model",
                    Some(_) => "",
                };
                say(&format!(
                    "PUBLISHING ENDED: {error}. Training goes on{again}."
                ));
                trained = Some(ended((&mut training).await)?);
            }
            if let Some(trained) = trained.take_if(|_| !is_lost || !can_go_on) {
                return match trained.finished {
                    // It was told to end; what is left is in the folder.
                    Finished::Stopped => {
                        say(&format!("Not published: {error}"));
                        Ok((trained, self.model()))
                    }
                    _ => Err(CliError::NotPublished {
                        weights: trained.weights,
                        source: Box::new(error),
                    }),
                };
            }
            if last_trouble.elapsed() > 2 * LONGEST_PAUSE {
                pause = FIRST_PAUSE;
            }
            last_trouble = Instant::now();
            say(&format!(
                "PUBLISHING FAILED: {error}. It is tried again in {} s.",
                pause.as_secs()
            ));
            wait(pause, &mut training, &mut trained).await?;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Publishes whatever is best, until training has ended and there is nothing better.
    async fn publish(
        &mut self,
        training: &mut JoinHandle<Result<Trained, soma_trainer::TrainError>>,
        trained: &mut Option<Trained>,
        stop: &StopFlag,
        observe: Observe<'_>,
    ) -> Result<(), Trouble> {
        loop {
            if let Went::Stopped = self.go_on(stop, observe).await? {
                // Nothing new is begun: it would take until the next epoch. What was begun goes on
                // when the run does.
                if trained.is_none() {
                    *trained = Some(ended(training.await).map_err(Trouble::Training)?);
                }
                return Ok(());
            }
            wait(LOOK, training, trained)
                .await
                .map_err(Trouble::Training)?;
            let best = self.session.folder.join(BEST);
            let weights = match trained {
                Some(trained) if trained.finished == Finished::Stopped => return Ok(()),
                Some(trained) => trained.weights.clone(),
                None if best.exists() => best,
                None => continue,
            };
            if !self.prepare(&weights).await? && trained.is_some() {
                return Ok(());
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

    /// Chooses what the next weights are published as: the model of the run as long as it goes on,
    /// else a new one; false where that is not wanted.
    async fn choose(&mut self) -> Result<bool, CliError> {
        let last = self.publisher.last().await?;
        let known = self.model().or(last.as_ref().and_then(|last| last.model));
        let client = self.publisher.account().client();
        let is_alive = match known {
            Some(model) => {
                let view = client.model(&model, false).await?;
                view.status != "inactive" && !view.leaving
            }
            None => false,
        };
        let chosen = match known.filter(|_| is_alive) {
            Some(model) => Some(PublishAs::Model(model)),
            None => self.new,
        };
        if let Some(chosen) = chosen {
            self.publish_as = chosen;
            let model = self.model();
            self.is_published(last.filter(|last| model.is_some() && last.model == model));
        }
        Ok(chosen.is_some())
    }

    /// Weights that need not be published once more; of any others it is not known.
    fn is_published(&mut self, last: Option<Publication>) {
        let sealed = last.and_then(|last| last.sealed);
        self.published = sealed.map(|sealed| sealed.plaintext_checksum);
        self.written = None;
    }

    /// Reveals what is under way, unless it is told to stop before the commit.
    async fn go_on(&mut self, stop: &StopFlag, observe: Observe<'_>) -> Result<Went, Trouble> {
        let stopped = async {
            while !stop.is_set() {
                tokio::time::sleep(STOP_LOOK).await;
            }
        };
        let went = tokio::select! {
            biased;
            () = stopped => None,
            went = self.publisher.run(observe) => Some(went),
        };
        let went = match went {
            Some(went) => went,
            None => {
                let current = self.publisher.current();
                if !current.is_some_and(Publication::needs_reveal) {
                    return Ok(Went::Stopped);
                }
                self.publisher.run(observe).await
            }
        };
        if let Some(model) = went.map_err(CliError::from)? {
            self.publish_as = PublishAs::Model(model);
        }
        Ok(Went::On)
    }

    /// Begins to publish `weights`; false when they were published already.
    async fn prepare(&mut self, weights: &Path) -> Result<bool, CliError> {
        let copy = self.publisher.folder().join("weights.safetensors");
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
        let (session, path) = (self.session.clone(), copy.clone());
        // Reads and checks all of the weights, too.
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

/// True for what the chain would refuse of any other weights, too.
fn is_refused(error: &CliError) -> bool {
    const REFUSALS: [&str; 5] = [
        "EmbeddingDimensionMismatch",
        "ModelArchitectureVersionMismatch",
        "ModelCommissionRateTooHigh",
        "ModelMinStakeNotMet",
        "NotModelOwner",
    ];
    matches!(error, CliError::Sdk(SdkError::TransactionFailed { name, .. })
        if REFUSALS.contains(&name.as_str()))
}

/// What went wrong.
enum Trouble {
    /// Training ended with an error.
    Training(CliError),
    Publishing(CliError),
}

impl From<CliError> for Trouble {
    fn from(error: CliError) -> Self {
        Self::Publishing(error)
    }
}

/// Waits for so long, or until training has ended.
async fn wait(
    time: Duration,
    training: &mut JoinHandle<Result<Trained, soma_trainer::TrainError>>,
    trained: &mut Option<Trained>,
) -> Result<(), CliError> {
    if trained.is_none()
        && let Ok(result) = tokio::time::timeout(time, training).await
    {
        *trained = Some(ended(result)?);
    }
    Ok(())
}
