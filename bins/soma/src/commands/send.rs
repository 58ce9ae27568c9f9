//! `soma send` and `soma pay`.

use clap::Args;
use soma_crypto::keystore::KeyIdentity;
use soma_sdk::account::pay_many;
use soma_sdk::types::{Payment, Shannons, TransactionKind};

use crate::arguments::either;
use crate::context::Context;
use crate::error::CliError;
use crate::output::Output;
use crate::transaction::{TransactionOptions, process};

either!(
    /// Amount in SOMA, such as `1.5`. Also `--amount`
    Amount, Shannons, "AMOUNT", "amount", required
);

/// Send SOMA to an address
#[derive(Clone, Debug, Args)]
pub struct Send {
    /// How much.
    #[command(flatten)]
    pub amount: Amount,
    /// Who gets it: address or alias
    #[arg(long, value_name = "ADDRESS")]
    pub to: KeyIdentity,
    /// Options of the transaction.
    #[command(flatten)]
    pub options: TransactionOptions,
}

impl Send {
    pub(super) async fn run(self, context: &Context) -> Result<Output, CliError> {
        let amount = positive(self.amount.value()?)?;
        let recipient = context.wallet()?.address(&self.to)?;
        let kind = TransactionKind::Transfer { recipient, amount };
        process(context, &self.options, kind).await
    }
}

/// Send SOMA to many addresses, all or none
#[derive(Clone, Debug, Args)]
pub struct Pay {
    /// Who gets it: addresses or aliases, separated by spaces or commas
    #[arg(long, value_name = "ADDRESS", num_args = 1.., value_delimiter = ',', required = true)]
    pub recipients: Vec<KeyIdentity>,
    /// Amounts in SOMA, one for each recipient, separated by spaces or commas
    #[arg(long, value_name = "AMOUNT", num_args = 1.., value_delimiter = ',', required = true)]
    pub amounts: Vec<Shannons>,
    /// Options of the transaction.
    #[command(flatten)]
    pub options: TransactionOptions,
}

impl Pay {
    pub(super) async fn run(self, context: &Context) -> Result<Output, CliError> {
        let (recipients, amounts) = (self.recipients, self.amounts);
        if recipients.len() != amounts.len() {
            return Err(CliError::Usage(format!(
                "{} recipients, but {} amounts; give one amount for each recipient",
                recipients.len(),
                amounts.len()
            )));
        }
        let wallet = context.wallet()?;
        let payments: Result<Vec<Payment>, CliError> = recipients
            .iter()
            .zip(amounts)
            .map(|(recipient, amount)| {
                Ok(Payment {
                    recipient: wallet.address(recipient)?,
                    amount: positive(amount)?,
                })
            })
            .collect();
        process(context, &self.options, pay_many(payments?)?).await
    }
}

/// Refuses to move nothing.
pub(super) fn positive(amount: Shannons) -> Result<Shannons, CliError> {
    match amount.is_zero() {
        true => Err(CliError::Usage("the amount must be more than 0".to_owned())),
        false => Ok(amount),
    }
}
