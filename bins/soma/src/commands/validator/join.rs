//! `soma validator join`.

use std::path::PathBuf;

use clap::Args;
use soma_ceremony::ValidatorInfo;
use soma_sdk::Client;
use soma_sdk::api::{ObjectType, ReceiptView};
use soma_sdk::types::{Address, Parameters, Ppm, Shannons, TransactionKind};

use super::metadata::check_addresses;
use crate::commands::send::positive;
use crate::context::Context;
use crate::error::CliError;
use crate::output::Output;
use crate::transaction::{More, TransactionOptions, process_with};

/// Apply to join the committee with a `validator.info`; this stakes 1 SOMA with yourself
#[derive(Clone, Debug, Args)]
pub struct Join {
    /// What `soma validator make-info` wrote
    #[arg(value_name = "FILE", default_value = "validator.info")]
    pub file: PathBuf,
    /// Then stake this much more with yourself, in SOMA
    #[arg(long, value_name = "AMOUNT")]
    pub stake: Option<Shannons>,
    /// Options of the transaction.
    #[command(flatten)]
    pub options: TransactionOptions,
}

impl Join {
    pub(super) async fn run(mut self, context: &Context) -> Result<Output, CliError> {
        let stake = self.stake.map(positive).transpose()?;
        if stake.is_some() && !self.options.sends() {
            let text = "`--stake` sends a second transaction; leave it out to look at the first, \
                        and stake with `soma stake AMOUNT --validator ADDRESS`";
            return Err(CliError::Usage(text.to_owned()));
        }
        let info = ValidatorInfo::read(&self.file)?;
        check_addresses(&info.metadata)?;
        let address = self.sender(context, &info)?;
        let client = context.client()?;
        let candidate = info.candidate(&client.chain_id().await?)?;
        let parameters = client.parameters().await?;
        let first = Shannons(parameters.min_candidate_stake);
        if let Some(stake) = stake {
            // Before the application: it would wait for its stake in vain.
            refuse_unaffordable(&client, &parameters, &address, first, stake).await?;
        }
        if self.options.sends() {
            let more = stake.map_or_else(String::new, |stake| format!(", then {stake} more"));
            context.say(&format!(
                "The application stakes {first} with yourself{more}."
            ));
        }
        let kind = TransactionKind::AddValidator(Box::new(candidate));
        let mut joined = process_with(context, &self.options, kind, |receipt| {
            created_stake(receipt, "application_stake_id")
        })
        .await?;
        if let Some(amount) = stake {
            context.say("Applied to join; staking.");
            let staked = self.stake(context, address, amount).await?;
            joined.text.push_str(&staked.text);
            joined.json["stake_id"] = staked.json["stake_id"].clone();
            joined.json["stake"] = staked.json;
        }
        Ok(joined)
    }

    /// The account that the file is of, which has to sign.
    fn sender(&mut self, context: &Context, info: &ValidatorInfo) -> Result<Address, CliError> {
        if let Some(sender) = &self.options.sender {
            let sender = context.wallet()?.address(sender)?;
            if sender != info.address {
                return Err(CliError::Usage(format!(
                    "{} is of {}, and you act as {sender}",
                    self.file.display(),
                    info.address
                )));
            }
        }
        self.options.sender = Some(info.address.into());
        Ok(info.address)
    }

    async fn stake(
        &self,
        context: &Context,
        validator: Address,
        amount: Shannons,
    ) -> Result<Output, CliError> {
        let kind = TransactionKind::Stake { validator, amount };
        process_with(context, &self.options, kind, |receipt| {
            created_stake(receipt, "stake_id")
        })
        .await
    }
}

/// The stake position that a receipt says was made, under this name in JSON.
fn created_stake(receipt: &ReceiptView, name: &'static str) -> Vec<More> {
    let mut created = receipt.created.iter();
    let stake = created.find(|object| object.kind == ObjectType::StakedSoma);
    stake
        .map(|stake| ("Stake", name, stake.id.to_string().into()))
        .into_iter()
        .collect()
}

/// Refuses a stake that the account cannot pay with that of the application, `first`, and the fees of
/// both transactions.
async fn refuse_unaffordable(
    client: &Client,
    parameters: &Parameters,
    address: &Address,
    first: Shannons,
    stake: Shannons,
) -> Result<(), CliError> {
    let balance = client.balance(address).await?.balance;
    let rate = Ppm(client.system().await?.value_fee_ppm).half();
    // The application writes four objects, the stake three.
    let writes = parameters.write_object_fee.saturating_mul(7);
    let fixed = parameters.base_fee.saturating_mul(2).saturating_add(writes);
    let fees = first.fee_at(rate).saturating_add(stake.fee_at(rate));
    let fees = fees.saturating_add(Shannons(fixed));
    let stakes = first.saturating_add(stake);
    match balance < stakes.saturating_add(fees) {
        false => Ok(()),
        true => Err(CliError::WouldFail {
            code: "InsufficientCoinBalance".to_owned(),
            message: format!(
                "{address} has {balance}; it needs {stakes}, {first} of it for the application, and \
                 fees of {fees}"
            ),
        }),
    }
}
