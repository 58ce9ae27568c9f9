//! Targets at the boundary: expiry, difficulty, and the slow removal of old ones.

use soma_targets::difficulty::{self, Difficulty};
use soma_types::{Epoch, TargetId, TargetStatus};

use crate::key::{Key, prefix};
use crate::state::{State, Step};

/// Old targets removed with each block, so that no block has to remove an epoch's worth at once.
const PRUNED_PER_BLOCK: usize = 32;

/// Ends the open targets of this epoch; their rewards go back to the budget.
pub(crate) fn expire(state: &mut State<'_>) -> Step<()> {
    let epoch = state.epoch();
    for (key, _) in state.scan(&prefix::open_targets(epoch))? {
        let id = TargetId(Key::last_id(&key));
        let mut target = state.target(&id)?;
        state.refill_targets(target.reward)?;
        target.status = TargetStatus::Expired;
        state.save_target(&target);
        state.remove_bytes(key);
        state.mark(Key::RetiredTarget(epoch, id));
    }
    Ok(())
}

/// Moves the distance threshold by the hits of this epoch. An epoch that drew no targets, for want of
/// models or budget, says nothing about them.
pub(crate) fn steer(state: &mut State<'_>) {
    let parameters = difficulty::Parameters {
        hits_goal: state.parameters.target_hits_per_epoch,
        dim: state.parameters.target_embedding_dim,
        ema_decay_bps: state.parameters.target_hits_ema_decay_bps,
    };
    let targets = &mut state.system.targets;
    if targets.drawn == 0 {
        return;
    }
    let before = Difficulty::from(targets.difficulty);
    targets.difficulty = before.next(targets.hits, &parameters).into();
}

/// Removes a few targets that ended long enough ago.
pub(crate) fn prune_some(state: &mut State<'_>) -> Step<()> {
    let keep = state.parameters.target_retention_epochs;
    let Some(newest) = state.epoch().minus(keep.saturating_add(1)) else {
        return Ok(());
    };
    for (key, _) in state
        .base()
        .scan(&prefix::RETIRED, None, PRUNED_PER_BLOCK)?
    {
        if epoch_of(&key).is_none_or(|epoch| epoch > newest) {
            break;
        }
        let id = TargetId(Key::last_id(&key));
        state.remove(Key::Target(id));
        state.remove(Key::TargetEmbedding(id));
        if state.has(Key::FillEmbedding(id))? {
            state.remove(Key::FillEmbedding(id));
        }
        state.remove_bytes(key);
    }
    Ok(())
}

/// The epoch that a stored key begins with.
pub(super) fn epoch_of(key: &[u8]) -> Option<Epoch> {
    let bytes = key.get(2..10)?;
    Some(Epoch(u64::from_be_bytes(bytes.try_into().ok()?)))
}
