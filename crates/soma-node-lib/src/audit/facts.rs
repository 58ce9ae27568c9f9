//! What the chain says of the subject of an audit. All functions block the thread.

use soma_chain::{ChainError, Reader};
use soma_types::{
    Address, Epoch, Fill, ModelFault, ModelId, ModelStatus, SubmissionFault, TargetId,
    TargetStatus, TimestampMs, WeightsManifest,
};

use crate::application::Application;
use crate::store::NodeStore;

/// The clock of the chain.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    /// The current epoch.
    pub(super) epoch: Epoch,
    /// When it ends.
    pub(super) epoch_end_ms: TimestampMs,
    /// How long epochs are.
    pub(super) epoch_ms: u64,
    /// Numbers of an embedding.
    pub(super) dim: u64,
}

impl Clock {
    pub(super) fn of(application: &Application) -> Self {
        let now = application.now();
        Self {
            epoch: now.system.epoch,
            epoch_end_ms: now.epoch_end_ms(),
            epoch_ms: now.parameters.epoch_duration_ms,
            dim: now.parameters.target_embedding_dim,
        }
    }
}

/// A submission.
#[derive(Clone, Debug)]
pub(super) struct FillFacts {
    pub(super) fill: Fill,
    /// Direction of the target.
    pub(super) direction: Vec<f32>,
    /// True while reports are taken.
    pub(super) is_audited: bool,
    /// True when this validator was in the committee of the fill.
    pub(super) is_member: bool,
    /// True when this validator may report it.
    pub(super) may_report: bool,
    /// This validator's report.
    pub(super) report: Option<SubmissionFault>,
    /// True when it was challenged.
    pub(super) is_challenged: bool,
}

/// The submission on `target`; none when there is none any more.
pub(super) fn of_fill(
    reader: &Reader<'_, NodeStore>,
    target: &TargetId,
    validator: &Address,
) -> Result<Option<FillFacts>, ChainError> {
    let Some(found) = reader.target(target)? else {
        return Ok(None);
    };
    let Some(fill) = found.fill().cloned() else {
        return Ok(None);
    };
    let epoch = reader.system().epoch;
    let is_filled = matches!(found.status, TargetStatus::Filled(_));
    let committee = reader.committee(fill.epoch)?;
    let power = committee.map_or(0, |committee| committee.power(validator));
    let reports = reader.submission_reports(&found)?;
    let direction = reader.target_embedding(target)?;
    Ok(Some(FillFacts {
        direction: direction
            .map(|direction| direction.to_f32())
            .unwrap_or_default(),
        is_audited: is_filled && !fill.is_claimable_in(epoch),
        is_member: power > 0,
        may_report: power > 0 && fill.submitter != *validator,
        report: of_validator(reports, validator),
        is_challenged: reader.challenge(&found)?.is_some(),
        fill,
    }))
}

/// A model, with regard to weights that it revealed.
#[derive(Clone, Debug)]
pub(super) struct ModelFacts {
    /// Weights that are in force.
    pub(super) weights: Option<WeightsManifest>,
    /// True when the model is active.
    pub(super) is_active: bool,
    /// True while reports of it are taken.
    pub(super) is_audited: bool,
    /// True when this validator is in the committee.
    pub(super) is_member: bool,
    /// True when this validator may report it.
    pub(super) may_report: bool,
    /// This validator's report in this epoch.
    pub(super) report: Option<ModelFault>,
}

/// The model; none when it is unknown.
pub(super) fn of_model(
    reader: &Reader<'_, NodeStore>,
    model: &ModelId,
    validator: &Address,
) -> Result<Option<ModelFacts>, ChainError> {
    let Some(found) = reader.model(model)? else {
        return Ok(None);
    };
    let epoch = reader.system().epoch;
    let power = reader
        .committee(epoch)?
        .map_or(0, |committee| committee.power(validator));
    let is_audited = match found.status {
        ModelStatus::Active => true,
        ModelStatus::Inactive { since } => since.next() >= epoch,
        ModelStatus::Created { .. } | ModelStatus::Pending => false,
    };
    Ok(Some(ModelFacts {
        is_active: matches!(found.status, ModelStatus::Active),
        is_audited: is_audited && found.weights.is_some(),
        is_member: power > 0,
        may_report: power > 0 && found.owner != *validator,
        report: of_validator(reader.model_reports(model)?, validator),
        weights: found.weights,
    }))
}

fn of_validator<F>(reports: Vec<(Address, F)>, validator: &Address) -> Option<F> {
    let own = reports.into_iter().find(|(by, _)| by == validator);
    own.map(|(_, fault)| fault)
}
