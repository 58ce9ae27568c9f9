//! The index of active models by embedding and stake: follows the committed state.

use soma_targets::ModelIndex;
use soma_types::{Embedding, Model, ModelStatus, PoolOwner, Shannons, StakingPool};

use crate::commit::Diff;
use crate::key::{IndexedKind, Key, prefix};
use crate::state::{Failure, Step, read_entry};
use crate::store::Store;

/// Models read at a time.
const PAGE: usize = 1_024;

/// The index of all active models in the store.
pub(crate) fn load_models(store: &dyn Store, dim: usize) -> Step<ModelIndex> {
    let mut index = ModelIndex::new(dim);
    let mut after: Option<Vec<u8>> = None;
    loop {
        let page = store.scan(&prefix::MODELS, after.as_deref(), PAGE)?;
        let Some((last, _)) = page.last() else {
            return Ok(index);
        };
        after = Some(last.clone());
        for (key, bytes) in &page {
            place(&mut index, store, &read_entry(key, bytes)?)?;
        }
    }
}

/// Brings the index up to date after a block was written to the store.
pub(crate) fn follow(index: &mut ModelIndex, store: &dyn Store, diff: &Diff) -> Step<()> {
    for (key, new) in &diff.new {
        let Some(new) = new else { continue };
        match Key::kind_of(key) {
            Some(IndexedKind::Model) => place(index, store, &read_entry(key, new)?)?,
            Some(IndexedKind::Pool) => {
                let pool: StakingPool = read_entry(key, new)?;
                if let PoolOwner::Model(model) = pool.owner {
                    index.set_stake(&model, pool.soma);
                }
            }
            Some(IndexedKind::Stake | IndexedKind::Target) | None => {}
        }
    }
    Ok(())
}

fn place(index: &mut ModelIndex, store: &dyn Store, model: &Model) -> Step<()> {
    if !matches!(model.status, ModelStatus::Active) {
        index.remove(&model.id);
        return Ok(());
    }
    let key = Key::ModelEmbedding(model.id).to_bytes();
    let Some(bytes) = store.get(&key)? else {
        return Ok(());
    };
    let embedding: Embedding = read_entry(&key, &bytes)?;
    let key = Key::Pool(model.pool).to_bytes();
    let stake = match store.get(&key)? {
        Some(bytes) => read_entry::<StakingPool>(&key, &bytes)?.soma,
        None => Shannons::ZERO,
    };
    index
        .insert(model.id, embedding, stake)
        .map_err(|error| Failure::Corrupt {
            key: model.id.to_string(),
            reason: error.to_string(),
        })
}
