//! `soma train`.

mod publish;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde_json::json;
use soma_crypto::keystore::KeyIdentity;
use soma_sdk::types::{ModelId, Shannons};
use soma_trainer::arguments::{STOPPING, Shown, TrainArguments, TrainSummary};
use soma_trainer::{Session, StopFlag, Trained};
use tokio::task::{JoinError, JoinHandle};

use super::model::{Due, fetch_config};
use crate::context::Context;
use crate::error::CliError;
use crate::output::{Fields, Output};
use crate::storage::StorageOptions;

/// Train weights on your data, from scratch, from a file or from a model of the network
#[derive(Clone, Debug, Args)]
pub struct Train {
    /// What to train on, and how.
    #[command(flatten)]
    pub arguments: TrainArguments,
    /// Start from the weights of a model of the network
    #[arg(long, value_name = "MODEL_ID", conflicts_with_all = ["from", "resume"])]
    pub from_model: Option<ModelId>,
    /// Publish the best weights, and better ones in each epoch, while training goes on
    #[arg(long)]
    pub publish: bool,
    /// Publish as this model of yours instead of a new one
    #[arg(long, value_name = "MODEL_ID", requires = "publish")]
    pub model: Option<ModelId>,
    /// First stake of a new model in SOMA; default the network's minimum
    #[arg(
        long,
        value_name = "AMOUNT",
        requires = "publish",
        conflicts_with = "model"
    )]
    pub stake_amount: Option<Shannons>,
    /// Your share of what a new model earns, in basis points
    #[arg(long, value_name = "BPS", default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=10_000))]
    pub commission_rate: u16,
    /// Act as this account; default the active one
    #[arg(long, value_name = "ADDRESS", requires = "publish")]
    pub sender: Option<KeyIdentity>,
    /// Where the sealed weights are put.
    #[command(flatten)]
    pub storage: StorageOptions,
}

impl Train {
    pub(super) async fn run(mut self, context: &Context) -> Result<Output, CliError> {
        if let Some(model) = self.from_model {
            self.arguments.from = Some(self.download(context, model).await?);
        }
        let session = self.arguments.session()?;
        let publishing = match self.publish {
            true => Some(publish::Publishing::open(context, &self, &session).await?),
            false => None,
        };
        let stop = StopFlag::default();
        self.stop_on_signal(context, stop.clone());
        let training = start(session, stop.clone());
        let Some(publishing) = publishing else {
            return Ok(output(&ended(training.await)?, None));
        };
        let (trained, model) = publishing.run(context, training, &stop).await?;
        Ok(output(&trained, model))
    }

    /// Where publications of the run are kept.
    fn publish_folder(&self) -> PathBuf {
        self.arguments.out.join("publish")
    }

    async fn download(&self, context: &Context, model: ModelId) -> Result<PathBuf, CliError> {
        let folder = &self.arguments.out;
        std::fs::create_dir_all(folder).map_err(CliError::file(folder))?;
        let to = folder.join(format!("{model}.safetensors"));
        context.say(&format!("Getting the weights of {model}."));
        let downloads = context.client()?.downloads(fetch_config(context, false)?)?;
        downloads.weights(&model, &to).await?;
        Ok(to)
    }

    /// The first Ctrl-C saves and ends; the second ends at once, and names the reveal that waits.
    fn stop_on_signal(&self, context: &Context, stop: StopFlag) {
        let (context, folder) = (context.clone(), self.publish_folder());
        let is_publishing = self.publish;
        tokio::spawn(async move {
            soma_service::stop_signal().await;
            context.say(STOPPING);
            stop.stop();
            soma_service::stop_signal().await;
            // Money is at stake: whoever reads JSON is told, too.
            if is_publishing && let Some(due) = Due::in_folder(&context, &folder) {
                let (text, command) = (due.risk(), due.command);
                match context.options.json {
                    true => {
                        let hint = format!("run `{command}`");
                        let body = json!({ "code": "RevealDue", "message": text, "hint": hint });
                        eprintln!("{body:#}");
                    }
                    false => eprintln!("REVEAL DUE: {text}. Run: {command}"),
                }
            }
            std::process::exit(130);
        });
    }
}

/// Trains on a thread of its own.
fn start(
    session: Session,
    stop: StopFlag,
) -> JoinHandle<Result<Trained, soma_trainer::TrainError>> {
    let mut shown = Shown::new(session.train.steps);
    tokio::task::spawn_blocking(move || session.run(&mut shown, &stop))
}

fn ended(
    ended: Result<Result<Trained, soma_trainer::TrainError>, JoinError>,
) -> Result<Trained, CliError> {
    Ok(ended.map_err(|error| CliError::Invalid(format!("training stopped: {error}")))??)
}

fn output(trained: &Trained, model: Option<ModelId>) -> Output {
    let summary = TrainSummary::from(trained);
    let fields = Fields::new()
        .with(
            "Training",
            format!("{} after step {}", summary.finished, summary.step),
        )
        .maybe(
            "Bits per byte",
            summary.bits_per_byte.map(|bits| format!("{bits:.4}")),
        )
        .with("Weights", summary.weights.display())
        .maybe(
            "Embedding",
            summary.embedding.as_ref().map(|file| file.display()),
        )
        .maybe("Model", model)
        .maybe("Go on with", summary.resume_command.as_ref());
    let mut output = Output::new(&summary, fields.text());
    if let Some(model) = model {
        output.json["model_id"] = json!(model);
    }
    output
}

/// A copy of a file that the trainer replaces, as it is now; on disk when this returns, as the key
/// that will seal it is.
fn snapshot(from: &Path, to: &Path) -> Result<(), CliError> {
    std::fs::copy(from, to)
        .and_then(|_| std::fs::File::open(to)?.sync_all())
        .map_err(CliError::file(from))
}

/// What the observer of publishing says.
fn say(context: &Context) -> Arc<dyn Fn(&str) + Send + Sync> {
    let quiet = context.options.json;
    Arc::new(move |text: &str| {
        if !quiet {
            eprintln!("{text}");
        }
    })
}
