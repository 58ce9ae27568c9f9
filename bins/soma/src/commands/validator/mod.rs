//! `soma validator`.

mod host;
mod info;
mod join;
mod metadata;
mod show;
mod versions;

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;
use soma_crypto::SecretKey;
use soma_crypto::key_file;
use soma_sdk::types::{Bps, ModelFault, ModelId, TransactionKind};

use crate::arguments::{OptionalAddress, either};
use crate::context::Context;
use crate::error::CliError;
use crate::output::{Fields, Output};
use crate::transaction::{TransactionOptions, process};

pub use info::MakeInfo;
pub use join::Join;
pub use metadata::UpdateMetadata;
pub(super) use metadata::check_addresses;
pub use versions::AnnounceVersion;

/// Show validators, and act as one
#[derive(Clone, Debug, Args)]
pub struct Validator {
    /// What to do.
    #[command(subcommand)]
    pub command: ValidatorCommand,
}

either!(
    /// In basis points, at most 10000. Also `--rate`
    Rate, u16, "BPS", "rate", required
);
either!(
    /// The reported validator: address or alias. Also `--reportee`
    Reportee, soma_crypto::keystore::KeyIdentity, "ADDRESS", "reportee", required
);
either!(
    /// The reported model. Also `--model-id`
    ReportedModel, ModelId, "MODEL_ID", "model-id", required
);

/// What is wrong with a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Fault {
    /// The weights could not be had for at least a tenth of an epoch
    WeightsUnavailable,
    /// The sealed file has another checksum or size
    WeightsMismatch,
    /// The key does not open the file
    Undecryptable,
    /// The opened file has another checksum than committed
    PlaintextMismatch,
    /// Missing, extra or misshapen tensors, or numbers that are not finite
    InvalidWeights,
}

impl From<Fault> for ModelFault {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::WeightsUnavailable => Self::WeightsUnavailable,
            Fault::WeightsMismatch => Self::WeightsMismatch,
            Fault::Undecryptable => Self::Undecryptable,
            Fault::PlaintextMismatch => Self::PlaintextMismatch,
            Fault::InvalidWeights => Self::InvalidWeights,
        }
    }
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum ValidatorCommand {
    /// Make the keys of a validator, its `validator.info` and the settings of its node
    #[command(alias = "make-validator-info")]
    MakeInfo(Box<MakeInfo>),
    /// Make a key file, for a consensus key to change to
    MakeKey {
        /// The new file, which only you can read
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Apply to join the committee with a `validator.info`; this stakes 1 SOMA with yourself
    #[command(alias = "join-committee")]
    Join(Join),
    /// Leave the committee at the end of the epoch, or withdraw an application at once
    #[command(alias = "leave-committee")]
    Leave {
        /// Options of the transaction.
        #[command(flatten)]
        options: TransactionOptions,
    },
    /// List the validators
    List,
    /// Show a validator, and what changes of it with the next epoch
    #[command(alias = "display-metadata")]
    Display {
        /// Which.
        #[command(flatten)]
        address: OptionalAddress,
    },
    /// Change what you tell about yourself, or your consensus key, from the next epoch on
    UpdateMetadata(UpdateMetadata),
    /// Change your commission from the next epoch on
    SetCommissionRate {
        /// How much.
        #[command(flatten)]
        rate: Rate,
        /// Options of the transaction.
        #[command(flatten)]
        options: TransactionOptions,
    },
    /// Vote for a protocol version: say that your node can run it
    AnnounceVersion(AnnounceVersion),
    /// Show which protocol versions the validators announced, and what a change needs
    Versions,
    /// As a validator, report another that does not do its work
    #[command(alias = "report-validator")]
    Report {
        /// Whom.
        #[command(flatten)]
        reportee: Reportee,
        /// Take the report back
        #[arg(long)]
        undo_report: bool,
        /// Options of the transaction.
        #[command(flatten)]
        options: TransactionOptions,
    },
    /// Take a report of a validator back
    UndoReport {
        /// Whom.
        #[command(flatten)]
        reportee: Reportee,
        /// Options of the transaction.
        #[command(flatten)]
        options: TransactionOptions,
    },
    /// As a validator, report a model whose weights are not what was committed
    ReportModel {
        /// Which.
        #[command(flatten)]
        model: ReportedModel,
        /// What is wrong
        #[arg(long, value_enum, default_value = "invalid-weights")]
        reason: Fault,
        /// Take the report back
        #[arg(long, conflicts_with = "reason")]
        undo_report: bool,
        /// Options of the transaction.
        #[command(flatten)]
        options: TransactionOptions,
    },
}

impl Validator {
    pub(super) async fn run(self, context: &Context) -> Result<Output, CliError> {
        let (kind, options) = match self.command {
            ValidatorCommand::MakeInfo(command) => return command.run(context).await,
            ValidatorCommand::MakeKey { file } => return make_key(&file),
            ValidatorCommand::Join(command) => return command.run(context).await,
            ValidatorCommand::List => return show::list(&context.client()?).await,
            ValidatorCommand::Display { address } => {
                let address = context.address(address.value().as_ref())?;
                return show::display(&context.client()?, address).await;
            }
            ValidatorCommand::UpdateMetadata(command) => return command.run(context).await,
            ValidatorCommand::AnnounceVersion(command) => return command.run(context).await,
            ValidatorCommand::Versions => return versions::show(&context.client()?).await,
            ValidatorCommand::Leave { options } => (TransactionKind::RemoveValidator, options),
            ValidatorCommand::SetCommissionRate { rate, options } => {
                let commission_bps = rate.value()?;
                if Bps::new(commission_bps).is_none() {
                    let text = format!("{commission_bps} basis points are more than 10000 (100 %)");
                    return Err(CliError::Usage(text));
                }
                let kind = TransactionKind::SetValidatorCommission { commission_bps };
                (kind, options)
            }
            ValidatorCommand::Report {
                reportee,
                undo_report,
                options,
            } => {
                let validator = context.wallet()?.address(&reportee.value()?)?;
                let kind = match undo_report {
                    true => TransactionKind::UndoReportValidator { validator },
                    false => TransactionKind::ReportValidator { validator },
                };
                (kind, options)
            }
            ValidatorCommand::UndoReport { reportee, options } => {
                let validator = context.wallet()?.address(&reportee.value()?)?;
                (TransactionKind::UndoReportValidator { validator }, options)
            }
            ValidatorCommand::ReportModel {
                model,
                reason,
                undo_report,
                options,
            } => {
                let model = model.value()?;
                let reason = reason.into();
                let kind = match undo_report {
                    true => TransactionKind::UndoReportModel { model },
                    false => TransactionKind::ReportModel { model, reason },
                };
                (kind, options)
            }
        };
        process(context, &options, kind).await
    }
}

fn make_key(file: &std::path::Path) -> Result<Output, CliError> {
    let key = SecretKey::generate();
    key_file::create(file, &key)?;
    let json = json!({ "path": file, "public_key": key.public_key() });
    let fields = Fields::new()
        .with("Key file", file.display())
        .with("Public key", key.public_key());
    Ok(Output::new(&json, fields.text()))
}
