//! Opened submissions: the checks in their order, the bond, the fill.

use soma_targets::cosine_distance;
use soma_types::bounded::BoundedVec;
use soma_types::{
    DataRecord, Embedding, Event, ExecutionError, Fill, Height, Model, ModelId, ModelStatus,
    PinnedWeights, Shannons, Submission, Target, TargetId, TargetStatus,
};

use super::seals::{SealedFields, last_opening, submission_commitment};
use super::transaction::Call;
use crate::key::Key;
use crate::state::{Failure, State, Step};

/// Opens a sealed submission and fills its target.
pub(crate) fn submit(state: &mut State<'_>, call: Call, submission: &Submission) -> Step<()> {
    let mut target = open_target(state, &submission.target)?;
    let sealed = open_seal(state, call, submission)?;
    let model = winning_model(state, &target, &submission.model)?;
    check_weights(state, &target, sealed)?;
    let (embedding, distance) = check_numbers(state, &target, submission)?;
    check_data(state, call, submission)?;
    let bond = take_bond(state, call, submission.data.size)?;

    let epoch = state.epoch();
    let fill = Fill {
        submitter: call.sender,
        data: submission.data.clone(),
        distance,
        loss: submission.loss,
        winning_model: model.id,
        winning_owner: model.owner,
        bond,
        epoch,
        height: state.height,
        pinned_weights: pin_weights(state, &target)?,
    };
    state.events.push(Event::TargetFilled {
        target: target.id,
        submitter: call.sender,
        model: model.id,
        distance,
        loss: submission.loss,
    });
    target.status = TargetStatus::Filled(Box::new(fill));
    state.save_target(&target);
    state.save(Key::FillEmbedding(target.id), &embedding);
    state.remove(Key::OpenTarget(target.epoch, target.id));
    state.mark(Key::FilledTarget(epoch, target.id));
    let targets = &mut state.system.targets;
    targets.hits = targets.hits.saturating_add(1);
    targets.pending_draws = targets.pending_draws.saturating_add(1);
    Ok(())
}

fn open_target(state: &State<'_>, id: &TargetId) -> Step<Target> {
    let target = state.target(id)?;
    let (epoch, now) = (target.epoch, state.epoch());
    match target.status {
        TargetStatus::Expired => Err(ExecutionError::TargetExpired { epoch, now }.into()),
        TargetStatus::Open if now > epoch => {
            Err(ExecutionError::TargetExpired { epoch, now }.into())
        }
        TargetStatus::Open => Ok(target),
        ref filled => Err(ExecutionError::TargetNotOpen {
            status: filled.name().to_owned(),
        }
        .into()),
    }
}

/// Removes the seal of an opening; the block that it is in.
fn open_seal(state: &mut State<'_>, call: Call, submission: &Submission) -> Step<Height> {
    let commitment = submission_commitment(&SealedFields {
        submitter: &call.sender,
        target: &submission.target,
        checksum: &submission.data.checksum,
        model: &submission.model,
        embedding: &submission.embedding,
        loss: submission.loss,
        salt: &submission.salt,
    });
    let key = Key::Sealed(call.sender, commitment);
    let max_age = state.parameters.submission_commitment_blocks;
    let sealed: Option<Height> = state.load(key)?;
    let Some(sealed) = sealed.filter(|sealed| *sealed < state.height) else {
        return Err(ExecutionError::SubmissionNotCommitted { max_age }.into());
    };
    state.remove(key);
    state.remove(Key::SealedExpiry(
        last_opening(state, sealed),
        call.sender,
        commitment,
    ));
    Ok(sealed)
}

fn winning_model(state: &State<'_>, target: &Target, id: &ModelId) -> Step<Model> {
    if !target.models.contains(id) {
        return Err(ExecutionError::ModelNotInTarget.into());
    }
    let model = state.model(id)?;
    match model.status {
        ModelStatus::Active => Ok(model),
        _ => Err(ExecutionError::ModelNotActive.into()),
    }
}

/// The audit judges by the weights at the opening. Whoever made sure, after sealing, that they are the
/// ones that the data was scored with is not caught out by a reveal in between.
fn check_weights(state: &State<'_>, target: &Target, sealed: Height) -> Step<()> {
    for id in target.models.iter() {
        let model = state.model(id)?;
        if matches!(model.status, ModelStatus::Active) && model.revealed > sealed {
            return Err(ExecutionError::ModelWeightsChanged { model: *id }.into());
        }
    }
    Ok(())
}

fn check_numbers(
    state: &State<'_>,
    target: &Target,
    submission: &Submission,
) -> Step<(Embedding, soma_types::Distance)> {
    let expected = state.parameters.target_embedding_dim;
    let got = submission.embedding.dim() as u64;
    if got != expected {
        return Err(ExecutionError::EmbeddingDimensionMismatch { expected, got }.into());
    }
    let embedding = submission
        .embedding
        .check()
        .map_err(|_| ExecutionError::InvalidEmbedding)?;
    if !submission.loss.is_valid() {
        return Err(ExecutionError::InvalidLoss.into());
    }
    let direction: Embedding = state
        .load(Key::TargetEmbedding(target.id))?
        .ok_or(ExecutionError::TargetNotFound)?;
    let distance = cosine_distance(&direction, &embedding)
        .map_err(|_| ExecutionError::EmbeddingDimensionMismatch { expected, got })?;
    let threshold = target.distance_threshold;
    match distance <= threshold {
        true => Ok((embedding, distance)),
        false => Err(ExecutionError::DistanceExceedsThreshold {
            distance,
            threshold,
        }
        .into()),
    }
}

fn check_data(state: &mut State<'_>, call: Call, submission: &Submission) -> Step<()> {
    let (got, max) = (
        submission.data.size,
        state.parameters.max_submission_data_size,
    );
    if got > max {
        return Err(ExecutionError::DataExceedsMaxSize { got, max }.into());
    }
    if got == 0 {
        return Err(ExecutionError::EmptyData.into());
    }
    let key = Key::Data(submission.data.checksum);
    let now = state.epoch();
    match state.load::<DataRecord>(key)? {
        Some(record) if record.submitter == call.sender && record.epoch == now => {}
        Some(record) => {
            return Err(ExecutionError::DuplicateData {
                epoch: record.epoch,
            }
            .into());
        }
        None => state.save(
            key,
            &DataRecord {
                submitter: call.sender,
                epoch: now,
            },
        ),
    }
    Ok(())
}

fn take_bond(state: &mut State<'_>, call: Call, size: u64) -> Step<Shannons> {
    let bond = bond_of(state, size)?;
    let available = state.account(&call.sender)?.balance;
    if available < bond {
        return Err(ExecutionError::InsufficientBond {
            needed: bond,
            available,
        }
        .into());
    }
    state.debit(&call.sender, bond)?;
    Ok(bond)
}

/// The bond of a submission of `size` bytes.
pub(crate) fn bond_of(state: &State<'_>, size: u64) -> Step<Shannons> {
    Shannons(size)
        .checked_mul(state.parameters.submission_bond_per_byte)
        .ok_or_else(|| ExecutionError::ArithmeticOverflow.into())
}

fn pin_weights(
    state: &State<'_>,
    target: &Target,
) -> Step<BoundedVec<PinnedWeights, { soma_types::target::MAX_MODELS_PER_TARGET }>> {
    let mut pinned = Vec::with_capacity(target.models.len());
    for id in target.models.iter() {
        let model = state.model(id)?;
        let active = matches!(model.status, ModelStatus::Active);
        pinned.push(PinnedWeights {
            model: *id,
            weights: model.weights.filter(|_| active),
        });
    }
    BoundedVec::new(pinned).map_err(|_| Failure::Supply("a target has too many models"))
}
