//! Would a submission hit the target? The chain's checks, before money moves.

use std::collections::HashMap;

use serde_json::{Value, json};
use soma_scoring::PieceScores;
use soma_sdk::ModelVersion;
use soma_sdk::api::TargetView;
use soma_sdk::types::{
    Address, Checksum, DataRecord, Distance, Embedding, ModelId, Shannons, TargetId,
};
use soma_submitter::scan::{Claim, Terms};

use super::files::DataFile;
use crate::context::Context;
use crate::error::CliError;

/// A target, and what a submission would need.
pub(super) struct Judge {
    pub(super) target: TargetView,
    pub(super) embedding: Embedding,
    terms: Terms,
    /// The active account with its balance, when there is one.
    submitter: Option<(Address, Shannons)>,
    /// Models of the target that are active: only these can win.
    pub(super) active: Vec<ModelId>,
    /// Data that was submitted before.
    known: HashMap<Checksum, DataRecord>,
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
        let submitter = match context.config()?.active_address {
            Some(address) => Some((address, client.balance(&address).await?.balance)),
            None => None,
        };
        let mut active = Vec::new();
        for id in &target.models {
            if ModelVersion::of(&client.model(id, false).await?).is_some() {
                active.push(*id);
            }
        }
        Ok(Self {
            target,
            embedding,
            terms: Terms::new(&client.parameters().await?, client.status().await?.epoch),
            submitter,
            active,
            known: HashMap::new(),
        })
    }

    /// The largest data that the network takes, in bytes.
    pub(super) fn max_bytes(&self) -> u64 {
        self.terms.max_bytes
    }

    /// Asks the chain who submitted such data before.
    pub(super) async fn look_up(
        &mut self,
        context: &Context,
        checksums: impl Iterator<Item = Checksum>,
    ) -> Result<(), CliError> {
        let client = context.client()?;
        for checksum in checksums {
            if let Some(record) = client.verified_data(checksum).await?.value {
                self.known.insert(checksum, record);
            }
        }
        Ok(())
    }

    /// True when the submitter may submit the data: nobody did, or itself in this epoch.
    fn is_free(&self, checksum: &Checksum) -> bool {
        self.known.get(checksum).is_none_or(|record| {
            let own = self
                .submitter
                .is_some_and(|(address, _)| address == record.submitter);
            own && record.epoch == self.terms.epoch
        })
    }

    /// What a submission of `file` would come to, with the scores of the active models.
    pub(super) fn verdict(&self, file: &DataFile, scores: &PieceScores) -> Verdict {
        let winner = scores.winner().and_then(|place| scores.0.get(place));
        let distance = winner.and_then(|winner| winner.distance_to(&self.embedding));
        let threshold = Distance(self.target.distance_threshold_fixed);
        let claim = Claim {
            status: &self.target.status,
            epoch: self.target.epoch,
            threshold,
            has_active_model: !self.active.is_empty(),
            has_winner: winner.is_some(),
            data_is_free: self.is_free(&file.name.checksum),
            distance,
            size: file.name.size,
        };
        Verdict {
            reasons: self
                .terms
                .failing(&claim, self.submitter.map(|(_, balance)| balance)),
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
