//! `soma stake` and `soma unstake`.

use clap::Args;
use soma_crypto::keystore::KeyIdentity;
use soma_sdk::api::{ObjectContent, ObjectId, ObjectType, StakeStateView};
use soma_sdk::types::{ModelId, StakeId, TransactionKind};

use super::send::{Amount, positive};
use crate::arguments::either;
use crate::context::Context;
use crate::error::CliError;
use crate::output::Output;
use crate::transaction::{TransactionOptions, process, process_with};

/// Stake with a validator or a model
#[derive(Clone, Debug, Args)]
pub struct Stake {
    /// How much.
    #[command(flatten)]
    pub amount: Amount,
    /// With whom.
    #[command(flatten)]
    pub with: StakeWith,
    /// Options of the transaction.
    #[command(flatten)]
    pub options: TransactionOptions,
}

/// With whom to stake.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub struct StakeWith {
    /// A validator: address or alias
    #[arg(long, value_name = "ADDRESS")]
    pub validator: Option<KeyIdentity>,
    /// A model
    #[arg(long, alias = "model-id", value_name = "MODEL_ID")]
    pub model: Option<ModelId>,
}

impl Stake {
    pub(super) async fn run(self, context: &Context) -> Result<Output, CliError> {
        let amount = positive(self.amount.value()?)?;
        let kind = match (self.with.validator, self.with.model) {
            (Some(validator), _) => TransactionKind::Stake {
                validator: context.wallet()?.address(&validator)?,
                amount,
            },
            (None, Some(model)) => TransactionKind::StakeToModel { model, amount },
            (None, None) => {
                let text = "name a validator with `--validator`, or a model with `--model`";
                return Err(CliError::Usage(text.to_owned()));
            }
        };
        process_with(context, &self.options, kind, |receipt| {
            let mut created = receipt.created.iter();
            let stake = created.find(|object| object.kind == ObjectType::StakedSoma);
            stake
                .map(|stake| ("Stake", "stake_id", stake.id.to_string()))
                .into_iter()
                .collect()
        })
        .await
    }
}

either!(
    /// The stake position; see `soma objects list --type staked_soma`. Also `--staked-soma-id`
    StakeIdArgument, StakeId, "STAKE_ID", "staked-soma-id", required
);

/// Withdraw a stake position
#[derive(Clone, Debug, Args)]
pub struct Unstake {
    /// Which.
    #[command(flatten)]
    pub stake: StakeIdArgument,
    /// Options of the transaction.
    #[command(flatten)]
    pub options: TransactionOptions,
}

impl Unstake {
    pub(super) async fn run(self, context: &Context) -> Result<Output, CliError> {
        let stake = self.stake.value()?;
        let kind = TransactionKind::Unstake { stake };
        let output = process(context, &self.options, kind).await?;
        if self.options.sends() {
            say_when_paid(context, stake).await;
        }
        Ok(output)
    }
}

/// Stake is paid out by the chain, some epochs later. What cannot be asked is not said: the stake is
/// on its way out in any case.
async fn say_when_paid(context: &Context, stake: StakeId) {
    let Ok(client) = context.client() else {
        return;
    };
    let id = ObjectId(stake.0);
    let object = client.object(&id, Some(ObjectType::StakedSoma)).await;
    if let Ok(view) = object
        && let ObjectContent::StakedSoma(stake) = view.content
        && let StakeStateView::Unbonding { release, .. } = stake.state
    {
        context.say(&format!(
            "{} unbond; they are paid out from epoch {release} on, without another command.",
            stake.value
        ));
    }
}
