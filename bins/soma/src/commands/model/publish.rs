//! `soma model publish` and `soma model update`: from a weights file to a revealed model.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde_json::json;
use soma_crypto::keystore::KeyIdentity;
use soma_sdk::SdkError;
use soma_sdk::types::Shannons;
use soma_sdk::workflows::publish::{
    PublishAs, PublishEvent, PublishState, Publisher, abandon, peek,
};

use super::ModelArgument;
use super::check::{check_embedding, check_new, check_own, check_weights, network_size};
use super::own::read_embedding;
use super::reveals::{again, folder, remember};
use crate::context::Context;
use crate::error::CliError;
use crate::output::{Fields, Output, duration};
use crate::storage::StorageOptions;

/// How and where to publish.
#[derive(Clone, Debug, Args)]
pub struct PublishOptions {
    /// The weights, as `soma train` saves them; leave it out to go on with what was begun
    #[arg(long, value_name = "FILE", requires = "embedding")]
    pub weights: Option<PathBuf>,
    /// Where the model stands: numbers separated by commas, or `@FILE`
    #[arg(long, value_name = "NUMBERS", allow_hyphen_values = true)]
    pub embedding: Option<String>,
    /// Where key and progress are kept; default a folder in the settings folder for each model, and for each account's new one
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Return after the commit instead of waiting for the epoch of the reveal
    #[arg(long)]
    pub no_wait: bool,
    /// Forget what was begun; its files, the key included, are kept in the folder `history`
    #[arg(long, conflicts_with_all = ["weights", "no_wait"])]
    pub abandon: bool,
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

async fn publish(
    context: &Context,
    options: &PublishOptions,
    publish_as: PublishAs,
) -> Result<Output, CliError> {
    let model = match publish_as {
        PublishAs::Model(model) => Some(model),
        PublishAs::New { .. } => None,
    };
    let sender = || context.address(options.sender.as_ref());
    let folder = match &options.state {
        Some(folder) => folder.clone(),
        None => folder(context, model, &sender()?),
    };
    if options.abandon {
        return forget(context, &folder);
    }
    remember(context, &folder)?;
    // What is uploaded already needs no storage.
    let store = match peek(&folder)?.is_some_and(|begun| begun.url.is_some()) {
        true => None,
        false => Some(options.storage.store(context)?),
    };
    let account = context.client()?.account(context.secret_key(sender()?)?);
    let mut publisher = Publisher::open(account, store, &folder).await?;
    match (&options.weights, &options.embedding) {
        (Some(weights), Some(embedding)) => {
            let embedding = read_embedding(embedding)?;
            if let Some(current) = publisher.current() {
                let text = format!(
                    "{} is being published already; finish that first: {}",
                    current.weights.display(),
                    again(context, &folder, current)
                );
                return Err(SdkError::InvalidArgument(text).into());
            }
            let account = publisher.account();
            match publish_as {
                PublishAs::Model(model) => check_own(account, model).await?,
                PublishAs::New {
                    stake,
                    commission_bps,
                } => check_new(context, account, stake, commission_bps).await?,
            }
            let size = network_size(account.client()).await?;
            check_embedding(&embedding, size)?;
            check_weights(weights, size).await?;
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
        return until_committed(context, publisher, &observe, &folder).await;
    }
    if let Some(current) = publisher.current() {
        let again = again(context, &folder, current);
        context.say(&format!("Stopped at any time, it goes on with: {again}"));
    }
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

/// `--abandon`: needs neither the account's key nor a node, so that what is of a chain that is gone
/// can be forgotten, too.
fn forget(context: &Context, folder: &Path) -> Result<Output, CliError> {
    let Some(begun) = peek(folder)? else {
        let text = format!("nothing is under way in {}", folder.display());
        return Err(CliError::Usage(text));
    };
    if begun.needs_reveal() {
        let question = "Its weights are committed: half the stake of a new model is lost unless they \
                        are revealed in the next epoch.";
        context.confirm(&format!("{question} Forget it?"))?;
    }
    let Some((publication, kept)) = abandon(folder)? else {
        return Ok(Output::nothing());
    };
    let fields = Fields::new()
        .maybe("Model", publication.model)
        .with("Forgotten", folder.display())
        .with("Kept in", kept.display());
    let json = json!({ "model_id": publication.model, "status": "abandoned", "kept": kept });
    Ok(Output::new(&json, fields.text()))
}

async fn until_committed(
    context: &Context,
    mut publisher: Publisher,
    observe: &(dyn Fn(PublishEvent<'_>) + Send + Sync),
    folder: &Path,
) -> Result<Output, CliError> {
    loop {
        match publisher.advance(observe).await? {
            PublishState::Working => {}
            PublishState::Idle | PublishState::Revealed { .. } => return Ok(Output::nothing()),
            PublishState::WaitingForEpoch { reveal_epoch, wait } => {
                let current = publisher.current();
                let model_id = current.and_then(|current| current.model);
                let command = current.map(|current| again(context, folder, current));
                let command = command.unwrap_or_default();
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
            "Waiting for epoch {reveal_epoch}, at most {}. Keep this running: if the reveal is missed, \
             a new model loses half its stake, another one this update.",
            duration(ms(*wait))
        ),
        PublishEvent::Retrying { error, pause } => {
            format!("{error}; trying again in {}.", duration(ms(*pause)))
        }
        PublishEvent::GivenUp { error, kept } => format!(
            "GIVEN UP: {error}. What is known of it is kept in {}.",
            kept.display()
        ),
        PublishEvent::Revealed { model, epoch } => {
            format!("Revealed the weights of {model} in epoch {epoch}.")
        }
        _ => String::new(),
    }
}
