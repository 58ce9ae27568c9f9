//! `soma target submit`.

use std::path::PathBuf;

use clap::Args;
use soma_blobs::{BlobRef, check_published};
use soma_crypto::keystore::KeyIdentity;
use soma_sdk::types::ModelId;
use soma_sdk::workflows::{Hit, Scored};
use soma_sdk::{Client, ModelVersion, SubmitData};

use super::TargetArgument;
use crate::commands::model::read_embedding;
use crate::commands::published::confirm_published;
use crate::context::Context;
use crate::error::CliError;
use crate::output::Output;
use crate::storage::{StorageOptions, is_on_this_machine};
use crate::transaction::executed;

/// Submit data for a target: scores and uploads it, seals it, then opens it in a later block
#[derive(Clone, Debug, Args)]
pub struct Submit {
    /// Which.
    #[command(flatten)]
    pub target: TargetArgument,
    /// The data; checksum and size are computed from it
    #[arg(long, alias = "data", value_name = "FILE")]
    pub data_file: PathBuf,
    /// Where validators download it; uploaded when absent
    #[arg(long, value_name = "URL")]
    pub data_url: Option<String>,
    /// The assigned model with the lowest loss; scored when absent
    #[arg(long, value_name = "MODEL_ID", requires_all = ["embedding", "loss_score"])]
    pub model_id: Option<ModelId>,
    /// The data's embedding: numbers separated by commas, or `@FILE`
    #[arg(
        long,
        value_name = "NUMBERS",
        allow_hyphen_values = true,
        requires = "model_id"
    )]
    pub embedding: Option<String>,
    /// The model's loss on the data, in nats
    #[arg(long, value_name = "LOSS", requires = "model_id")]
    pub loss_score: Option<f64>,
    /// Distance to the target; accepted and not used, the chain computes it
    #[arg(long, value_name = "DISTANCE", hide = true, requires = "model_id")]
    pub distance_score: Option<f64>,
    /// Act as this account; default the active one
    #[arg(long, value_name = "ADDRESS")]
    pub sender: Option<KeyIdentity>,
    /// Where data is put that has no URL yet.
    #[command(flatten)]
    pub storage: StorageOptions,
}

impl Submit {
    /// Two transactions, so it cannot be serialized or tried as one.
    pub(super) async fn run(self, context: &Context) -> Result<Output, CliError> {
        let target = self.target.clone().value()?;
        let data = std::fs::read(&self.data_file).map_err(CliError::file(&self.data_file))?;
        let client = context.client()?;
        let sender = context.address(self.sender.as_ref())?;
        let account = client.account(context.secret_key(sender)?);
        if let Some(url) = &self.data_url {
            check_published(url, is_on_this_machine(client.rpc_url()))?;
        }
        let (checksum, size) = (soma_crypto::checksum(&data), data.len() as u64);
        account.check_data_is_new(checksum).await?;
        let (hit, scored_with) = self.claimed(context, &client, &data).await?;
        let url = match &self.data_url {
            Some(url) => {
                let blob = BlobRef {
                    url: url.clone(),
                    checksum,
                    size,
                };
                confirm_published(context, &blob).await?;
                blob.url
            }
            None => {
                let blob = self.storage.store(context)?.publish_bytes(data).await?;
                context.say(&format!("Uploaded: {}", blob.url));
                blob.url
            }
        };
        let submit = SubmitData {
            target,
            url: &url,
            checksum,
            size,
            model: hit.model,
            embedding: &hit.embedding,
            loss: hit.loss,
            scored_with: scored_with.as_deref(),
        };
        let receipt = account.submit_data(&submit).await?;
        let claimable = receipt.epoch.plus(2);
        context.say(&format!(
            "Claim it from epoch {claimable} on with `soma target claim {target}`."
        ));
        let more = ("Claimable from epoch", "claimable_from", claimable.0.into());
        Ok(executed(&receipt, vec![more]))
    }

    /// What is claimed of the data: as said, or as scored, and then by which weights.
    async fn claimed(
        &self,
        context: &Context,
        client: &Client,
        data: &[u8],
    ) -> Result<(Hit, Option<Vec<ModelVersion>>), CliError> {
        let target = self.target.clone().value()?;
        if let (Some(model), Some(embedding), Some(loss)) =
            (self.model_id, &self.embedding, self.loss_score)
        {
            let hit = Hit {
                model,
                loss,
                embedding: read_embedding(embedding)?,
                distance: 0.0,
            };
            return Ok((hit, None));
        }
        context.say("Scoring.");
        let Scored {
            outcome,
            scored_with,
            ..
        } = client.score_for(&target, data).await?;
        let hit = outcome.map_err(|miss| CliError::WouldFail {
            code: miss.name().to_owned(),
            message: format!("{miss}; nothing was submitted or uploaded"),
        })?;
        context.say(&format!(
            "It hits at distance {:.6}: model {} has loss {:.6}.",
            hit.distance, hit.model, hit.loss
        ));
        Ok((hit, Some(scored_with)))
    }
}
