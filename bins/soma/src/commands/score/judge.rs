//! Would a submission hit the target? The chain's checks, before money moves.

use serde_json::{Value, json};
use soma_scoring::PieceScores;
use soma_sdk::api::TargetView;
use soma_sdk::types::{Distance, Embedding, Shannons, TargetId};
use soma_submitter::scan::{Claim, Terms};

use super::files::DataFile;
use crate::context::Context;
use crate::error::CliError;

/// A target, and what a submission would need.
pub(super) struct Judge {
    pub(super) target: TargetView,
    pub(super) embedding: Embedding,
    terms: Terms,
    /// Balance of the active account, when there is one.
    balance: Option<Shannons>,
}

/// What a submission would come to.
pub(super) struct Verdict {
    /// Names of the checks that fail, as the chain names them.
    reasons: Vec<&'static str>,
    bond: Shannons,
    reward: Shannons,
    distance: Option<f64>,
    threshold: f64,
}

impl Judge {
    /// The target as it is now.
    pub(super) async fn of(context: &Context, id: TargetId) -> Result<Self, CliError> {
        let client = context.client()?;
        let target = client.target(&id, true).await?;
        let numbers = target.embedding.clone().unwrap_or_default();
        let embedding = Embedding::from_f32(&numbers)
            .map_err(|error| CliError::Invalid(format!("the node's target: {error}")))?;
        let balance = match context.config()?.active_address {
            Some(address) => Some(client.balance(&address).await?.balance),
            None => None,
        };
        Ok(Self {
            target,
            embedding,
            terms: Terms::new(&client.parameters().await?, client.status().await?.epoch),
            balance,
        })
    }

    /// What a submission of `file` would come to.
    pub(super) fn verdict(&self, file: &DataFile, scores: &PieceScores) -> Verdict {
        let winner = scores.winner().map(|place| &scores.0[place]);
        let distance = winner.and_then(|winner| winner.distance_to(&self.embedding));
        let threshold = Distance(self.target.distance_threshold_fixed);
        let claim = Claim {
            status: &self.target.status,
            epoch: self.target.epoch,
            threshold,
            has_winner: winner.is_some(),
            distance,
            size: file.name.size,
        };
        Verdict {
            reasons: self.terms.failing(&claim, self.balance),
            bond: self.terms.bond(file.name.size),
            reward: self.terms.submitters_part(self.target.reward),
            distance: distance.map(Distance::to_f64),
            threshold: threshold.to_f64(),
        }
    }
}

impl Verdict {
    pub(super) fn text(&self) -> String {
        let distance = self
            .distance
            .map_or_else(|| "none".to_owned(), |d| format!("{d:.6}"));
        let measured = format!("distance {distance}, threshold {:.6}", self.threshold);
        if self.reasons.is_empty() {
            return format!(
                "would hit: {measured}; bond {}, reward {} for the submitter after two epochs",
                self.bond, self.reward
            );
        }
        format!("would not hit: {} ({measured})", self.reasons.join(", "))
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "would_hit": self.reasons.is_empty(),
            "reasons": self.reasons,
            "bond": self.bond,
            "expected_reward": self.reward,
            "distance": self.distance,
            "threshold": self.threshold,
        })
    }
}
