//! Audits: what a validator found out about submissions and revealed weights.

use serde::{Deserialize, Serialize};
use soma_types::time::{Height, TimestampMs};
use soma_types::{Address, Checksum, Digest, Epoch, ModelId, TargetId};

use crate::target::{ChallengeView, DataView, PinnedWeightsView, ReportView};

/// What a submission claims.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ClaimView {
    /// The assigned model with the lowest loss.
    pub winner: ModelId,
    /// Its loss in nats.
    pub loss: f64,
    /// Distance of its embedding of the data to the target, as the chain computed it.
    pub distance: f64,
}

/// What a validator's scorer found for one assigned model. Numbers are absent where they are not
/// finite.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MeasuredView {
    /// The model.
    pub model: ModelId,
    /// Its loss in nats.
    pub loss: Option<f64>,
    /// Distance of its embedding of the data to the target.
    pub distance: Option<f64>,
}

/// What a validator told the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditReportView {
    /// What is wrong, by its name on chain.
    pub reason: String,
    /// The transaction; absent when this node found the report on chain and did not send it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction: Option<Digest>,
    /// The epoch in which it was sent or found.
    pub epoch: Epoch,
    /// The transaction that took it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undone_by: Option<Digest>,
}

/// One audit of one node: of the submission on a target, or of a model's revealed weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditView {
    /// Its number on this node; later audits have higher ones.
    pub id: u64,
    /// `submission` or `weights`.
    pub kind: String,
    /// The target whose submission is audited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetId>,
    /// The model whose weights are audited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelId>,
    /// SHA3-256 of the sealed weights that are audited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<Checksum>,
    /// The epoch of the fill, or the one in which the weights were found.
    pub epoch: Epoch,
    /// `checking`, `reporting`, `watching` (reported, to be checked again), `done`, or `expired`
    /// (the audit window ended without a verdict).
    pub state: String,
    /// `honest`, `fraud`, or `void` (the winner's weights cannot be had, so nobody can judge the
    /// submission); absent while nothing can be said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
    /// What is wrong, when the verdict is `fraud` or `void`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When this node learned of it.
    pub found_ms: TimestampMs,
    /// When the verdict was reached last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_ms: Option<TimestampMs>,
    /// Checks that were tried.
    pub attempts: u32,
    /// Why the last check gave no verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// What the submission claims.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<ClaimView>,
    /// What this node's scorer found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub measured: Vec<MeasuredView>,
    /// What this node told the chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<AuditReportView>,
}

/// Everything there is to know of why a submission won, or did not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ScorecardView {
    /// The target.
    pub target: TargetId,
    /// `filled`, `claimable`, `claimed`, `fraud` or `void`.
    pub status: String,
    /// Who submitted.
    pub submitter: Address,
    /// The data.
    pub data: DataView,
    /// Data had to lie at most this far from the target.
    pub distance_threshold: f64,
    /// The epoch of the fill.
    pub epoch: Epoch,
    /// The block of the fill.
    pub height: Height,
    /// What was claimed.
    pub claim: ClaimView,
    /// Weights of all assigned models as of the fill.
    pub pinned_weights: Vec<PinnedWeightsView>,
    /// Reports of validators while the audit window is open. They are all that the chain knows of
    /// who audited: who finds nothing wrong sends nothing.
    pub reports: Vec<ReportView>,
    /// The challenge while the audit window is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub challenge: Option<ChallengeView>,
    /// The validator in whose name this node audits; absent on a node that does not audit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auditor: Option<Address>,
    /// This node's audit; absent when it did not audit this submission.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<AuditView>,
}
