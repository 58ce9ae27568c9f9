//! Submissions: seal, open, claim.

use soma_crypto::{Domain, Hasher};
use soma_targets::cosine_distance;
use soma_types::bounded::BoundedVec;
use soma_types::{
    Address, Checksum, Commitment, DataRecord, EarningKind, Embedding, Epoch, Event,
    ExecutionError, Fill, Height, Loss, Model, ModelId, ModelStatus, Payout, PinnedWeights,
    RawEmbedding, Salt, Shannons, Submission, Target, TargetId, TargetStatus,
};

use super::staking;
use super::transaction::Call;
use crate::key::Key;
use crate::pool::PoolMath;
use crate::state::{Failure, State, Step};

/// What a submission is sealed over. The size and URL of the data are left to the opening.
#[derive(Clone, Copy, Debug)]
pub struct SealedFields<'a> {
    /// Who will open it.
    pub submitter: &'a Address,
    /// The target to fill.
    pub target: &'a TargetId,
    /// SHA3-256 of the data.
    pub checksum: &'a Checksum,
    /// The winning model.
    pub model: &'a ModelId,
    /// The data's embedding.
    pub embedding: &'a RawEmbedding,
    /// The winning model's loss.
    pub loss: Loss,
    /// A random value.
    pub salt: &'a Salt,
}

/// The commitment of a sealed submission.
pub fn submission_commitment(fields: &SealedFields<'_>) -> Commitment {
    let hasher = Hasher::new(Domain::Submission)
        .chain(fields.submitter)
        .chain(fields.target)
        .chain(fields.checksum)
        .chain(fields.model)
        .chain(fields.loss.0.to_le_bytes())
        .chain(fields.salt)
        .chain(fields.embedding.to_le_bytes());
    Commitment(hasher.finish())
}

/// Seals a submission: remembers the commitment for some blocks.
pub(crate) fn seal(state: &mut State<'_>, call: Call, commitment: Commitment) -> Step<()> {
    let key = Key::Sealed(call.sender, commitment);
    if state.has(key)? {
        return Err(ExecutionError::DuplicateCommitment.into());
    }
    let last = last_opening(state, state.height);
    state.save::<Height>(key, &state.height.clone());
    state.mark(Key::SealedExpiry(last, call.sender, commitment));
    Ok(())
}

/// The last block in which a submission sealed at `height` can be opened.
fn last_opening(state: &State<'_>, height: Height) -> Height {
    height.saturating_add(state.parameters.submission_commitment_blocks)
}

/// Drops sealed submissions that lapsed with the block before this one.
pub(crate) fn drop_lapsed(state: &mut State<'_>) -> Step<()> {
    let Some(lapsed) = state.height.checked_sub(1) else {
        return Ok(());
    };
    for (key, _) in state.scan(&crate::key::prefix::sealed_expiry(lapsed))? {
        if let Some((sender, commitment)) = sealed_of_expiry(&key) {
            state.remove(Key::Sealed(sender, commitment));
        }
        state.remove_bytes(key);
    }
    Ok(())
}

fn sealed_of_expiry(key: &[u8]) -> Option<(Address, Commitment)> {
    let rest = key.get(10..)?;
    let (sender, commitment) = rest.split_at_checked(32)?;
    Some((
        Address(sender.try_into().ok()?),
        Commitment(commitment.try_into().ok()?),
    ))
}

/// Opens a sealed submission and fills its target.
pub(crate) fn submit(state: &mut State<'_>, call: Call, submission: &Submission) -> Step<()> {
    let mut target = open_target(state, &submission.target)?;
    open_seal(state, call, submission)?;
    let model = winning_model(state, &target, &submission.model)?;
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
        winning_pool: model.pool,
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

fn open_seal(state: &mut State<'_>, call: Call, submission: &Submission) -> Step<()> {
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
    Ok(())
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

/// How a target's reward is shared: submitter, model, claimer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shares {
    /// For the submitter, with the rounding dust.
    pub submitter: Shannons,
    /// For the model's pool.
    pub model: Shannons,
    /// For a claimer who is neither submitter nor the model's owner.
    pub claimer: Shannons,
}

/// Shares `reward`; `third_party` when the claimer is neither submitter nor the model's owner.
pub fn share_reward(
    reward: Shannons,
    third_party: bool,
    parameters: &soma_types::Parameters,
) -> Shares {
    let rate = |bps: u64| soma_types::Bps::try_from(bps).unwrap_or_default();
    let incentive = rate(parameters.target_claimer_incentive_bps);
    let claimer = if third_party {
        reward.share(incentive)
    } else {
        Shannons::ZERO
    };
    let rest = reward.saturating_sub(claimer);
    let model = rest.share(rate(parameters.target_submitter_reward_share_bps).complement());
    Shares {
        submitter: rest.saturating_sub(model),
        model,
        claimer,
    }
}

/// Pays out a filled target whose audit is over. Anyone may ask for it.
pub(crate) fn claim(state: &mut State<'_>, call: Call, id: &TargetId) -> Step<()> {
    let mut target = state.target(id)?;
    let fill = claimable_fill(&target, state.epoch())?;
    let third_party = call.sender != fill.submitter && call.sender != fill.winning_owner;
    let shares = share_reward(target.reward, third_party, &state.parameters);

    state.credit(&fill.submitter, shares.submitter)?;
    state.credit(&fill.submitter, fill.bond)?;
    state.credit(&call.sender, shares.claimer)?;
    earned(
        state,
        fill.submitter,
        EarningKind::Submission,
        shares.submitter,
        Some(*id),
    );
    earned(
        state,
        fill.submitter,
        EarningKind::BondReturned,
        fill.bond,
        Some(*id),
    );
    earned(
        state,
        call.sender,
        EarningKind::ClaimBounty,
        shares.claimer,
        Some(*id),
    );
    pay_model(state, &fill.winning_model, shares.model, *id)?;

    let epoch = state.epoch();
    state.remove(Key::FilledTarget(fill.epoch, *id));
    state.mark(Key::RetiredTarget(epoch, *id));
    target.status = TargetStatus::Claimed {
        fill,
        payout: Payout {
            claimer: call.sender,
            epoch,
            submitter: shares.submitter,
            model: shares.model,
            claimer_share: shares.claimer,
        },
    };
    state.save_target(&target);
    state.events.push(Event::TargetClaimed { target: *id });
    Ok(())
}

fn claimable_fill(target: &Target, now: Epoch) -> Step<Box<Fill>> {
    match &target.status {
        TargetStatus::Filled(fill) if fill.is_claimable_in(now) => Ok(fill.clone()),
        TargetStatus::Filled(fill) => Err(ExecutionError::AuditWindowOpen {
            claimable: fill.epoch.plus(2),
        }
        .into()),
        TargetStatus::Claimed { .. } => Err(ExecutionError::TargetAlreadyClaimed.into()),
        status => Err(ExecutionError::TargetNotFilled {
            status: status.name().to_owned(),
        }
        .into()),
    }
}

/// Pays a model: commission becomes the owner's stake, the rest raises the pool's rate.
fn pay_model(state: &mut State<'_>, id: &ModelId, amount: Shannons, from: TargetId) -> Step<()> {
    let model = state.model(id)?;
    let mut pool = state.pool(&model.pool)?;
    // Without any holder the whole amount becomes the owner's stake.
    let nobody = pool.tokens == 0;
    let commission = if nobody {
        amount
    } else {
        amount.share(model.commission)
    };
    let rest = amount.saturating_sub(commission);
    if !rest.is_zero() {
        pool.reward(rest)
            .ok_or(Failure::Supply("a staking pool overflowed"))?;
    }
    staking::add_commission(state, &mut pool, model.owner, commission)?;
    state.save_pool(&pool);
    earned(
        state,
        model.owner,
        EarningKind::ModelCommission,
        commission,
        Some(from),
    );
    earned(state, model.owner, EarningKind::ModelPool, rest, Some(from));
    Ok(())
}

/// Notes an earning or loss for the ledger.
pub(crate) fn earned(
    state: &mut State<'_>,
    address: Address,
    kind: EarningKind,
    amount: Shannons,
    target: Option<TargetId>,
) {
    if !amount.is_zero() {
        state.events.push(Event::Earning {
            address,
            kind,
            amount,
            target,
        });
    }
}
