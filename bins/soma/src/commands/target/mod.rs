//! `soma target`.

mod show;
mod submit;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use soma_crypto::keystore::KeyIdentity;
use soma_sdk::types::{Epoch, ModelId, TargetId, TransactionKind};

use crate::arguments::either;
use crate::context::Context;
use crate::error::CliError;
use crate::output::Output;
use crate::transaction::{TransactionOptions, process};

/// Show targets, submit data, claim rewards
#[derive(Clone, Debug, Args)]
pub struct Target {
    /// What to do.
    #[command(subcommand)]
    pub command: TargetCommand,
}

either!(
    /// The target. Also `--target-id`
    TargetArgument, TargetId, "TARGET_ID", "target-id", required
);

/// Which targets to list.
#[derive(Clone, Debug, Args)]
pub struct List {
    /// Only targets with this status
    #[arg(long, short, default_value = "open", value_parser = ["open", "filled", "claimable", "claimed", "expired", "fraud", "all"])]
    pub status: String,
    /// Only targets that can be claimed now; the same as `--status claimable`
    #[arg(long, conflicts_with = "status")]
    pub claimable: bool,
    /// Only targets drawn in this epoch
    #[arg(long, short)]
    pub epoch: Option<Epoch>,
    /// Only targets filled by this address or alias
    #[arg(long, value_name = "ADDRESS")]
    pub submitter: Option<KeyIdentity>,
    /// The most targets to list
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    pub limit: u64,
}

/// What to submit.
#[derive(Clone, Debug, Args)]
pub struct Submit {
    /// Which.
    #[command(flatten)]
    pub target: TargetArgument,
    /// The data; checksum and size are computed from it
    #[arg(long, alias = "data", value_name = "FILE")]
    pub data_file: PathBuf,
    /// Where validators download it
    #[arg(long, value_name = "URL")]
    pub data_url: String,
    /// The assigned model with the lowest loss
    #[arg(long, value_name = "MODEL_ID")]
    pub model_id: ModelId,
    /// The data's embedding: numbers separated by commas, or `@FILE`
    #[arg(long, value_name = "NUMBERS", allow_hyphen_values = true)]
    pub embedding: String,
    /// The model's loss on the data, in nats
    #[arg(long, value_name = "LOSS")]
    pub loss_score: f64,
    /// Act as this account; default the active one
    #[arg(long, value_name = "ADDRESS")]
    pub sender: Option<KeyIdentity>,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum TargetCommand {
    /// List targets
    List(List),
    /// Show a target
    Info {
        /// Which.
        #[command(flatten)]
        target: TargetArgument,
    },
    /// Submit data for a target: seals it, then opens it in a later block
    Submit(Submit),
    /// Claim the reward of a filled target whose audit is over
    Claim {
        /// Which.
        #[command(flatten)]
        target: TargetArgument,
        /// Options of the transaction.
        #[command(flatten)]
        options: TransactionOptions,
    },
}

impl Target {
    pub(super) async fn run(self, context: &Context) -> Result<Output, CliError> {
        match self.command {
            TargetCommand::List(list) => show::list(context, list).await,
            TargetCommand::Info { target } => show::info(context, target.value()?).await,
            TargetCommand::Submit(arguments) => submit::submit(context, arguments).await,
            TargetCommand::Claim { target, options } => {
                let target = target.value()?;
                process(context, &options, TransactionKind::ClaimRewards { target }).await
            }
        }
    }
}
