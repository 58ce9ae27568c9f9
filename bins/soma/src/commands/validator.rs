//! `soma validator`.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;
use soma_sdk::Client;
use soma_sdk::api::ValidatorView;
use soma_sdk::pages::collect;
use soma_sdk::types::{Address, ModelFault, ModelId, TransactionKind};

use crate::arguments::{OptionalAddress, either};
use crate::context::Context;
use crate::error::CliError;
use crate::output::{Fields, Output, percent, table_or};
use crate::transaction::{TransactionOptions, process};

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
    /// List the validators
    List,
    /// Show a validator
    DisplayMetadata {
        /// Which.
        #[command(flatten)]
        address: OptionalAddress,
    },
    /// Leave the committee at the end of the epoch
    LeaveCommittee {
        /// Options of the transaction.
        #[command(flatten)]
        options: TransactionOptions,
    },
    /// Change your commission from the next epoch on
    SetCommissionRate {
        /// How much.
        #[command(flatten)]
        rate: Rate,
        /// Options of the transaction.
        #[command(flatten)]
        options: TransactionOptions,
    },
    /// As a validator, report another that does not do its work
    #[command(alias = "report")]
    ReportValidator {
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
            ValidatorCommand::List => return list(&context.client()?).await,
            ValidatorCommand::DisplayMetadata { address } => {
                let address = context.address(address.value().as_ref())?;
                return show(&context.client()?, address).await;
            }
            ValidatorCommand::LeaveCommittee { options } => {
                (TransactionKind::RemoveValidator, options)
            }
            ValidatorCommand::SetCommissionRate { rate, options } => {
                let commission_bps = rate.value()?;
                let kind = TransactionKind::SetValidatorCommission { commission_bps };
                (kind, options)
            }
            ValidatorCommand::ReportValidator {
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

async fn list(client: &Client) -> Result<Output, CliError> {
    let validators = collect(None, async |page| client.validators(&page).await).await?;
    let text = table_or(
        ["ADDRESS", "STATUS", "POWER", "STAKE", "COMMISSION", "NAME"],
        &rows(&validators),
        "No validators.",
    );
    Ok(Output::new(&json!({ "validators": validators }), text))
}

fn rows(validators: &[ValidatorView]) -> Vec<[String; 6]> {
    validators
        .iter()
        .map(|validator| {
            [
                validator.address.to_string(),
                validator.status.clone(),
                validator.voting_power.to_string(),
                validator.stake.to_string(),
                percent(validator.commission_bps),
                validator.metadata.name.clone(),
            ]
        })
        .collect()
}

async fn show(client: &Client, address: Address) -> Result<Output, CliError> {
    let validator = client.validator(&address).await?;
    let metadata = &validator.metadata;
    let fields = Fields::new()
        .with("Validator", validator.address)
        .with("Name", &metadata.name)
        .with("Status", &validator.status)
        .with(
            "Voting power",
            format!("{} of 10000", validator.voting_power),
        )
        .with("Stake", validator.stake)
        .with("Commission", percent(validator.commission_bps))
        .with("Consensus key", metadata.consensus_key)
        .with("P2P address", &metadata.p2p_address)
        .with("RPC address", &metadata.rpc_address)
        .with("Proxy address", &metadata.proxy_address);
    Ok(Output::new(&validator, fields.text()))
}
