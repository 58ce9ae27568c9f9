//! From bytes to a filled target: score, upload, seal, open.

use std::collections::BTreeSet;

use soma_api::{
    Base64, DataSource, ModelScoreView, ReceiptView, ScoreRequest, TargetView, WeightsSource,
};
use soma_blobs::Store;
use soma_types::{Checksum, ModelId, TargetId};

use crate::account::{Account, ModelVersion, SubmitData};
use crate::client::Client;
use crate::error::SdkError;

/// Data that would hit its target now.
#[derive(Clone, Debug)]
pub struct Hit {
    /// The assigned model with the lowest loss.
    pub model: ModelId,
    /// Its loss in nats.
    pub loss: f64,
    /// Where it sees the data, of length one.
    pub embedding: Vec<f32>,
    /// Distance to the target.
    pub distance: f64,
}

/// Why data would not hit its target now.
#[derive(Clone, Debug)]
pub enum Miss {
    /// The target is not open; gives its status.
    NotOpen(String),
    /// No assigned model has weights, or none gives a finite loss.
    NoWinner,
    /// The data lies too far from the target.
    TooFar {
        /// Distance to the target.
        distance: f64,
        /// What the target allows.
        threshold: f64,
    },
}

impl Miss {
    /// Stable name: the chain's for the same, where it has one.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::NotOpen(_) => "TargetNotOpen",
            Self::NoWinner => "NoWinner",
            Self::TooFar { .. } => "DistanceExceedsThreshold",
        }
    }
}

impl std::fmt::Display for Miss {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotOpen(status) => write!(f, "the target is {status}"),
            Self::NoWinner => f.write_str("no assigned model has a finite loss on the data"),
            Self::TooFar {
                distance,
                threshold,
            } => write!(
                f,
                "the data lies at distance {distance:.6}, the target allows {threshold:.6}"
            ),
        }
    }
}

/// Data with its scores against the models of a target.
#[derive(Clone, Debug)]
pub struct Scored {
    /// The target as it was.
    pub target: TargetView,
    /// SHA3-256 of the data.
    pub checksum: Checksum,
    /// Size of the data in bytes.
    pub size: u64,
    /// The assigned models that are active, with their scores.
    pub scores: Vec<(ModelId, ModelScoreView)>,
    /// Their weights.
    pub scored_with: Vec<ModelVersion>,
    /// Whether it would hit.
    pub outcome: Result<Hit, Miss>,
}

impl Client {
    /// Scores data against the models assigned to a target, and says whether it would hit.
    ///
    /// # Errors
    /// [`SdkError`] of node and scorer.
    pub async fn score_for(&self, target: &TargetId, data: &[u8]) -> Result<Scored, SdkError> {
        let target = self.target(target, true).await?;
        let (mut models, mut weights) = (Vec::new(), Vec::new());
        let mut scored_with = BTreeSet::new();
        for model in &target.models {
            let view = self.model(model, false).await?;
            // A model that ended since the target was drawn cannot win any more.
            if let (Some(version), Some(found)) = (ModelVersion::of(&view), &view.weights) {
                models.push(*model);
                weights.push(WeightsSource::from(found));
                scored_with.insert(version);
            }
        }
        let mut scored = Scored {
            checksum: soma_crypto::checksum(data),
            size: data.len() as u64,
            scores: Vec::new(),
            scored_with: scored_with.into_iter().collect(),
            outcome: Err(Miss::NoWinner),
            target,
        };
        if models.is_empty() {
            return Ok(scored);
        }
        let request = ScoreRequest {
            data: DataSource::Inline {
                bytes: Base64(data.to_vec()),
            },
            models: weights,
            target_embedding: scored.target.embedding.clone(),
            seed: 0,
        };
        let answer = self.score(&request).await?;
        scored.scores = models.into_iter().zip(answer.models).collect();
        scored.outcome = judge(&scored, answer.winner);
        Ok(scored)
    }
}

fn judge(scored: &Scored, winner: Option<usize>) -> Result<Hit, Miss> {
    let target = &scored.target;
    if target.status != "open" {
        return Err(Miss::NotOpen(target.status.clone()));
    }
    let winner = winner.and_then(|place| scored.scores.get(place));
    let (model, score) = winner.ok_or(Miss::NoWinner)?;
    let (Some(loss), Some(embedding)) = (score.loss, &score.embedding) else {
        return Err(Miss::NoWinner);
    };
    let (Some(distance), Some(fixed)) = (score.distance, score.distance_fixed) else {
        return Err(Miss::NoWinner);
    };
    if fixed > target.distance_threshold_fixed {
        let threshold = target.distance_threshold;
        return Err(Miss::TooFar {
            distance,
            threshold,
        });
    }
    Ok(Hit {
        model: *model,
        loss,
        embedding: embedding.clone(),
        distance,
    })
}

impl Account {
    /// Scores data for a target and, when it would hit, uploads and submits it: the seal, and one
    /// block later what opens it. The receipt is absent for data that would not hit; nothing was
    /// uploaded then.
    ///
    /// # Errors
    /// [`SdkError::DuplicateData`] before anything is scored; [`SdkError`]. The bond is paid only when
    /// the submission is executed.
    pub async fn score_and_submit(
        &self,
        target: &TargetId,
        data: Vec<u8>,
        store: &Store,
    ) -> Result<(Scored, Option<ReceiptView>), SdkError> {
        self.check_data_is_new(soma_crypto::checksum(&data)).await?;
        let scored = self.client().score_for(target, &data).await?;
        let Ok(hit) = &scored.outcome else {
            return Ok((scored, None));
        };
        let blob = store.publish_bytes(data).await?;
        let submit = SubmitData {
            target: *target,
            url: &blob.url,
            checksum: blob.checksum,
            size: blob.size,
            model: hit.model,
            embedding: &hit.embedding,
            loss: hit.loss,
            scored_with: Some(&scored.scored_with),
        };
        let receipt = self.submit_data(&submit).await?;
        Ok((scored, Some(receipt)))
    }
}
