//! Reports and challenges of submissions.

use clap::{Args, ValueEnum};
use soma_sdk::types::TransactionKind;
use soma_sdk::types::target::SubmissionFault;

use super::TargetArgument;
use crate::context::Context;
use crate::error::CliError;
use crate::output::Output;
use crate::transaction::{TransactionOptions, process};

/// What is wrong with a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Fault {
    /// The data could not be had for at least a tenth of an epoch
    DataUnavailable,
    /// The data has another checksum or size
    DataMismatch,
    /// The data cannot be scored at all
    DataInvalid,
    /// Another assigned model has a lower loss by more than the tolerance
    WrongWinner,
    /// The loss differs by more than the tolerance, or is not finite
    WrongLoss,
    /// The embedding's distance differs by more than the tolerance, or is not finite
    WrongEmbedding,
    /// The winner's weights are what was committed, and no model
    WinnerInvalid,
    /// The winner's weights could not be had for at least a tenth of an epoch: no fraud, but void
    WinnerUnavailable,
}

impl From<Fault> for SubmissionFault {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::DataUnavailable => Self::DataUnavailable,
            Fault::DataMismatch => Self::DataMismatch,
            Fault::DataInvalid => Self::DataInvalid,
            Fault::WrongWinner => Self::WrongWinner,
            Fault::WrongLoss => Self::WrongLoss,
            Fault::WrongEmbedding => Self::WrongEmbedding,
            Fault::WinnerInvalid => Self::WinnerInvalid,
            Fault::WinnerUnavailable => Self::WinnerUnavailable,
        }
    }
}

/// As a validator, report the submission that filled a target, or take the report back
#[derive(Clone, Debug, Args)]
pub struct Report {
    /// Which.
    #[command(flatten)]
    pub target: TargetArgument,
    /// What is wrong
    #[arg(long, value_enum, required_unless_present = "undo_report")]
    pub reason: Option<Fault>,
    /// Take the report back
    #[arg(long, conflicts_with = "reason")]
    pub undo_report: bool,
    /// Options of the transaction.
    #[command(flatten)]
    pub options: TransactionOptions,
}

impl Report {
    pub(super) async fn run(self, context: &Context) -> Result<Output, CliError> {
        let target = self.target.value()?;
        let kind = match self.reason {
            Some(reason) => TransactionKind::ReportSubmission {
                target,
                reason: reason.into(),
            },
            None => TransactionKind::UndoReportSubmission { target },
        };
        process(context, &self.options, kind).await
    }
}

/// Ask every validator for a full audit of a submission, with a bond that a false challenge loses
#[derive(Clone, Debug, Args)]
pub struct Challenge {
    /// Which.
    #[command(flatten)]
    pub target: TargetArgument,
    /// Options of the transaction.
    #[command(flatten)]
    pub options: TransactionOptions,
}

impl Challenge {
    pub(super) async fn run(self, context: &Context) -> Result<Output, CliError> {
        let target = self.target.value()?;
        let kind = TransactionKind::ChallengeSubmission { target };
        if self.options.sends() {
            let view = context.client()?.target(&target, false).await?;
            if let Some(fill) = view.fill {
                context.confirm(&format!(
                    "The challenge takes a bond of {}, which is lost unless validators find a \
                     fraud, or make the submission void. Challenge?",
                    fill.bond
                ))?;
            }
        }
        process(context, &self.options, kind).await
    }
}
