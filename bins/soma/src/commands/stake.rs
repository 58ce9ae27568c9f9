//! `soma stake` and `soma unstake`.

use clap::Args;
use soma_crypto::keystore::KeyIdentity;
use soma_sdk::api::{ObjectContent, ObjectId, ObjectType, StakeStateView};
use soma_sdk::types::{Epoch, ModelId, Shannons, StakeId, TransactionKind};

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
                .map(|stake| ("Stake", "stake_id", stake.id.to_string().into()))
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
        let mut output = process(context, &self.options, kind).await?;
        if self.options.sends()
            && let Some((value, release)) = payout(context, stake).await
        {
            context.say(&format!(
                "{value} unbond; they are paid out from epoch {release} on, without another command."
            ));
            output.json["paid_from_epoch"] = release.0.into();
        }
        Ok(output)
    }
}

/// What a stake on its way out pays, and from which epoch on. What cannot be asked is not said: it is
/// on its way out in any case.
async fn payout(context: &Context, stake: StakeId) -> Option<(Shannons, Epoch)> {
    let id = ObjectId(stake.0);
    let client = context.client().ok()?;
    let view = client
        .object(&id, Some(ObjectType::StakedSoma))
        .await
        .ok()?;
    match view.content {
        ObjectContent::StakedSoma(stake) => match stake.state {
            StakeStateView::Unbonding { release, .. } => Some((stake.value, release)),
            _ => None,
        },
        _ => None,
    }
}
