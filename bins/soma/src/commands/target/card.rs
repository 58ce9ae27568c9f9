//! What a submission is verified by, and what of it is proven.

use serde::{Deserialize, Serialize};
use soma_audit::Claim;
use soma_sdk::api::ScorecardView;
use soma_sdk::api::target::{DataView, PinnedWeightsView};
use soma_sdk::evidence::{ProvenTarget, TargetEvidence};
use soma_sdk::types::{Embedding, Fill, Genesis, TargetId, TargetStatus};

use crate::context::Context;
use crate::error::CliError;

/// Numbers in a file may be rounded; what is proven is taken instead.
const ROUNDING: f64 = 1e-6;

/// Everything that is needed to verify a submission, and to show that it was so on chain.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Card {
    pub(super) scorecard: ScorecardView,
    /// The target's direction.
    pub(super) target_embedding: Vec<f32>,
    /// Proof of claim, data, weights and direction; what the node says of its own audit has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) evidence: Option<TargetEvidence>,
}

/// How much of a card is more than the word of the node that made it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Proven {
    /// Claim, data, weights and direction are in the state of the block that is named.
    pub(super) claim: bool,
    /// That block is of the chain of the genesis that was given.
    pub(super) chain: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) height: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) digest: Option<String>,
}

/// What is verified: proven where the card has evidence.
pub(super) struct Facts {
    pub(super) claim: Claim,
    pub(super) threshold: f64,
    pub(super) data: DataView,
    pub(super) pinned_weights: Vec<PinnedWeightsView>,
    pub(super) direction: Embedding,
    pub(super) proven: Proven,
}

impl Card {
    /// Asks the node for everything.
    pub(super) async fn ask(context: &Context, target: TargetId) -> Result<Self, CliError> {
        let client = context.client()?;
        let scorecard = client.scorecard(&target).await?;
        let view = client.target(&target, true).await?;
        Ok(Self {
            scorecard,
            target_embedding: view.embedding.unwrap_or_default(),
            evidence: Some(client.target_evidence(target).await?),
        })
    }

    /// Checks the evidence, where there is some, and that the card says the same.
    ///
    /// # Errors
    /// Evidence that does not hold, or proves something else than the card says.
    pub(super) fn facts(&self, genesis: Option<&Genesis>) -> Result<Facts, CliError> {
        match &self.evidence {
            Some(evidence) => self.proven(evidence, genesis),
            None if genesis.is_some() => Err(CliError::Invalid(
                "the scorecard has no evidence, so the genesis shows nothing; make it again with \
                 `soma target scorecard --json`"
                    .to_owned(),
            )),
            None => self.told(),
        }
    }

    /// What the node said.
    fn told(&self) -> Result<Facts, CliError> {
        let view = &self.scorecard;
        Ok(Facts {
            claim: Claim {
                winner: view.claim.winner,
                loss: view.claim.loss,
                distance: view.claim.distance,
            },
            threshold: view.distance_threshold,
            data: view.data.clone(),
            pinned_weights: view.pinned_weights.clone(),
            direction: self.told_direction()?,
            proven: Proven {
                claim: false,
                chain: false,
                height: None,
                digest: None,
            },
        })
    }

    fn told_direction(&self) -> Result<Embedding, CliError> {
        Embedding::from_f32(&self.target_embedding)
            .map_err(|error| CliError::Invalid(format!("the target's direction: {error}")))
    }

    fn proven(
        &self,
        evidence: &TargetEvidence,
        genesis: Option<&Genesis>,
    ) -> Result<Facts, CliError> {
        let proven = evidence.check(self.scorecard.target, genesis);
        let proven = proven.map_err(|error| {
            CliError::Invalid(format!("the scorecard's evidence does not hold: {error}"))
        })?;
        let Some(fill) = proven.target.fill() else {
            return Err(differs("that data was submitted"));
        };
        let facts = Facts {
            claim: Claim {
                winner: fill.winning_model,
                loss: fill.loss.to_f64(),
                distance: fill.distance.to_f64(),
            },
            threshold: proven.target.distance_threshold.to_f64(),
            data: DataView::from(&fill.data),
            pinned_weights: fill.pinned_weights.iter().map(Into::into).collect(),
            direction: proven.direction.clone(),
            proven: Proven {
                claim: true,
                chain: genesis.is_some(),
                height: Some(proven.header.height),
                digest: Some(proven.digest.to_string()),
            },
        };
        self.compare(&facts, fill, &proven)?;
        Ok(facts)
    }

    /// A card that says something else than its evidence is not shown to anybody as if it were true.
    fn compare(&self, facts: &Facts, fill: &Fill, proven: &ProvenTarget) -> Result<(), CliError> {
        let near = |one: f64, other: f64| (one - other).abs() <= ROUNDING;
        let (view, claim) = (&self.scorecard, &self.scorecard.claim);
        let told = self.told_direction()?.to_f32();
        let direction = proven.direction.to_f32();
        let same_direction = told.len() == direction.len()
            && told
                .iter()
                .zip(&direction)
                .all(|(one, other)| near(f64::from(*one), f64::from(*other)));
        for (what, is_same) in [
            ("the status", may_be(&view.status, &proven.target.status)),
            ("the submitter", view.submitter == fill.submitter),
            (
                "when it was filled",
                (view.epoch, view.height) == (fill.epoch, fill.height),
            ),
            ("the data", view.data == facts.data),
            ("the winner", claim.winner == facts.claim.winner),
            ("the claimed loss", near(claim.loss, facts.claim.loss)),
            ("the distance", near(claim.distance, facts.claim.distance)),
            (
                "the threshold",
                near(view.distance_threshold, facts.threshold),
            ),
            ("the weights", view.pinned_weights == facts.pinned_weights),
            ("the direction", same_direction),
        ] {
            if !is_same {
                return Err(differs(what));
            }
        }
        Ok(())
    }
}

/// Whether a target of a status may have the proven one: the evidence was read after the status, and
/// the target may have been paid out between the two. The epoch, which makes a filled target
/// claimable, is not proven.
fn may_be(status: &str, proven: &TargetStatus) -> bool {
    match proven {
        TargetStatus::Filled(_) => matches!(status, "filled" | "claimable"),
        TargetStatus::Claimed { .. } => matches!(status, "filled" | "claimable" | "claimed"),
        proven => status == proven.name(),
    }
}

fn differs(what: &str) -> CliError {
    CliError::Invalid(format!(
        "the claim does not hold: the scorecard's evidence proves something else than the scorecard \
         says of {what}"
    ))
}

impl Proven {
    /// What people read of it.
    pub(super) fn text(&self) -> String {
        let (Some(height), Some(digest)) = (self.height, &self.digest) else {
            return "Not proven: that claim, data, weights and direction are those on chain; they are \
                    the word of the node that made the scorecard.\n"
                .to_owned();
        };
        let state = format!(
            "Proven: claim, data, weights and direction are in the state of block {height} ({digest})"
        );
        let block = match self.chain {
            true => ", which is of the chain of the genesis.\n",
            false => {
                ", for which its committee has signed.\nNot proven: that this block is of the chain; \
                 compare its digest with a node that you trust, or name the genesis with --genesis.\n"
            }
        };
        let told = "Not proven: audit and reports, the word of the node that made the scorecard.\n";
        format!("{state}{block}{told}")
    }
}
