//! Finding out what is true: download, score, compare. Decides nothing; [`soma_audit`] does.

use soma_api::{
    Base64, DataSource, DataView, ModelScoreView, ScoreRequest, ScoreResponse, WeightsSource,
    WeightsView,
};
use soma_audit::{Claim, Failure, Finding, Measured, compare};
use soma_blobs::BlobRef;
use soma_types::{ModelId, TargetId, WeightsManifest};

use super::facts::FillFacts;
use super::failure::{is_proven, not_published, of_data};
use super::job::Score;
use super::scorer::{NotScored, Scorers};
use crate::blobs::Blobs;

/// Data up to this size is sent along with the request; larger data the scorer downloads itself.
const INLINE: u64 = 5 << 20;

/// What revealed weights are tried with: they must load and be a model, the numbers do not matter.
const PIECE: &[u8] = b"The quick brown fox jumps over the lazy dog. 0123456789\n";

/// What a check found.
#[derive(Debug)]
pub(super) struct Found<T> {
    pub(super) result: Result<T, Failure>,
    /// True when weights of a model other than the winner were found missing.
    pub(super) others_missing: bool,
    pub(super) scores: Vec<Score>,
    /// Why there is no result.
    pub(super) trouble: Option<String>,
}

impl<T> Found<T> {
    fn failed(failure: Failure, why: impl std::fmt::Display) -> Self {
        Self {
            result: Err(failure),
            others_missing: false,
            scores: Vec::new(),
            trouble: Some(why.to_string()),
        }
    }
}

/// Scores the data of a submission with all assigned models and compares. `others_gone` says that
/// weights of models other than the winner were missing for long enough: these models are then left
/// out, so that nobody's missing weights protect a false claim.
pub(super) async fn submission(
    blobs: &Blobs,
    scorers: &Scorers,
    target: TargetId,
    facts: &FillFacts,
    others_gone: bool,
    dim: u64,
) -> Found<Finding> {
    let fill = &facts.fill;
    // Before the cache is asked: all validators must find the same.
    if let Err(error) = blobs.check_published(fill.data.url.as_str()) {
        return Found::failed(of_data(&error), error);
    }
    let blob = match blobs.get(&BlobRef::from(&fill.data)).await {
        Ok(blob) => blob,
        Err(error) => return Found::failed(of_data(&error), error),
    };
    // Before it is read: what cannot be scored now is needed again.
    blobs.hold(target, fill.epoch, blob.clone());
    for pinned in fill.pinned_weights.iter() {
        if let Some(weights) = &pinned.weights {
            blobs.keep_weights(fill.epoch, BlobRef::from(weights));
        }
    }
    let data = match blob.size() {
        ..=INLINE => match blobs.read(&blob).await {
            Ok(bytes) => DataSource::Inline {
                bytes: Base64(bytes),
            },
            Err(error) => return Found::failed(Failure::Own, error),
        },
        _ => DataSource::Url(DataView::from(&fill.data)),
    };
    let claim = claim_of(facts);
    let pinned = fill.pinned_weights.iter();
    let mut models: Vec<(ModelId, WeightsSource)> = pinned
        .filter_map(|pinned| Some((pinned.model, source(pinned.weights.as_ref()?))))
        .collect();
    let mut left_out = Vec::new();
    let mut others_missing = false;
    loop {
        let request = ScoreRequest {
            data: data.clone(),
            models: models.iter().map(|(_, weights)| weights.clone()).collect(),
            target_embedding: Some(facts.direction.clone()),
            seed: 0,
        };
        let sources = models.iter().map(|(_, weights)| weights.url.as_str());
        let scored = match not_openable(blobs, sources) {
            Some(not_scored) => Err(not_scored),
            None => scorers.score(&request, dim).await,
        };
        match scored {
            Ok(response) => {
                let scores = scores(&models, &response);
                let measured: Vec<Measured> = scores.iter().map(measured).collect();
                return Found {
                    result: Ok(compare(&claim, &measured)),
                    others_missing,
                    scores,
                    trouble: (!left_out.is_empty()).then(|| left_out.join("; ")),
                };
            }
            Err(own @ NotScored::Own(_)) => return Found::failed(Failure::Own, own),
            Err(NotScored::Weights {
                failure,
                model,
                body,
            }) => {
                let Some((id, _)) = models.get(model) else {
                    return Found::failed(Failure::Own, body);
                };
                if *id == claim.winner {
                    left_out.push(body.to_string());
                    return Found {
                        others_missing,
                        ..Found::failed(failure, left_out.join("; "))
                    };
                }
                if !is_proven(failure) {
                    others_missing = true;
                    if !others_gone {
                        return Found {
                            others_missing,
                            ..Found::failed(Failure::OtherWeights, body)
                        };
                    }
                }
                left_out.push(format!("without model {id}: {body}"));
                models.remove(model);
            }
        }
    }
}

/// What the submission claims; its distance is what the chain computed from the claimed embedding.
pub(super) fn claim_of(facts: &FillFacts) -> Claim {
    Claim {
        winner: facts.fill.winning_model,
        loss: facts.fill.loss.to_f64(),
        distance: facts.fill.distance.to_f64(),
    }
}

/// The first of weights at `urls` that nobody can be expected to download. A scorer with settings
/// of its own may well have them, so it is not asked.
fn not_openable<'a>(blobs: &Blobs, urls: impl Iterator<Item = &'a str>) -> Option<NotScored> {
    let mut checked = urls.map(|url| blobs.check_published(url)).enumerate();
    checked.find_map(|(model, checked)| {
        Some(NotScored::Weights {
            failure: Failure::WeightsUnavailable,
            model,
            body: not_published(&checked.err()?, model),
        })
    })
}

/// Tries revealed weights with a fixed piece of data.
pub(super) async fn weights(
    blobs: &Blobs,
    scorers: &Scorers,
    model: ModelId,
    weights: &WeightsManifest,
    dim: u64,
) -> Found<()> {
    let request = ScoreRequest {
        data: DataSource::Inline {
            bytes: Base64(PIECE.to_vec()),
        },
        models: vec![source(weights)],
        target_embedding: None,
        seed: 0,
    };
    let scored = match not_openable(blobs, std::iter::once(weights.url.as_str())) {
        Some(not_scored) => Err(not_scored),
        None => scorers.score(&request, dim).await,
    };
    match scored {
        Ok(response) => Found {
            result: Ok(()),
            others_missing: false,
            scores: scores(&[(model, source(weights))], &response),
            trouble: None,
        },
        Err(own @ NotScored::Own(_)) => Found::failed(Failure::Own, own),
        Err(NotScored::Weights { failure, body, .. }) => Found::failed(failure, body),
    }
}

fn source(weights: &WeightsManifest) -> WeightsSource {
    WeightsSource::from(&WeightsView::from(weights))
}

fn scores(models: &[(ModelId, WeightsSource)], response: &ScoreResponse) -> Vec<Score> {
    let finite = |number: Option<f64>| number.filter(|number| number.is_finite());
    let score = |(model, score): (&ModelId, &ModelScoreView)| Score {
        model: *model,
        loss: finite(score.loss),
        distance: finite(score.distance),
    };
    let ids = models.iter().map(|(id, _)| id);
    ids.zip(&response.models).map(score).collect()
}

fn measured(score: &Score) -> Measured {
    Measured {
        model: score.model,
        loss: score.loss.unwrap_or(f64::NAN),
        distance: score.distance,
    }
}
