//! `soma target scorecard` and `soma target verify`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use soma_audit::{Finding, Measured, compare};
use soma_blobs::Fetcher;
use soma_blobs::{AddressPolicy, BlobError, BlobRef, Cache, CacheConfig, CachedBlob, FetchConfig};
use soma_scoring::{Device, ModelConfig, ModelSource, Scorer, ScorerConfig, SealedWeights};
use soma_sdk::types::{Distance, Embedding, Genesis, ModelId, TargetId};

use super::TargetArgument;
use super::card::{Card, Facts};
use crate::commands::model::fetch_config;
use crate::context::Context;
use crate::error::CliError;
use crate::output::{Fields, Output, name_of, table};

/// Show why the submission on a target won: claim, weights as of the fill, what the node measured
#[derive(Clone, Debug, Args)]
pub struct Scorecard {
    /// Which.
    #[command(flatten)]
    pub target: TargetArgument,
}

/// Score the submission on a target anew, compare with its claim, and say what of it is proven
#[derive(Clone, Debug, Args)]
pub struct Verify {
    /// Which.
    #[command(flatten)]
    pub target: TargetArgument,
    /// A scorecard that `soma target scorecard --json` printed, so that no node is believed
    #[arg(long, value_name = "FILE")]
    pub scorecard: Option<PathBuf>,
    /// The genesis document of the chain: shows that the submission is of that chain
    #[arg(long, value_name = "FILE")]
    pub genesis: Option<PathBuf>,
    /// Where models run: cpu, wgpu, wgpu:N, cuda or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    pub device: Device,
    /// Download from private addresses and files too; always so on a localnet
    #[arg(long)]
    pub allow_private_addresses: bool,
}

impl Scorecard {
    pub(super) async fn run(self, context: &Context) -> Result<Output, CliError> {
        let card = Card::ask(context, self.target.value()?).await?;
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
            .with("Reports", reports(&card))
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

/// What validators told the chain, which is all that it knows of who audited: who found nothing wrong
/// is silent.
fn reports(card: &Card) -> String {
    let view = &card.scorecard;
    let names = view
        .reports
        .iter()
        .map(|report| format!("{} ({})", report.validator, name_of(&report.reason)));
    let names = names.collect::<Vec<_>>().join(", ");
    match (names.is_empty(), view.status.as_str()) {
        (false, _) => names,
        (true, "filled") => "none yet".to_owned(),
        (true, _) => "none kept: the audit window is over".to_owned(),
    }
}

fn row(model: &ModelId, loss: Option<f64>, distance: Option<f64>) -> [String; 3] {
    let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |v| format!("{v:.6}"));
    [model.to_string(), number(loss), number(distance)]
}

impl Verify {
    pub(super) async fn run(self, context: &Context) -> Result<Output, CliError> {
        let id = self.target.clone().value()?;
        let card: Card = match &self.scorecard {
            Some(path) => read_json(path, "scorecard")?,
            None => Card::ask(context, id).await?,
        };
        if card.scorecard.target != id {
            let got = card.scorecard.target;
            return Err(CliError::Usage(format!(
                "the scorecard is of {got}, not of {id}"
            )));
        }
        let genesis = self.genesis.as_ref();
        let genesis: Option<Genesis> = genesis
            .map(|path| read_json(path, "genesis document"))
            .transpose()?;
        let facts = card.facts(genesis.as_ref())?;
        context.say(facts.proven.text().trim_end());
        let (data, models) = self.download(context, id, &facts).await?;
        let target = facts.direction.clone();
        let size = ModelConfig::presets()
            .find(|(_, size)| size.embedding_dim == target.to_f32().len())
            .ok_or_else(|| CliError::Invalid("no size of models has such embeddings".to_owned()))?
            .1;
        context.say("Scoring.");
        let config = ScorerConfig::new(size, self.device);
        let scored = tokio::task::spawn_blocking(move || measure(config, &data, &models, &target));
        let measured = scored
            .await
            .map_err(|error| CliError::Invalid(format!("scoring stopped: {error}")))??;
        let finding = compare(&facts.claim, &measured);
        report(id, &facts, &measured, &finding)
    }

    /// Data and weights as of the fill, from the cache where they are there.
    async fn download(
        &self,
        context: &Context,
        target: TargetId,
        facts: &Facts,
    ) -> Result<(Vec<u8>, Vec<(ModelId, SealedWeights)>), CliError> {
        let blobs = Blobs::open(context, self.allow_private_addresses)?;
        let data = &facts.data;
        let data = BlobRef {
            url: data.url.clone(),
            checksum: data.checksum,
            size: data.size,
        };
        let at_node = format!("/v1/targets/{target}/data");
        let data = blobs.get(context, &data, &at_node).await?.read()?;
        let mut models = Vec::new();
        for pinned in &facts.pinned_weights {
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
            let at_node = format!("/v1/targets/{target}/weights/{}", pinned.model);
            let source = SealedWeights {
                blob: blobs.get(context, &blob, &at_node).await?,
                key: weights.key,
                plaintext_checksum: Some(weights.plaintext_checksum),
            };
            models.push((pinned.model, source));
        }
        Ok((data, models))
    }
}

/// Blobs by their own URL, and by the node where that fails: whoever gives them, their checksum must
/// match.
struct Blobs {
    own: Cache,
    /// The node is an address that the user chose, private or not.
    of_node: Cache,
    node: String,
}

impl Blobs {
    fn open(context: &Context, allow_private: bool) -> Result<Self, CliError> {
        let open = |name: &str, fetch: FetchConfig| {
            let folder = context.dir.dir().join(name);
            Cache::open(CacheConfig::new(folder), Fetcher::new(fetch)?)
        };
        let own = fetch_config(context, allow_private)?;
        let of_node = FetchConfig {
            policy: AddressPolicy::anywhere(),
            tries: 1,
            ..own.clone()
        };
        Ok(Self {
            own: open("blobs", own)?,
            of_node: open("blobs-of-nodes", of_node)?,
            node: context.env()?.rpc.trim_end_matches('/').to_owned(),
        })
    }

    async fn get(
        &self,
        context: &Context,
        blob: &BlobRef,
        at_node: &str,
    ) -> Result<CachedBlob, BlobError> {
        if let Some(kept) = self.of_node.kept(&blob.checksum) {
            return Ok(kept);
        }
        let error = match self.own.get(blob).await {
            Err(error) => error,
            kept => return kept,
        };
        context.say(&format!("{error}; the node is asked."));
        let at_node = BlobRef {
            url: format!("{}{at_node}", self.node),
            ..blob.clone()
        };
        // What is wrong with the blob itself says more than that the node has no copy.
        self.of_node.get(&at_node).await.map_err(|_| error)
    }
}

fn read_json<T: serde::de::DeserializeOwned>(
    path: &std::path::Path,
    what: &str,
) -> Result<T, CliError> {
    let text = std::fs::read(path).map_err(CliError::file(path))?;
    serde_json::from_slice(&text).map_err(|error| CliError::File {
        path: path.to_owned(),
        reason: format!("no {what}: {error}"),
    })
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
    target: TargetId,
    facts: &Facts,
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
    let (claim, threshold) = (&facts.claim, facts.threshold);
    text.push_str(&format!(
        "Claimed: {} with loss {:.6} at distance {:.6}, where {threshold:.6} is allowed\n",
        claim.winner, claim.loss, claim.distance
    ));
    let is_near = claim.distance <= threshold;
    let holds = is_near && *finding == Finding::Consistent;
    if holds {
        text.push_str("The claim holds.");
    }
    let json = json!({
        "target_id": target,
        "claim": claim,
        "distance_threshold": threshold,
        "measured": measured,
        "finding": finding,
        "holds": holds,
        "proven": facts.proven,
    });
    let output = Output::new(&json, text);
    let reason = match finding {
        _ if !is_near => "its distance is more than the target allows".to_owned(),
        Finding::Consistent => return Ok(output),
        Finding::Mismatch(mismatch) => mismatch.to_string(),
        Finding::Incomplete => {
            let output = Box::new(output);
            return Err(CliError::ClaimNotJudged { output });
        }
    };
    Err(CliError::ClaimDoesNotHold {
        reason,
        output: Box::new(output),
    })
}

#[cfg(test)]
mod tests {
    use soma_audit::Claim;
    use soma_sdk::api::target::DataView;
    use soma_sdk::types::Checksum;

    use super::super::card::Proven;
    use super::*;

    const WINNER: ModelId = ModelId([1; 32]);
    const OTHER: ModelId = ModelId([2; 32]);

    fn measured(model: ModelId, loss: f64) -> Measured {
        Measured {
            model,
            loss,
            distance: Some(0.9),
        }
    }

    /// What comes of a claim of loss 2.5 at `distance`, where 1 is allowed.
    fn judged(distance: f64, measured: &[Measured]) -> Result<Output, CliError> {
        let claim = Claim {
            winner: WINNER,
            loss: 2.5,
            distance,
        };
        let facts = Facts {
            claim,
            threshold: 1.0,
            data: DataView {
                url: "http://a/d".to_owned(),
                checksum: Checksum([3; 32]),
                size: 4,
            },
            pinned_weights: Vec::new(),
            direction: Embedding::from_f32(&[1.0, 0.0]).unwrap(),
            proven: Proven {
                claim: true,
                chain: true,
                height: Some(7),
                digest: None,
            },
        };
        let finding = compare(&claim, measured);
        report(TargetId([9; 32]), &facts, measured, &finding)
    }

    #[test]
    fn a_claim_that_holds_is_no_error() {
        let output = judged(0.9, &[measured(WINNER, 2.5)]).unwrap();
        assert!(output.text.ends_with("The claim holds."));
        assert_eq!(output.json["finding"], "consistent");
        assert_eq!(output.json["holds"], true);
    }

    #[test]
    fn what_is_wrong_with_a_claim_is_printed_beside_an_error_of_its_own() {
        let winner = measured(WINNER, 2.5);
        let wrong_loss = [measured(WINNER, 3.5)];
        let wrong_winner = [winner, measured(OTHER, 1.5)];
        let no_weights = [measured(OTHER, 1.5)];
        let far = [Measured {
            distance: Some(1.2),
            ..winner
        }];
        for (distance, measured, code, finding) in [
            (0.9, &wrong_loss[..], "ClaimDoesNotHold", "/mismatch/loss"),
            (
                0.9,
                &wrong_winner[..],
                "ClaimDoesNotHold",
                "/mismatch/wrong_winner",
            ),
            (0.9, &far[..], "ClaimDoesNotHold", "/mismatch/distance"),
            // Measured as claimed, and never near enough.
            (1.2, &far[..], "ClaimDoesNotHold", ""),
            (0.9, &no_weights[..], "ClaimNotJudged", ""),
        ] {
            let error = judged(distance, measured).expect_err(code);
            assert_eq!((error.exit_code(), error.code()), (1, code), "{error}");
            let output = error.output().expect("printed in spite of the error");
            assert_eq!(output.json["holds"], false);
            let found = output.json["finding"].pointer(finding);
            assert!(found.is_some_and(|found| !found.is_null()), "{output:?}");
            assert_eq!(
                output.json["measured"].as_array().unwrap().len(),
                measured.len()
            );
            assert!(output.text.contains("Claimed: "), "{}", output.text);
            assert!(!output.text.contains("The claim holds"), "{}", output.text);
        }
    }
}
