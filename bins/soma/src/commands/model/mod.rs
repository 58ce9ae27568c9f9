//! `soma model`.

mod average;
mod check;
mod commits;
mod download;
mod embed;
mod init;
mod own;
mod publish;
mod reveals;
mod seal;
mod show;

use clap::{Args, Subcommand};
use soma_crypto::keystore::KeyIdentity;
use soma_sdk::types::{ModelId, Shannons, TransactionKind, WeightsKey};

use crate::arguments::either;
use crate::context::Context;
use crate::error::CliError;
use crate::output::Output;
use crate::transaction::{TransactionOptions, process};

pub use average::Average;
pub(super) use check::{check_new, check_own};
pub use download::Download;
pub(super) use download::fetch_config;
pub use embed::Embed;
pub use init::InitWeights;
pub(super) use own::read_embedding;
pub(super) use publish::line;
pub use publish::{Publish, PublishOptions, Update};
pub(super) use reveals::{Due, due, known, remember, warn};
pub use seal::Seal;

/// Show models, and manage your own
#[derive(Clone, Debug, Args)]
pub struct Model {
    /// What to do.
    #[command(subcommand)]
    pub command: ModelCommand,
}

either!(
    /// The model. Also `--model-id`
    ModelArgument, ModelId, "MODEL_ID", "model-id", required
);

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum ModelCommand {
    /// List models
    List {
        /// Only models of this address or alias
        #[arg(long, value_name = "ADDRESS")]
        owner: Option<KeyIdentity>,
        /// Only models with this status
        #[arg(long, short, value_parser = ["created", "pending", "active", "inactive"])]
        status: Option<String>,
    },
    /// Show a model
    Info {
        /// Which.
        #[command(flatten)]
        model: ModelArgument,
    },
    /// Create a model with its first stake
    Create {
        /// First stake in SOMA; default the network's minimum
        #[arg(long, alias = "stake", value_name = "AMOUNT")]
        stake_amount: Option<Shannons>,
        /// Your share of what the model earns, in basis points
        #[arg(long, alias = "rate", value_name = "BPS", default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=10_000))]
        commission_rate: u16,
        /// Architecture of its weights; default the network's
        #[arg(long, value_name = "VERSION")]
        architecture_version: Option<u64>,
        /// Options of the transaction.
        #[command(flatten)]
        options: TransactionOptions,
    },
    /// Seal weights for `soma model commit`: encrypt them under a fresh key
    Seal(Seal),
    /// Commit to sealed weights, to be revealed in the next epoch
    Commit {
        /// Which.
        #[command(flatten)]
        model: ModelArgument,
        /// The sealed file; checksums are computed from it
        #[arg(long, alias = "encrypted-weights", value_name = "FILE")]
        weights_file: std::path::PathBuf,
        /// Where others download it
        #[arg(long, value_name = "URL")]
        weights_url: String,
        /// The key that opens it, in Base58
        #[arg(long, value_name = "KEY")]
        decryption_key: WeightsKey,
        /// Where the model stands: numbers separated by commas, or `@FILE`
        #[arg(long, value_name = "NUMBERS", allow_hyphen_values = true)]
        embedding: String,
        /// Options of the transaction.
        #[command(flatten)]
        options: TransactionOptions,
    },
    /// Reveal the weights committed in the epoch before
    Reveal {
        /// Which.
        #[command(flatten)]
        model: ModelArgument,
        /// The key of the sealed weights, in Base58; default what `soma model commit` kept
        #[arg(long, value_name = "KEY", requires = "embedding")]
        decryption_key: Option<WeightsKey>,
        /// The committed embedding: numbers separated by commas, or `@FILE`
        #[arg(
            long,
            value_name = "NUMBERS",
            allow_hyphen_values = true,
            requires = "decryption_key"
        )]
        embedding: Option<String>,
        /// Options of the transaction.
        #[command(flatten)]
        options: TransactionOptions,
    },
    /// Publish weights as a new model: seal, upload, create, commit, and reveal in the next epoch
    Publish(Publish),
    /// Publish new weights of a model of yours; it goes on with the old ones until the reveal
    Update(Update),
    /// Download the weights of a model, opened and checked
    Download(Download),
    /// Make random weights: a start for training, or a try of the network
    InitWeights(InitWeights),
    /// Average the weights of several files
    Average(Average),
    /// Compute where a model stands: the embedding to publish its weights with
    Embed(Embed),
    /// End a model with the epoch: until then it answers for its targets
    Deactivate {
        /// Which.
        #[command(flatten)]
        model: ModelArgument,
        /// Options of the transaction.
        #[command(flatten)]
        options: TransactionOptions,
    },
    /// Change a model's commission from the next epoch on
    SetCommissionRate {
        /// Which.
        #[command(flatten)]
        model: ModelArgument,
        /// In basis points
        #[arg(long, alias = "rate", value_name = "BPS", value_parser = clap::value_parser!(u16).range(0..=10_000))]
        commission_rate: u16,
        /// Options of the transaction.
        #[command(flatten)]
        options: TransactionOptions,
    },
}

impl Model {
    pub(super) async fn run(self, context: &Context) -> Result<Output, CliError> {
        match self.command {
            ModelCommand::List { owner, status } => {
                let wallet = context.wallet()?;
                let owner = owner.map(|owner| wallet.address(&owner)).transpose()?;
                show::list(&context.client()?, owner, status).await
            }
            ModelCommand::Info { model } => show::info(&context.client()?, model.value()?).await,
            ModelCommand::Create {
                stake_amount,
                commission_rate,
                architecture_version,
                options,
            } => {
                let client = context.client()?;
                let kind =
                    own::create(&client, stake_amount, commission_rate, architecture_version);
                own::process_create(context, &options, kind.await?).await
            }
            ModelCommand::Commit {
                model,
                weights_file,
                weights_url,
                decryption_key,
                embedding,
                options,
            } => {
                let commit = own::Commit {
                    model: model.value()?,
                    file: &weights_file,
                    url: &weights_url,
                    key: decryption_key,
                    embedding: read_embedding(&embedding)?,
                };
                own::process_commit(context, &options, commit).await
            }
            ModelCommand::Reveal {
                model,
                decryption_key,
                embedding,
                options,
            } => {
                let model = model.value()?;
                let given = match (decryption_key, embedding) {
                    (Some(key), Some(embedding)) => Some((key, read_embedding(&embedding)?)),
                    _ => None,
                };
                own::process_reveal(context, &options, model, given).await
            }
            ModelCommand::Seal(command) => command.run(context).await,
            ModelCommand::Publish(command) => command.run(context).await,
            ModelCommand::Update(command) => command.run(context).await,
            ModelCommand::Download(command) => command.run(context).await,
            ModelCommand::InitWeights(command) => command.run(context).await,
            ModelCommand::Average(command) => command.run(context).await,
            ModelCommand::Embed(command) => command.run().await,
            ModelCommand::Deactivate { model, options } => {
                let model = model.value()?;
                if options.sends() {
                    context.confirm(&format!(
                        "Model {model} ends with this epoch, for good; whoever goes on creates a new \
                         one. End it?"
                    ))?;
                }
                let kind = TransactionKind::DeactivateModel { model };
                process(context, &options, kind).await
            }
            ModelCommand::SetCommissionRate {
                model,
                commission_rate,
                options,
            } => {
                let kind = TransactionKind::SetModelCommission {
                    model: model.value()?,
                    commission_bps: commission_rate,
                };
                process(context, &options, kind).await
            }
        }
    }
}
