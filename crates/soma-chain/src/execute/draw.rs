//! Drawing of targets at the start of a block, by the hash of its parent: when a transaction of
//! the parent was signed, nobody knew that hash.

use soma_crypto::{Domain, Hasher};
use soma_targets::{ModelIndex, draw_direction};
use soma_types::bounded::BoundedVec;
use soma_types::{Digest, Event, Target, TargetId, TargetStatus};

use crate::key::Key;
use crate::state::{Failure, State, Step};

/// Draws the targets that wait, while the budget lasts. Without any active model they go on
/// waiting.
pub(crate) fn draw_pending(
    state: &mut State<'_>,
    models: &ModelIndex,
    parent: &Digest,
) -> Step<()> {
    if models.is_empty() || state.system.targets.pending_draws == 0 {
        return Ok(());
    }
    let dim = usize::try_from(state.parameters.target_embedding_dim).unwrap_or(usize::MAX);
    let per_target = usize::try_from(state.parameters.target_models_per_target).unwrap_or(1);
    let waiting = state.system.targets.pending_draws.min(affordable(state));
    state.system.targets.pending_draws = 0;

    let directions: Vec<_> = (0..waiting)
        .map(|index| draw_direction(parent, index, dim))
        .collect();
    let nearest = models.nearest_batch(&directions, per_target);
    for ((index, direction), neighbors) in (0u64..).zip(&directions).zip(nearest) {
        let id = TargetId(
            Hasher::new(Domain::TargetId)
                .chain(parent)
                .chain(index.to_le_bytes())
                .finish(),
        );
        let assigned = neighbors.iter().map(|neighbor| neighbor.model).collect();
        let target = Target {
            id,
            epoch: state.epoch(),
            models: BoundedVec::new(assigned)
                .map_err(|_| Failure::Supply("a target has too many models"))?,
            distance_threshold: state.system.targets.difficulty.distance_threshold,
            reward: state.system.targets.reward_per_target,
            status: TargetStatus::Open,
        };
        take_reward(state)?;
        state.save_target(&target);
        state.save(Key::TargetEmbedding(id), direction);
        state.mark(Key::OpenTarget(target.epoch, id));
        state.events.push(Event::TargetDrawn { target: id });
    }
    Ok(())
}

/// How many targets the budget of this epoch still pays for.
fn affordable(state: &State<'_>) -> u64 {
    let reward = state.system.targets.reward_per_target.0;
    state.system.target_pot.0.checked_div(reward).unwrap_or(0)
}

fn take_reward(state: &mut State<'_>) -> Step<()> {
    let system = &mut state.system;
    system.target_pot = system
        .target_pot
        .checked_sub(system.targets.reward_per_target)
        .ok_or(Failure::Supply("the target pot fell below zero"))?;
    system.targets.drawn = system.targets.drawn.saturating_add(1);
    Ok(())
}
