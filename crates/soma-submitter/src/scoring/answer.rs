//! Answers of the scorer, checked against what was asked.

use soma_api::{ErrorCode, ModelScoreView, PieceView};
use soma_sdk::SdkError;
use soma_types::Checksum;

use crate::error::SubmitterError;
use crate::scan::{ModelVersion, Score};

/// Scores of each candidate, or why it has none.
pub(super) type Answers = Vec<Result<Vec<(ModelVersion, Score)>, String>>;

/// Reads the answer to a request for `models` and data of these `checksums`.
pub(super) fn read(
    results: Vec<PieceView>,
    models: &[ModelVersion],
    checksums: &[Checksum],
) -> Result<Answers, SubmitterError> {
    let wrong = |reason: String| SubmitterError::ScorerAnswer { reason };
    if results.len() != checksums.len() {
        let (got, asked) = (results.len(), checksums.len());
        return Err(wrong(format!("{got} results for {asked} pieces of data")));
    }
    let pieces = results.into_iter().zip(checksums);
    pieces
        .map(|(result, checksum)| {
            let response = match result {
                PieceView::Scores(response) => response,
                PieceView::Error(body) => return Ok(Err(body.to_string())),
            };
            if response.data_checksum != *checksum {
                let text = format!("data {} instead of {checksum}", response.data_checksum);
                return Err(wrong(text));
            }
            if response.models.len() != models.len() {
                let (got, asked) = (response.models.len(), models.len());
                return Err(wrong(format!("{got} scores for {asked} models")));
            }
            let scores = models
                .iter()
                .copied()
                .zip(response.models.into_iter().map(score));
            Ok(Ok(scores.collect()))
        })
        .collect()
}

fn score(view: ModelScoreView) -> Score {
    Score {
        loss: view.loss.filter(|loss| loss.is_finite()),
        embedding: view.embedding.map(Vec::into_boxed_slice),
    }
}

/// What the scorer says of models, with the id of the one at fault, which it knows by its place.
pub(super) fn named(error: &SdkError, models: &[ModelVersion]) -> String {
    let place = match error {
        SdkError::Api { details, .. } => details["model"].as_u64(),
        _ => None,
    };
    let model = place.and_then(|place| models.get(usize::try_from(place).ok()?));
    match model {
        Some(model) => format!("model {}: {error}", model.model),
        None => error.to_string(),
    }
}

/// True for trouble with the weights, which other groups of models do not have.
pub(super) fn is_about_models(error: &SdkError) -> bool {
    use ErrorCode::{
        ChecksumMismatch, DecryptionFailed, InvalidWeights, OutOfMemory, PlaintextMismatch,
        UrlNotAllowed, WeightsUnavailable,
    };
    matches!(
        error.api_code(),
        Some(
            WeightsUnavailable
                | ChecksumMismatch
                | DecryptionFailed
                | PlaintextMismatch
                | InvalidWeights
                | OutOfMemory
                | UrlNotAllowed
        )
    )
}
