//! `soma target scorecard` and `soma target verify`.

use std::path::PathBuf;

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::json;
use soma_audit::{Claim, Finding, Measured, compare};
use soma_blobs::{BlobRef, Cache, CacheConfig, Fetcher};
use soma_scoring::{Device, ModelConfig, ModelSource, Scorer, ScorerConfig, SealedWeights};
use soma_sdk::api::ScorecardView;
use soma_sdk::types::{Distance, Embedding, ModelId};

use super::TargetArgument;
use crate::commands::model::fetch_config;
use crate::context::Context;
use crate::error::CliError;
use crate::output::{Fields, Output, table};

/// Show why the submission on a target won: claim, weights as of the fill, what the node measured
#[derive(Clone, Debug, Args)]
pub struct Scorecard {
    /// Which.
    #[command(flatten)]
    pub target: TargetArgument,
}

/// Score the submission on a target anew, and compare with its claim
#[derive(Clone, Debug, Args)]
pub struct Verify {
    /// Which.
    #[command(flatten)]
    pub target: TargetArgument,
    /// A scorecard that `soma target scorecard --json` printed, so that no node is asked
    #[arg(long, value_name = "FILE")]
    pub scorecard: Option<PathBuf>,
    /// Where models run: cpu, wgpu, wgpu:N, cuda or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    pub device: Device,
    /// Download from private addresses and files too; always so on a localnet
    #[arg(long)]
    pub allow_private_addresses: bool,
}

/// All that a submission is verified by.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Card {
    scorecard: ScorecardView,
    /// The target's direction.
    target_embedding: Vec<f32>,
}

impl Card {
    async fn ask(context: &Context, target: &TargetArgument) -> Result<Self, CliError> {
        let (client, target) = (context.client()?, target.clone().value()?);
        Ok(Self {
            scorecard: client.scorecard(&target).await?,
            target_embedding: client
                .target(&target, true)
                .await?
                .embedding
                .unwrap_or_default(),
        })
    }
}

impl Scorecard {
    pub(super) async fn run(self, context: &Context) -> Result<Output, CliError> {
        let card = Card::ask(context, &self.target).await?;
        let view = &card.scorecard;
        let fields = Fields::new()
            .with("Target", view.target)
            .with("Status", &view.status)
            .with("Submitter", view.submitter)
            .with("Data", &view.data.url)
            .with("Checksum", view.data.checksum)
            .with("Winner", view.claim.winner)
            .with("Claimed loss", format!("{:.6}", view.claim.loss))
            .with("Distance", format!("{:.6}", view.claim.distance))
            .with("Threshold", format!("{:.6}", view.distance_threshold))
            .maybe("Audited by", view.auditor);
        let mut text = fields.text();
        if let Some(audit) = &view.audit {
            let verdict = audit.verdict.as_deref().unwrap_or("none yet");
            text.push_str(&format!("Verdict: {verdict}\n"));
            let rows: Vec<_> = audit
                .measured
                .iter()
                .map(|one| row(&one.model, one.loss, one.distance))
                .collect();
            text.push_str(&table(["MODEL", "LOSS", "DISTANCE"], &rows));
        }
        Ok(Output::new(&card, text))
    }
}

fn row(model: &ModelId, loss: Option<f64>, distance: Option<f64>) -> [String; 3] {
    let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |v| format!("{v:.6}"));
    [model.to_string(), number(loss), number(distance)]
}

impl Verify {
    pub(super) async fn run(self, context: &Context) -> Result<Output, CliError> {
        let card = match &self.scorecard {
            Some(path) => {
                let text = std::fs::read(path).map_err(CliError::file(path))?;
                serde_json::from_slice(&text).map_err(|error| CliError::File {
                    path: path.clone(),
                    reason: format!("no scorecard: {error}"),
                })?
            }
            None => Card::ask(context, &self.target).await?,
        };
        let id = self.target.clone().value()?;
        if card.scorecard.target != id {
            let got = card.scorecard.target;
            return Err(CliError::Usage(format!(
                "the scorecard is of {got}, not of {id}"
            )));
        }
        let (data, models) = self.download(context, &card).await?;
        let target = Embedding::from_f32(&card.target_embedding)
            .map_err(|error| CliError::Invalid(format!("the target's direction: {error}")))?;
        let size = ModelConfig::presets()
            .find(|(_, size)| size.embedding_dim == card.target_embedding.len())
            .ok_or_else(|| CliError::Invalid("no size of models has such embeddings".to_owned()))?
            .1;
        context.say("Scoring.");
        let config = ScorerConfig::new(size, self.device);
        let scored = tokio::task::spawn_blocking(move || measure(config, &data, &models, &target));
        let measured = scored
            .await
            .map_err(|error| CliError::Invalid(format!("scoring stopped: {error}")))??;
        let claim = &card.scorecard.claim;
        let claim = Claim {
            winner: claim.winner,
            loss: claim.loss,
            distance: claim.distance,
        };
        let finding = compare(&claim, &measured);
        report(context, &card, &measured, &finding)
    }

    /// Data and weights as of the fill, from the cache where they are there.
    async fn download(
        &self,
        context: &Context,
        card: &Card,
    ) -> Result<(Vec<u8>, Vec<(ModelId, SealedWeights)>), CliError> {
        let fetch = fetch_config(context, self.allow_private_addresses)?;
        let folder = context.dir.dir().join("blobs");
        let cache = Cache::open(CacheConfig::new(folder), Fetcher::new(fetch)?)?;
        let data = &card.scorecard.data;
        let data = BlobRef {
            url: data.url.clone(),
            checksum: data.checksum,
            size: data.size,
        };
        let data = cache.get(&data).await?.read()?;
        let mut models = Vec::new();
        for pinned in &card.scorecard.pinned_weights {
            // A model that had ended before the fill could not win.
            let Some(weights) = &pinned.weights else {
                continue;
            };
            context.say(&format!("Getting the weights of {}.", pinned.model));
            let blob = BlobRef {
                url: weights.url.clone(),
                checksum: weights.checksum,
                size: weights.size,
            };
            let source = SealedWeights {
                blob: cache.get(&blob).await?,
                key: weights.key,
                plaintext_checksum: Some(weights.plaintext_checksum),
            };
            models.push((pinned.model, source));
        }
        Ok((data, models))
    }
}

fn measure(
    config: ScorerConfig,
    data: &[u8],
    models: &[(ModelId, SealedWeights)],
    target: &Embedding,
) -> Result<Vec<Measured>, CliError> {
    let scorer = Scorer::new(config)?;
    let sources: Vec<&dyn ModelSource> = models
        .iter()
        .map(|(_, source)| source as &dyn ModelSource)
        .collect();
    let scores = scorer.score(data, &sources, 0)?;
    let measured = models
        .iter()
        .zip(&scores.0)
        .map(|((model, _), score)| Measured {
            model: *model,
            loss: score.evaluation.loss,
            distance: score.distance_to(target).map(Distance::to_f64),
        });
    Ok(measured.collect())
}

fn report(
    context: &Context,
    card: &Card,
    measured: &[Measured],
    finding: &Finding,
) -> Result<Output, CliError> {
    let rows: Vec<_> = measured
        .iter()
        .map(|one| {
            let loss = one.loss.is_finite().then_some(one.loss);
            row(&one.model, loss, one.distance)
        })
        .collect();
    let mut text = table(["MODEL", "LOSS", "DISTANCE"], &rows);
    let claim = &card.scorecard.claim;
    text.push_str(&format!(
        "Claimed: {} with loss {:.6} at distance {:.6}\n",
        claim.winner, claim.loss, claim.distance
    ));
    let json = json!({
        "target_id": card.scorecard.target,
        "claim": claim,
        "measured": measured,
        "finding": finding,
        "holds": *finding == Finding::Consistent,
    });
    match finding {
        Finding::Consistent => {
            text.push_str("The claim holds.");
            Ok(Output::new(&json, text))
        }
        Finding::Mismatch(mismatch) => {
            context.say(&text);
            Err(CliError::Invalid(format!(
                "the claim does not hold: {mismatch}"
            )))
        }
        Finding::Incomplete => {
            context.say(&text);
            let text = "the claimed winner's weights as of the fill are not known";
            Err(CliError::Invalid(text.to_owned()))
        }
    }
}
