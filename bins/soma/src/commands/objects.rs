//! `soma objects`.

use clap::{Args, Subcommand};
use serde_json::json;
use soma_crypto::keystore::KeyIdentity;
use soma_sdk::api::{Base64, ObjectContent, ObjectId, ObjectType, ObjectView, StakeStateView};
use soma_sdk::pages::collect;
use soma_sdk::types::{Address, ModelId, StakeId, TargetId};
use soma_sdk::{Client, ObjectFilter, ProofKey};

use crate::arguments::either;
use crate::context::Context;
use crate::error::CliError;
use crate::output::{Fields, Output, table_or};

/// Show objects by id or owner
#[derive(Clone, Debug, Args)]
pub struct Objects {
    /// What to show.
    #[command(subcommand)]
    pub command: ObjectsCommand,
}

either!(
    /// The object; an account's coin has its address as id. Also `--id`
    ObjectIdArgument, ObjectId, "OBJECT_ID", "id", required
);
either!(
    /// Address or alias; default the active account. Also `--owner`
    Owner, KeyIdentity, "OWNER", "owner", optional
);

/// What to show.
#[derive(Clone, Debug, Subcommand)]
pub enum ObjectsCommand {
    /// Show an object
    Get {
        /// Which.
        #[command(flatten)]
        id: ObjectIdArgument,
        /// Only an object of this type; needed for a validator, whose coin has the same id
        #[arg(long = "type", value_name = "TYPE")]
        kind: Option<ObjectType>,
        /// Add the canonical encoding as Base64, checked against the node's proof
        #[arg(long)]
        bcs: bool,
    },
    /// List the objects of an address
    List {
        /// Whose.
        #[command(flatten)]
        owner: Owner,
        /// Only this type: coin, staked_soma, model, target or validator
        #[arg(long = "type", value_name = "TYPE")]
        kind: Option<ObjectType>,
    },
    /// Show the coin that pays the fees of an address
    Gas {
        /// Whose.
        #[command(flatten)]
        owner: Owner,
    },
}

impl Objects {
    pub(super) async fn run(self, context: &Context) -> Result<Output, CliError> {
        let client = context.client()?;
        match self.command {
            ObjectsCommand::Get { id, kind, bcs } => get(&client, id.value()?, kind, bcs).await,
            ObjectsCommand::List { owner, kind } => {
                let owner = context.address(owner.value().as_ref())?;
                list(&client, owner, kind).await
            }
            ObjectsCommand::Gas { owner } => {
                let owner = context.address(owner.value().as_ref())?;
                gas(&client, owner).await
            }
        }
    }
}

async fn get(
    client: &Client,
    id: ObjectId,
    kind: Option<ObjectType>,
    bcs: bool,
) -> Result<Output, CliError> {
    let object = client.object(&id, kind).await?;
    let mut json = serde_json::to_value(&object).unwrap_or_default();
    let content = format!("{:#}", json["content"]);
    let mut fields = Fields::new()
        .with("Object", object.id)
        .with("Type", object.content.object_type().name())
        .maybe("Owner", object.owner);
    if bcs {
        let proven = client.verified_bytes(proof_key(&object)).await?;
        let bytes = proven.value.map(Base64);
        let text = serde_json::to_value(bytes).unwrap_or_default();
        fields = fields.with("BCS", text.as_str().unwrap_or_default());
        json["bcs_bytes"] = text;
    }
    let text = fields.with("Content", content).text();
    Ok(Output::new(&json, text))
}

fn proof_key(object: &ObjectView) -> ProofKey {
    let ObjectId(id) = object.id;
    match object.content.object_type() {
        ObjectType::Coin => ProofKey::Account(Address(id)),
        ObjectType::StakedSoma => ProofKey::Stake(StakeId(id)),
        ObjectType::Model => ProofKey::Model(ModelId(id)),
        ObjectType::Target => ProofKey::Target(TargetId(id)),
        ObjectType::Validator => ProofKey::Validator(Address(id)),
        ObjectType::SystemState => ProofKey::System,
    }
}

async fn list(
    client: &Client,
    owner: Address,
    kind: Option<ObjectType>,
) -> Result<Output, CliError> {
    let filter = ObjectFilter { kind };
    let objects = collect(None, async |page| {
        client.objects(&owner, filter, &page).await
    });
    let objects = objects.await?;
    let rows: Vec<_> = objects
        .iter()
        .map(|object| {
            let kind = object.content.object_type().name().to_owned();
            [kind, object.id.to_string(), summary(&object.content)]
        })
        .collect();
    let json = json!({ "address": owner, "objects": objects });
    let text = table_or(["TYPE", "ID", "CONTENT"], &rows, "No objects.");
    Ok(Output::new(&json, text))
}

fn summary(content: &ObjectContent) -> String {
    match content {
        ObjectContent::Coin { balance, .. } => balance.to_string(),
        ObjectContent::StakedSoma(stake) => {
            let state = match &stake.state {
                StakeStateView::Starting { from } => format!(", counts from epoch {from}"),
                StakeStateView::Staked { .. } => String::new(),
                StakeStateView::Unbonding { release, .. } => {
                    format!(", unbonding, paid from epoch {release}")
                }
            };
            format!(
                "{} with {} {}{state}",
                stake.value, stake.staked_with, stake.staked_with_id
            )
        }
        ObjectContent::Model(model) => format!("{}, stake {}", model.status, model.stake),
        ObjectContent::Target(target) => format!("{}, reward {}", target.status, target.reward),
        ObjectContent::Validator(validator) => {
            format!("{}, stake {}", validator.status, validator.stake)
        }
        ObjectContent::SystemState(system) => format!("epoch {}", system.epoch),
    }
}

async fn gas(client: &Client, owner: Address) -> Result<Output, CliError> {
    let balance = client.balance(&owner).await?.balance;
    let mut coins = Vec::new();
    if !balance.is_zero() {
        coins.push(json!({ "id": owner, "balance": balance }));
    }
    let rows: Vec<_> = coins
        .iter()
        .map(|_| [owner.to_string(), balance.to_string()])
        .collect();
    let json = json!({ "address": owner, "coins": coins });
    Ok(Output::new(
        &json,
        table_or(["ID", "BALANCE"], &rows, "No coins."),
    ))
}
