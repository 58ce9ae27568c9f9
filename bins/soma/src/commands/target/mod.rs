//! `soma target`.

mod audit;
mod card;
mod claim;
mod download;
mod show;
mod submit;
mod verify;

use clap::{Args, Subcommand};
use soma_crypto::keystore::KeyIdentity;
use soma_sdk::types::{Epoch, TargetId, TransactionKind};

use crate::arguments::either;
use crate::context::Context;
use crate::error::CliError;
use crate::output::Output;
use crate::transaction::{TransactionOptions, process};

pub use audit::{Challenge, Report};
pub use claim::ClaimAll;
pub use download::Download;
pub use submit::Submit;
pub use verify::{Scorecard, Verify};

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
    #[arg(long, short, default_value = "open", value_parser = ["open", "filled", "claimable", "claimed", "expired", "fraud", "void", "all"])]
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
    #[arg(long, value_name = "COUNT", default_value_t = 100,
        value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: u64,
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
    /// Submit data for a target: scores and uploads it, seals it, then opens it in a later block
    Submit(Box<Submit>),
    /// Claim the reward of a filled target whose audit is over
    Claim {
        /// Which.
        #[command(flatten)]
        target: TargetArgument,
        /// Options of the transaction.
        #[command(flatten)]
        options: TransactionOptions,
    },
    /// Claim every target of yours whose audit is over
    ClaimAll(ClaimAll),
    /// Download the data that filled a target, checked
    Download(Download),
    /// Show why the submission on a target won: claim, weights as of the fill, what the node measured
    Scorecard(Scorecard),
    /// Score the submission on a target anew, compare with its claim, and say what of it is proven
    Verify(Verify),
    /// As a validator, report the submission that filled a target, or take the report back
    Report(Report),
    /// Ask every validator for a full audit of a submission, with a bond
    Challenge(Challenge),
}

impl Target {
    pub(super) async fn run(self, context: &Context) -> Result<Output, CliError> {
        match self.command {
            TargetCommand::List(list) => show::list(context, list).await,
            TargetCommand::Info { target } => show::info(context, target.value()?).await,
            TargetCommand::Submit(command) => command.run(context).await,
            TargetCommand::ClaimAll(command) => command.run(context).await,
            TargetCommand::Download(command) => command.run(context).await,
            TargetCommand::Scorecard(command) => command.run(context).await,
            TargetCommand::Verify(command) => command.run(context).await,
            TargetCommand::Report(command) => command.run(context).await,
            TargetCommand::Challenge(command) => command.run(context).await,
            TargetCommand::Claim { target, options } => {
                let target = target.value()?;
                process(context, &options, TransactionKind::ClaimRewards { target }).await
            }
        }
    }
}
