//! `soma model publish` and `soma model update`: from a weights file to a revealed model.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use serde_json::json;
use soma_crypto::keystore::KeyIdentity;
use soma_sdk::types::{ChainId, Epoch, ModelId, Shannons};
use soma_sdk::workflows::publish::{PublishAs, PublishEvent, PublishState, Publisher, peek};

use super::ModelArgument;
use super::own::read_embedding;
use crate::context::Context;
use crate::error::CliError;
use crate::output::{Fields, Output, duration};
use crate::storage::StorageOptions;

/// Folder of publications in the settings folder.
const FOLDER: &str = "publish";

/// Name of the folder of a model that does not exist yet.
const NEW: &str = "new";

/// How and where to publish.
#[derive(Clone, Debug, Args)]
pub struct PublishOptions {
    /// The weights, as `soma train` saves them; leave it out to go on with what was begun
    #[arg(long, value_name = "FILE", requires = "embedding")]
    pub weights: Option<PathBuf>,
    /// Where the model stands: numbers separated by commas, or `@FILE`
    #[arg(long, value_name = "NUMBERS", allow_hyphen_values = true)]
    pub embedding: Option<String>,
    /// Where key and progress are kept; default a folder for each model in the settings folder
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Return after the commit instead of waiting for the epoch of the reveal
    #[arg(long)]
    pub no_wait: bool,
    /// Act as this account; default the active one
    #[arg(long, value_name = "ADDRESS")]
    pub sender: Option<KeyIdentity>,
    /// Where the sealed weights are put.
    #[command(flatten)]
    pub storage: StorageOptions,
}

/// Publish weights as a new model: seal, upload, create, commit, and reveal in the next epoch
#[derive(Clone, Debug, Args)]
pub struct Publish {
    /// First stake in SOMA; default the network's minimum
    #[arg(long, alias = "stake", value_name = "AMOUNT")]
    pub stake_amount: Option<Shannons>,
    /// Your share of what the model earns, in basis points
    #[arg(long, alias = "rate", value_name = "BPS", default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=10_000))]
    pub commission_rate: u16,
    /// How and where.
    #[command(flatten)]
    pub options: PublishOptions,
}

/// Publish new weights of a model of yours; it goes on with the old ones until the reveal
#[derive(Clone, Debug, Args)]
pub struct Update {
    /// Which.
    #[command(flatten)]
    pub model: ModelArgument,
    /// How and where.
    #[command(flatten)]
    pub options: PublishOptions,
}

impl Publish {
    pub(super) async fn run(self, context: &Context) -> Result<Output, CliError> {
        let publish_as = PublishAs::New {
            stake: self.stake_amount,
            commission_bps: self.commission_rate,
        };
        publish(context, &self.options, publish_as).await
    }
}

impl Update {
    pub(super) async fn run(self, context: &Context) -> Result<Output, CliError> {
        let model = self.model.value()?;
        publish(context, &self.options, PublishAs::Model(model)).await
    }
}

/// The folder of a publication.
pub(in crate::commands) fn folder(context: &Context, model: Option<ModelId>) -> PathBuf {
    let name = model.map_or_else(|| NEW.to_owned(), |model| model.to_string());
    context.dir.dir().join(FOLDER).join(name)
}

async fn publish(
    context: &Context,
    options: &PublishOptions,
    publish_as: PublishAs,
) -> Result<Output, CliError> {
    let model = match publish_as {
        PublishAs::Model(model) => Some(model),
        PublishAs::New { .. } => None,
    };
    let folder = options
        .state
        .clone()
        .unwrap_or_else(|| folder(context, model));
    let store = options.storage.store(context)?;
    let sender = context.address(options.sender.as_ref())?;
    let account = context.client()?.account(context.secret_key(sender)?);
    let mut publisher = Publisher::open(account, store, &folder).await?;
    match (&options.weights, &options.embedding) {
        (Some(weights), Some(embedding)) => {
            let embedding = read_embedding(embedding)?;
            publisher.prepare(weights, &embedding, publish_as).await?;
        }
        _ if publisher.current().is_none() => {
            let text = format!(
                "nothing was begun in {}: say --weights and --embedding",
                folder.display()
            );
            return Err(CliError::Usage(text));
        }
        _ => context.say(&format!("Going on from {}.", folder.display())),
    }
    let observe = |event: PublishEvent<'_>| context.say(&line(&event));
    if options.no_wait {
        return until_committed(publisher, &observe, &folder, model).await;
    }
    context.say(&format!(
        "Stopped at any time, it goes on with: {}",
        again(&folder, model)
    ));
    let Some(model) = publisher.run(&observe).await? else {
        return Ok(Output::nothing());
    };
    let view = publisher.account().client().model(&model, false).await?;
    let fields = Fields::new()
        .with("Model", model)
        .with("Status", &view.status);
    let json = json!({ "model_id": model, "status": "revealed", "model": view });
    Ok(Output::new(&json, fields.text()))
}

async fn until_committed(
    mut publisher: Publisher,
    observe: &(dyn Fn(PublishEvent<'_>) + Send + Sync),
    folder: &Path,
    model: Option<ModelId>,
) -> Result<Output, CliError> {
    loop {
        match publisher.advance(observe).await? {
            PublishState::Working => {}
            PublishState::Idle | PublishState::Revealed { .. } => return Ok(Output::nothing()),
            PublishState::WaitingForEpoch { reveal_epoch, wait } => {
                let model_id = publisher.current().and_then(|current| current.model);
                let command = again(folder, model);
                let fields = Fields::new()
                    .maybe("Model", model_id)
                    .with("Reveal in epoch", reveal_epoch)
                    .with("It begins in", duration(ms(wait)))
                    .with("Reveal with", &command);
                let json = json!({
                    "model_id": model_id,
                    "status": "committed",
                    "reveal_epoch": reveal_epoch,
                    "reveal_in_ms": ms(wait),
                    "reveal_command": command,
                });
                return Ok(Output::new(&json, fields.text()));
            }
        }
    }
}

/// The command that goes on.
pub(in crate::commands) fn again(folder: &Path, model: Option<ModelId>) -> String {
    let folder = folder.display();
    match model {
        Some(model) => format!("soma model update {model} --state {folder}"),
        None => format!("soma model publish --state {folder}"),
    }
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// What people read of an event.
pub(in crate::commands) fn line(event: &PublishEvent<'_>) -> String {
    let size = |bytes: &u64| bytesize::ByteSize(*bytes).to_string();
    match event {
        PublishEvent::Sealing { bytes } => format!("Sealing {} of weights.", size(bytes)),
        PublishEvent::Uploading { bytes } => format!("Uploading {}.", size(bytes)),
        PublishEvent::Uploaded { url } => format!("Uploaded: {url}"),
        PublishEvent::Created { model } => format!("Created model {model}."),
        PublishEvent::Committed {
            model,
            reveal_epoch,
        } => {
            format!("Committed weights of {model}; they must be revealed in epoch {reveal_epoch}.")
        }
        PublishEvent::Waiting { reveal_epoch, wait } => format!(
            "Waiting for epoch {reveal_epoch}, at most {}. Keep this running: a reveal that is \
             missed costs half the stake.",
            duration(ms(*wait))
        ),
        PublishEvent::Retrying { error, pause } => {
            format!("{error}; trying again in {}.", duration(ms(*pause)))
        }
        PublishEvent::Revealed { model, epoch } => {
            format!("Revealed the weights of {model} in epoch {epoch}.")
        }
        _ => String::new(),
    }
}

/// Reveals of publications in the settings folder that wait on this chain.
pub(in crate::commands) fn due(context: &Context, chain_id: ChainId) -> Vec<Due> {
    let Ok(entries) = std::fs::read_dir(context.dir.dir().join(FOLDER)) else {
        return Vec::new();
    };
    let due = entries.flatten().filter_map(|entry| {
        let publication = peek(&entry.path()).ok()??;
        let (model, committed) = (publication.model?, publication.committed?);
        let is_new = publication.create.is_some();
        (publication.chain_id == chain_id).then(|| Due {
            model,
            reveal_epoch: committed.epoch.next(),
            command: again(&entry.path(), (!is_new).then_some(model)),
        })
    });
    let mut due: Vec<Due> = due.collect();
    due.sort_by_key(|due| (due.reveal_epoch, due.model));
    due
}

/// A reveal that is due.
#[derive(Clone, Debug, Serialize)]
pub(in crate::commands) struct Due {
    pub(in crate::commands) model: ModelId,
    /// The one epoch in which it counts.
    pub(in crate::commands) reveal_epoch: Epoch,
    pub(in crate::commands) command: String,
}

impl Due {
    /// What people read of it in epoch `now`, which ends in `left`.
    pub(in crate::commands) fn warning(&self, now: Epoch, left_ms: u64) -> String {
        let Self {
            model,
            reveal_epoch,
            command,
        } = self;
        let left = duration(left_ms);
        match now.cmp(reveal_epoch) {
            Ordering::Less => format!(
                "REVEAL DUE: model {model} must be revealed in epoch {reveal_epoch}, which begins \
                 in at most {left}. Run: {command}"
            ),
            Ordering::Equal => format!(
                "REVEAL NOW: model {model} must be revealed in this epoch, which ends in {left}, or \
                 half its stake is lost. Run: {command}"
            ),
            Ordering::Greater => format!(
                "REVEAL MISSED: model {model} was to be revealed in epoch {reveal_epoch}. See: soma \
                 model info {model}"
            ),
        }
    }
}
