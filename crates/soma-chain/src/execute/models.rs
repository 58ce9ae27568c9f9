//! Models: create, commit, reveal, end.

use soma_crypto::commitments::{embedding_commitment, key_commitment, unmask_checksum};
use soma_crypto::{Domain, Hasher};
use soma_types::{
    Address, Bps, Checksum, EarningKind, Epoch, Event, ExecutionError, Model, ModelCommit, ModelId,
    ModelStatus, PendingReveal, PoolId, PoolOwner, PoolStatus, RawEmbedding, Shannons, SlashReason,
    StakingPool, WeightsKey, WeightsManifest, WeightsRecord,
};

use super::claims::earned;
use super::staking;
use super::transaction::Call;
use crate::key::Key;
use crate::state::{State, Step};

/// An empty pool of a validator or model that is not active yet.
pub(crate) fn new_pool(id: PoolId, owner: PoolOwner) -> StakingPool {
    StakingPool {
        id,
        owner,
        status: PoolStatus::PreActive,
        soma: Shannons::ZERO,
        tokens: 0,
        pending: Shannons::ZERO,
        unbonding_soma: Shannons::ZERO,
        unbonding_tokens: 0,
    }
}

fn commission(bps: u16) -> Step<Bps> {
    Bps::new(bps).ok_or_else(|| ExecutionError::ModelCommissionRateTooHigh { bps }.into())
}

/// A model needs its minimum stake from the creation to the end: what it would lose by a missed
/// deadline must still be there.
fn require_stake(state: &State<'_>, got: Shannons) -> Step<()> {
    let minimum = Shannons(state.parameters.model_min_stake);
    match got < minimum {
        true => Err(ExecutionError::ModelMinStakeNotMet { minimum, got }.into()),
        false => Ok(()),
    }
}

fn owned_model(state: &State<'_>, call: Call, id: &ModelId) -> Step<Model> {
    let model = state.model(id)?;
    match model.owner == call.sender {
        true => Ok(model),
        false => Err(ExecutionError::NotModelOwner.into()),
    }
}

/// Creates a model with the sender's first stake.
pub(crate) fn create(
    state: &mut State<'_>,
    call: Call,
    architecture_version: u64,
    stake: Shannons,
    commission_bps: u16,
) -> Step<()> {
    let expected = state.parameters.model_architecture_version;
    if architecture_version != expected {
        let got = architecture_version;
        return Err(ExecutionError::ModelArchitectureVersionMismatch { expected, got }.into());
    }
    require_stake(state, stake)?;
    let commission = commission(commission_bps)?;
    let id = ModelId(Hasher::new(Domain::ModelId).chain(call.digest).finish());
    let pool = PoolId(Hasher::new(Domain::PoolId).chain(call.digest).finish());
    state.save_pool(&new_pool(pool, PoolOwner::Model(id)));
    state.save_model(&Model {
        id,
        owner: call.sender,
        architecture_version,
        status: ModelStatus::Created {
            epoch: state.epoch(),
        },
        pool,
        commission,
        next_commission: commission,
        weights: None,
        revealed: 0,
        pending: None,
        leaving: false,
    });
    staking::stake(state, call, &pool, stake).map(|_| ())
}

/// Commits to weights: the first of a created model, or an update of an active one.
pub(crate) fn commit(
    state: &mut State<'_>,
    call: Call,
    id: &ModelId,
    commit: &ModelCommit,
) -> Step<()> {
    let mut model = owned_model(state, call, id)?;
    model.status = match model.status {
        ModelStatus::Created { .. } => ModelStatus::Pending,
        // The epoch in which it could be revealed does not come.
        ModelStatus::Active if model.leaving => {
            return Err(ExecutionError::ModelAlreadyLeaving.into());
        }
        ModelStatus::Active => ModelStatus::Active,
        ModelStatus::Inactive { .. } => return Err(ExecutionError::ModelAlreadyInactive.into()),
        ModelStatus::Pending => {
            let status = model.status.name().to_owned();
            return Err(ExecutionError::ModelInvalidState { status }.into());
        }
    };
    let pool = state.pool(&model.pool)?;
    require_stake(state, pool.soma.saturating_add(pool.pending))?;
    if commit.size == 0 {
        return Err(ExecutionError::invalid("weights of 0 bytes; commit to a sealed file").into());
    }
    model.pending = Some(PendingReveal {
        commit: commit.clone(),
        epoch: state.epoch(),
        height: state.height,
    });
    state.save_model(&model);
    Ok(())
}

/// Reveals committed weights: opens the key and the embedding, in the epoch after the commit.
pub(crate) fn reveal(
    state: &mut State<'_>,
    call: Call,
    id: &ModelId,
    key: &WeightsKey,
    embedding: &RawEmbedding,
) -> Step<()> {
    let mut model = owned_model(state, call, id)?;
    if matches!(model.status, ModelStatus::Inactive { .. }) {
        return Err(ExecutionError::ModelAlreadyInactive.into());
    }
    let pending = model
        .pending
        .take()
        .ok_or(ExecutionError::ModelNoPendingUpdate)?;
    let (due, now) = (pending.epoch.next(), state.epoch());
    if due != now {
        return Err(ExecutionError::ModelRevealEpochMismatch { due, now }.into());
    }
    if key_commitment(id, key) != pending.commit.key_commitment {
        return Err(ExecutionError::ModelDecryptionKeyCommitmentMismatch.into());
    }
    let expected = state.parameters.target_embedding_dim;
    let got = embedding.dim() as u64;
    if got != expected {
        return Err(ExecutionError::EmbeddingDimensionMismatch { expected, got }.into());
    }
    let embedding = embedding
        .check()
        .map_err(|_| ExecutionError::InvalidEmbedding)?;
    if embedding_commitment(id, &embedding) != pending.commit.embedding_commitment {
        return Err(ExecutionError::ModelEmbeddingCommitmentMismatch.into());
    }
    let plaintext = unmask_checksum(id, key, &pending.commit.masked_plaintext_checksum);
    register_weights(state, &model, plaintext, pending.height)?;

    if matches!(model.status, ModelStatus::Pending) {
        let mut pool = state.pool(&model.pool)?;
        require_stake(state, pool.soma)?;
        model.status = ModelStatus::Active;
        pool.status = PoolStatus::Active;
        state.save_pool(&pool);
    }
    model.weights = Some(WeightsManifest {
        url: pending.commit.url,
        checksum: pending.commit.checksum,
        size: pending.commit.size,
        key: *key,
        plaintext_checksum: plaintext,
    });
    model.revealed = state.height;
    state.save_model(&model);
    state.save(Key::ModelEmbedding(*id), &embedding);
    state.events.push(Event::ModelRevealed { model: *id });
    Ok(())
}

/// Keeps who committed to some weights first. A later committer of the same weights is refused,
/// or ends with the epoch when the earlier one reveals after it: the original never loses to a copy.
/// An owner has the same weights in one active model at a time.
fn register_weights(
    state: &mut State<'_>,
    model: &Model,
    plaintext: Checksum,
    commit_height: u64,
) -> Step<()> {
    let mut record = WeightsRecord {
        owner: model.owner,
        model: model.id,
        commit_height,
    };
    if let Some(earlier) = state.load::<WeightsRecord>(Key::Weights(plaintext))? {
        let same_owner = earlier.owner == model.owner;
        if !same_owner && earlier.commit_height <= commit_height {
            let height = earlier.commit_height;
            return Err(ExecutionError::WeightsAlreadyRevealed { height }.into());
        }
        if same_owner {
            record.commit_height = earlier.commit_height.min(commit_height);
        }
        if earlier.model != model.id {
            let mut other = state.model(&earlier.model)?;
            let weights = other.weights.as_ref();
            let has_them = weights.is_some_and(|w| w.plaintext_checksum == plaintext);
            if has_them && matches!(other.status, ModelStatus::Active) {
                if same_owner {
                    let height = earlier.commit_height;
                    return Err(ExecutionError::WeightsAlreadyRevealed { height }.into());
                }
                other.leaving = true;
                state.save_model(&other);
            }
        }
    }
    state.save(Key::Weights(plaintext), &record);
    Ok(())
}

/// Takes the weights away from a model that never had what it committed to. They are nobody's any
/// more: others may reveal them, and the model cannot be reported for them again.
pub(crate) fn strike_weights(state: &mut State<'_>, model: &mut Model) -> Step<()> {
    let Some(struck) = model.weights.take() else {
        return Ok(());
    };
    let key = Key::Weights(struck.plaintext_checksum);
    let record = state.load::<WeightsRecord>(key)?;
    if record.is_some_and(|record| record.model == model.id) {
        state.remove(key);
    }
    Ok(())
}

/// Changes the commission from the next epoch on.
pub(crate) fn set_commission(
    state: &mut State<'_>,
    call: Call,
    id: &ModelId,
    bps: u16,
) -> Step<()> {
    let mut model = owned_model(state, call, id)?;
    if !matches!(model.status, ModelStatus::Active) {
        return Err(ExecutionError::ModelNotActive.into());
    }
    model.next_commission = commission(bps)?;
    state.save_model(&model);
    Ok(())
}

/// Ends the sender's model with the epoch. Until then it answers for the targets that it is assigned
/// to: else an owner of large models could leave targets that nobody can fill.
pub(crate) fn deactivate(state: &mut State<'_>, call: Call, id: &ModelId) -> Step<()> {
    let mut model = owned_model(state, call, id)?;
    match model.status {
        ModelStatus::Active if model.leaving => Err(ExecutionError::ModelAlreadyLeaving.into()),
        ModelStatus::Active => {
            model.leaving = true;
            state.save_model(&model);
            Ok(())
        }
        ModelStatus::Inactive { .. } => Err(ExecutionError::ModelAlreadyInactive.into()),
        ModelStatus::Created { .. } | ModelStatus::Pending => {
            Err(ExecutionError::ModelNotActive.into())
        }
    }
}

/// Ends a model and closes its pool: stake that was to start after `since` can be taken back in
/// full.
pub(crate) fn end_model(state: &mut State<'_>, model: &mut Model, since: Epoch) -> Step<()> {
    let mut pool = state.pool(&model.pool)?;
    pool.status = PoolStatus::Inactive { since };
    state.save_pool(&pool);
    model.status = ModelStatus::Inactive { since };
    model.pending = None;
    model.leaving = false;
    state.save_model(model);
    state
        .events
        .push(Event::ModelDeactivated { model: model.id });
    Ok(())
}

/// Slashes a pool; the money goes to the emission pool.
pub(crate) fn slash_pool(
    state: &mut State<'_>,
    pool: &PoolId,
    owner: Address,
    rate: Bps,
    reason: SlashReason,
) -> Step<()> {
    use crate::pool::PoolMath as _;
    let mut pool = state.pool(pool)?;
    let amount = pool.slash(rate);
    state.save_pool(&pool);
    state.refill_emission(amount)?;
    let model = match pool.owner {
        PoolOwner::Model(model) => Some(model),
        PoolOwner::Validator(_) => None,
    };
    state.events.push(Event::Slashed {
        owner,
        model,
        reason,
        amount,
    });
    earned(state, owner, EarningKind::StakeSlashed, amount, None);
    Ok(())
}
