//! Scores of files against all models, and which open targets they would hit.

use std::path::{Path, PathBuf};

use soma_sdk::api::{
    Base64, BatchScoreRequest, DataSource, PieceView, ScoreResponse, TargetView, WeightsSource,
};
use soma_sdk::types::{Embedding, ModelId};
use soma_sdk::{Client, SdkError};
use soma_targets::cosine_distance;

use crate::error::DemoError;

/// Pieces in a request.
const BATCH: usize = 16;

/// A file with what the models say of it.
#[derive(Clone, Debug)]
pub(super) struct Scored {
    pub(super) bytes: Vec<u8>,
    /// By model, in the order that was asked.
    pub(super) scores: Vec<Score>,
}

/// What one model says.
#[derive(Clone, Debug)]
pub(super) struct Score {
    pub(super) model: ModelId,
    pub(super) loss: f64,
    pub(super) numbers: Vec<f32>,
    embedding: Embedding,
}

impl Scored {
    /// The model with the lowest loss.
    pub(super) fn winner(&self) -> Option<&Score> {
        self.scores.iter().min_by(|a, b| a.loss.total_cmp(&b.loss))
    }

    /// The model with the highest loss.
    pub(super) fn loser(&self) -> Option<&Score> {
        self.scores.iter().max_by(|a, b| a.loss.total_cmp(&b.loss))
    }
}

impl Score {
    /// True when data that lies where this model sees it would hit.
    pub(super) fn hits(&self, target: &TargetView) -> bool {
        let numbers = target.embedding.clone().unwrap_or_default();
        let distance = Embedding::from_f32(&numbers)
            .ok()
            .and_then(|target| cosine_distance(&self.embedding, &target).ok());
        distance.is_some_and(|distance| distance.0 <= target.distance_threshold_fixed)
    }
}

/// Scores files against models.
pub(super) async fn score(
    client: &Client,
    files: &[PathBuf],
    models: &[ModelId],
) -> Result<Vec<Scored>, DemoError> {
    let mut weights = Vec::new();
    for model in models {
        let view = client.model(model, false).await?;
        weights.extend(view.weights.as_ref().map(WeightsSource::from));
    }
    let mut all = Vec::new();
    for files in files.chunks(BATCH) {
        let contents = files.iter().map(|file| read(file));
        let contents: Vec<Vec<u8>> = contents.collect::<Result<_, _>>()?;
        let request = BatchScoreRequest {
            data: contents
                .iter()
                .map(|bytes| DataSource::Inline {
                    bytes: Base64(bytes.clone()),
                })
                .collect(),
            models: weights.clone(),
            target_embedding: None,
            seed: 0,
        };
        let answer = client.score_batch(&request).await?;
        for (bytes, piece) in contents.into_iter().zip(answer.results) {
            match piece {
                PieceView::Scores(scores) => all.push(Scored {
                    bytes,
                    scores: scores_of(&scores, models),
                }),
                PieceView::Error(error) => return Err(SdkError::from(error).into()),
            }
        }
    }
    Ok(all)
}

fn scores_of(answer: &ScoreResponse, models: &[ModelId]) -> Vec<Score> {
    let pairs = models.iter().zip(&answer.models);
    let scores = pairs.filter_map(|(model, score)| {
        let numbers = score.embedding.clone()?;
        Some(Score {
            model: *model,
            loss: score.loss?,
            embedding: Embedding::from_f32(&numbers).ok()?,
            numbers,
        })
    });
    scores.collect()
}

fn read(path: &Path) -> Result<Vec<u8>, DemoError> {
    std::fs::read(path).map_err(DemoError::file(path))
}
